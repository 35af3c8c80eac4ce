"""Holidays by country, from the `holidays` package, and from iCal feeds (RFC 5545), fetched by the guarded dialler."""

import http.client
import re
import ssl
import time
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urljoin

from dateutil.rrule import rrulestr
from django.conf import settings
from django.utils.translation import gettext as _

from helpdesk.lib import http as door
from helpdesk.lib.net import Forbidden

MOST_BYTES = 1_000_000
TIMEOUT = 10  # seconds, for one request
READING = 5.0  # seconds, for all that is in a feed
MOST_DAYS = 1_000  # holidays of one feed
LONGEST = 366  # days of one event
BACK, AHEAD = timedelta(days=366), timedelta(days=3 * 366)  # how much of a feed is kept around today
REDIRECTS = 3

Days = dict[date, str]


class BadFeed(ValueError):
    """A feed that cannot be fetched or read now; the message is for people. It may be better next time."""


# --- countries --------------------------------------------------------------------------------------------------------
# The package is imported where it is needed: a process that shows no calendar does without its tables.


def countries() -> list[tuple[str, str]]:
    """(code, name) of every country that we know the holidays of."""
    from holidays.registry import COUNTRIES

    return sorted(((each[1], _words(each[0])) for each in COUNTRIES.values()), key=lambda pair: pair[1])


def subdivisions(country: str) -> list[tuple[str, str]]:
    """(code, name) of the parts of a country with holidays of their own; none for a country that we do not know."""
    found = _country(country)
    if found is None:
        return []
    names = found.get_subdivision_aliases()
    return sorted(((code, (names.get(code) or [code])[0]) for code in found.subdivisions), key=lambda pair: pair[1])


def of_country(country: str, subdivision: str, years: Iterable[int]) -> Days:
    """The public holidays of these years. Raises BadFeed for a place that the package does not know."""
    import holidays

    try:
        found = holidays.country_holidays(country, subdiv=subdivision or None, years=list(years))
    except NotImplementedError as error:
        raise BadFeed(_("We do not know the holidays of this place.")) from error
    return {day: str(name)[:120] for day, name in found.items()}


def _country(code: str) -> Any:
    """The package's class of a country, None for one that it does not know."""
    import holidays
    from holidays.registry import COUNTRIES

    known = {each[1] for each in COUNTRIES.values()}
    return getattr(holidays, code) if code in known else None


def _words(name: str) -> str:
    """ "UnitedStates" as it is said."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)


# --- feeds ------------------------------------------------------------------------------------------------------------


def of_feed(url: str, today: date) -> Days:
    """The all-day events of a feed around today. Raises BadFeed."""
    return read(fetch(url), today)


def fetch(url: str) -> bytes:
    """A feed's bytes; each step of a redirect is guarded anew. Raises BadFeed."""
    url = re.sub(r"^webcals?://", "https://", url, flags=re.IGNORECASE)
    guarded = {"ports": settings.CALENDAR_PORTS, "private": settings.CALENDAR_PRIVATE_HOSTS}
    try:
        for _step in range(REDIRECTS + 1):
            answer = door.request("GET", url, headers={"Accept": "text/calendar"}, timeout=TIMEOUT, most=MOST_BYTES, **guarded)
            if answer.status not in (301, 302, 303, 307, 308):
                break
            url = urljoin(url, answer.headers.get("Location", ""))
    except Forbidden as error:
        raise BadFeed(_("We may not go there: %s.") % error) from error
    except door.TooMuch as error:
        raise BadFeed(_("The feed is larger than %d MB.") % (MOST_BYTES // 1_000_000)) from error
    except TimeoutError as error:
        raise BadFeed(_("No answer within %d seconds.") % TIMEOUT) from error
    except ssl.SSLError as error:
        raise BadFeed(_("Its certificate is not valid.")) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise BadFeed(_("Nobody answers there.")) from error
    if answer.status != 200:
        raise BadFeed(_("The answer was %d, not a calendar.") % answer.status)
    return answer.body


def read(body: bytes, today: date) -> Days:
    """The all-day events of an iCal file around today, yearly ones with their repetitions. Raises BadFeed."""
    from icalendar import Calendar

    until = time.monotonic() + READING
    if b"BEGIN:VCALENDAR" not in body[:2000].upper():
        raise BadFeed(_("What answers there is no calendar feed."))
    found: Days = {}
    try:
        for event in Calendar.from_ical(body).walk("VEVENT"):
            if time.monotonic() > until:
                raise BadFeed(_("The feed takes too long to read."))
            for day in _days(event, today - BACK, today + AHEAD):
                found.setdefault(day, str(event.get("SUMMARY", "")).strip()[:120] or _("Holiday"))
                if len(found) > MOST_DAYS:
                    raise BadFeed(_("The feed has more than %d holidays.") % MOST_DAYS)
    except (ValueError, KeyError, IndexError, AttributeError, TypeError, OverflowError, RecursionError) as error:
        if isinstance(error, BadFeed):
            raise
        raise BadFeed(_("The feed is damaged and cannot be read.")) from error
    if not found:
        raise BadFeed(_("The feed has no all-day events around this year; only those are holidays."))
    return found


def _days(event: Any, first: date, last: date) -> Iterator[date]:
    """The dates that an all-day event covers, with its yearly repetitions; none for one with a time, or a cancelled one."""
    begin, end = _date(event, "DTSTART"), _date(event, "DTEND")
    if begin is None or str(event.get("STATUS", "")).upper() == "CANCELLED":
        return
    length = min(max((end - begin).days if end else 1, 1), LONGEST)
    for start in _starts(event, begin, first - timedelta(days=length), last):
        for step in range(length):
            if first <= (day := start + timedelta(days=step)) <= last:
                yield day


def _starts(event: Any, begin: date, first: date, last: date) -> Iterator[date]:
    """When it begins, each year anew if it says so. Other rhythms are no holidays, and could be made to run for ever."""
    yield begin
    rule = event.get("RRULE")
    if not rule or rule.get("FREQ") != ["YEARLY"]:
        return
    text = re.sub(r"(UNTIL=\d{8})T\d{6}Z?", r"\1", rule.to_ical().decode())
    start = datetime(begin.year, begin.month, begin.day)
    left_out = {each.dt for part in _many(event.get("EXDATE")) for each in part.dts}
    top = datetime(last.year, last.month, last.day)
    for each in rrulestr(text, dtstart=start).between(max(start, datetime(first.year, first.month, first.day)), top, inc=True):
        if each.date() not in left_out:
            yield each.date()


def _date(event: Any, name: str) -> date | None:
    value = getattr(event.get(name), "dt", None)
    return value if isinstance(value, date) and not isinstance(value, datetime) else None


def _many(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []
