"""Quiet hours: the part of a customer's day in which nothing of ours arrives unasked."""

from datetime import datetime, time, timedelta, tzinfo
from zlib import crc32

from helpdesk.lib.dates import at_local, local

SPREAD = timedelta(minutes=15)  # what waited for the morning does not all leave in its first second


def opening(at: datetime, zone: tzinfo, quiet_from: time | None, quiet_until: time | None) -> datetime | None:
    """When the quiet hours around ``at`` end, as an instant in UTC; None when they are not now.

    The window is half open, [from, until), in wall time of ``zone``, and may span midnight. Its ends follow
    ``at_local``: a skipped wall time is the first instant after the gap, a repeated one its first occurrence.
    Equal ends, or none, mean that there are no quiet hours.
    """
    if quiet_from is None or quiet_until is None or quiet_from == quiet_until:
        return None
    today = local(at, zone).date()
    overnight = timedelta(days=1) if quiet_until < quiet_from else timedelta()
    for day in (today - timedelta(days=1), today):
        begins, ends = at_local(day, quiet_from, zone), at_local(day + overnight, quiet_until, zone)
        if begins <= at < ends:
            return ends
    return None


def spread(opens: datetime, key: str, zone: tzinfo, quiet_from: time | None, quiet_until: time | None) -> datetime:
    """A moment within 15 minutes after the opening, always the same for one key, and never in the next quiet hours."""
    moment = opens + timedelta(seconds=crc32(key.encode()) % int(SPREAD.total_seconds()))
    return opens if opening(moment, zone, quiet_from, quiet_until) else moment
