"""The one clock of business time, and the step between wall time and instants.

Everything that decides something by time asks `now()` here and passes the answer to SQL as a
parameter, so a test or a simulation moves one clock and both sides follow.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

log = logging.getLogger(__name__)

_SECOND = timedelta(seconds=1)
_offset = timedelta()  # process-wide on purpose: threads of one process share one business time
_still: datetime | None = None  # what the machine's clock showed when business time was stopped; None: it runs


def machine_now() -> datetime:
    """The machine's own clock in UTC, never moved: for leases, log lines and health checks."""
    return datetime.now(UTC)


def now() -> datetime:
    """Business time: the machine's clock plus the process-wide offset, aware, in UTC."""
    return (_still or machine_now()) + _offset


def age(moment: datetime | None) -> float | None:
    """How many seconds of business time it is ago; None for none."""
    return None if moment is None else (now() - moment).total_seconds()


def advance(delta: timedelta) -> None:
    """Move business time by `delta` from here on; within `moved()`, only until it ends."""
    global _offset
    _offset += delta


@contextmanager
def moved(to: datetime | None = None, by: timedelta | None = None, *, still: bool = False) -> Iterator[None]:
    """Run the block at another business time: from `to` on, or `by` from the present one.

    Time keeps running inside, unless it is to stand `still`: then only `advance` moves it, and what is done inside is the
    same however long it takes. What was before returns at the end, whatever happened.
    Raises ValueError unless exactly one is given and `to` is aware.
    """
    global _offset, _still
    if (to is None) == (by is None):
        raise ValueError("Give either to= or by=.")
    if to is not None and to.tzinfo is None:
        raise ValueError("to= must be an aware datetime.")
    before, stood = _offset, _still
    machine = stood or machine_now()
    _offset = to - machine if to is not None else before + (by or timedelta())
    _still = machine if still or stood else None
    try:
        yield
    finally:
        _offset, _still = before, stood


def zone(name: str | ZoneInfo | None, *fallbacks: str | ZoneInfo | None) -> ZoneInfo:
    """The first of these names that is an IANA zone, else UTC; never raises.

    Zones come from customers and imports: a wrong one must cost a warning, not a row.
    """
    for candidate in (name, *fallbacks):
        if isinstance(candidate, ZoneInfo):
            return candidate
        if candidate and isinstance(candidate, str) and (found := _known(candidate)):
            return found
    return ZoneInfo("UTC")


@lru_cache(maxsize=2048)  # also keeps a wrong name from warning once per customer
def _known(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; "../x" or NUL; "Europe", which is a folder
        log.warning("Unknown time zone %r: falling back.", name[:80])
        return None


def local(dt: datetime, zone: tzinfo) -> datetime:
    """The same instant as wall time in `zone`. Raises ValueError for a naive datetime."""
    if dt.tzinfo is None:
        raise ValueError("A datetime without a zone is no instant.")
    return dt.astimezone(zone)


def at_local(day: date, at: time, zone: tzinfo) -> datetime:
    """The instant, in UTC, at which clocks in `zone` show `at` on `day` (PEP 495).

    Skipped wall time (a gap, also a whole day as in Samoa 2011) gives the first instant after
    it; repeated wall time (a fold) gives its first occurrence.
    """
    wall = datetime.combine(day, at.replace(tzinfo=None, fold=0))
    before, after = (wall.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta() for fold in (0, 1))
    early, late = ((wall - offset).replace(tzinfo=UTC) for offset in (after, before))
    if after <= before:  # an ordinary time, or a fold: fold=0 is the first occurrence
        return late
    # In a gap: `early` is before the jump, `late` is not. Halve down to the second it happens.
    early = early.replace(microsecond=0)
    while late - early > _SECOND:
        middle = early + (late - early) // _SECOND // 2 * _SECOND
        if middle.astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late.replace(microsecond=0)
