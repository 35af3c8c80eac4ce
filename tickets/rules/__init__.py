"""Rules: what is done by itself when a ticket comes in, when it changes, and after a time; and why it was, or was not."""

from tickets.rules.judge import health, meet_pending, tidy
from tickets.rules.meetings import due_timers, on_events

__all__ = ["due_timers", "health", "meet_pending", "on_events", "tidy"]
