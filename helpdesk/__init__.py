"""Twofold: a helpdesk that works in both directions."""

from helpdesk.celery import app as celery_app

__all__ = ["celery_app"]
