"""Twofold: a helpdesk that works in both directions."""
