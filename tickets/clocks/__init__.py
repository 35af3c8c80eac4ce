"""Service levels: what was promised on a ticket, when it is due, and who is told. The rules: docs/clocks.md."""

from tickets.clocks.keeping import health, on_ticket_events, recompute, run_due
from tickets.clocks.recounts import on_calendar_changed

__all__ = ["health", "on_calendar_changed", "on_ticket_events", "recompute", "run_due"]
