"""Targets as people write them: "30 min", "4 h", "1 h 30 min"; kept in minutes."""

import re

from django.utils.translation import gettext as _

LONGEST = 365 * 24 * 60
_PART = re.compile(r"(\d{1,5})\s*(m|mins?|minutes?|h|hrs?|hours?|std|stunden?|d|days?|tage?)(?![a-z])", re.IGNORECASE)
_MINUTES = {"m": 1, "h": 60, "s": 60, "d": 24 * 60, "t": 24 * 60}


class NotLength(ValueError):
    """What nobody can read as a length of time; the message is for people."""


def read_length(text: str, *, days: bool) -> int | None:
    """Minutes, or None for nothing. ``days`` says whether a day can be meant: it has 24 hours. Raises NotLength."""
    said = text.strip().rstrip(".")
    if not said:
        return None
    rest = _PART.sub("", said)
    parts = [(int(number), unit[0].lower()) for number, unit in _PART.findall(said)]
    if rest.strip(" ,") or not parts:
        raise NotLength(_("Say how long, such as 30 min, 4 h or 1 h 30 min."))
    if not days and any(unit in "dt" for _number, unit in parts):
        raise NotLength(_("Say it in hours: a day of work is as long as its calendar says."))
    minutes = sum(number * _MINUTES[unit] for number, unit in parts)
    if not 1 <= minutes <= LONGEST:
        raise NotLength(_("Give at least a minute, and at most a year."))
    return minutes


def write_length(minutes: int | None) -> str:
    """What `read_length` reads back."""
    if not minutes:
        return ""
    hours, rest = divmod(minutes, 60)
    parts = [_("%d h") % hours] if hours else []
    return " ".join([*parts, *([_("%d min") % rest] if rest else [])])
