"""What an operator is, and how people's values are read: strictly, with a plain word when they are wrong."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from django.db.models import BooleanField, Func
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

if TYPE_CHECKING:
    from helpdesk.lib.conditions.fields import Field

MAX_LENGTH = 500  # characters of a text
MAX_VALUES = 100  # entries of a list
MAX_DIGITS = 15  # what a float and a decimal agree on, so SQL and Python cannot differ
MAX_DAYS = 36_525  # a hundred years
_UNITS = {"minutes": timedelta(minutes=1), "hours": timedelta(hours=1), "days": timedelta(days=1), "weeks": timedelta(weeks=1)}


class Wrong(ValueError):
    """A value that its operator does not take; the message is for the person who wrote it."""


class IsNotTrue(Func):
    """SQL's `x IS NOT TRUE`: false and unknown alike, so that a negation never hides a missing value."""

    template = "(%(expressions)s) IS NOT TRUE"
    output_field = BooleanField()


@dataclass(frozen=True)
class Op:
    """One operator of a type.

    `read` takes what a person sent and gives the value in its one JSON form, or raises Wrong;
    with `strict` it also asks whether a choice still exists. `sql` gives a condition that is true
    exactly where `holds` is true (elsewhere false or NULL). A `negated` operator is the opposite
    of these two, true also where the value is missing. `takes` names an editor's input.
    An operator of a `change` has no SQL; its `holds` gets the old value and the new one as a pair.
    """

    code: str
    label: str | Promise
    sentence: str | Promise
    takes: str = "none"
    read: Callable[[Any, "Field", bool], Any] = lambda raw, field, strict: None
    sql: Callable[["Field", Any, datetime], Any] = lambda field, value, now: None
    holds: Callable[[Any, Any, datetime], bool] = lambda value, wanted, now: False
    show: Callable[[Any, "Field"], str] = lambda value, field: str(value)
    negated: bool = False
    change: bool = False


def text(raw: Any, field: "Field", strict: bool) -> str:
    """One text: stripped, not empty, and such as PostgreSQL can hold."""
    if not isinstance(raw, str):
        raise Wrong(_("Enter a text."))
    value = raw.strip()
    if not value:
        raise Wrong(_("Enter a text; to ask for missing values, use “is not set”."))
    if len(value) > MAX_LENGTH:
        raise Wrong(_("Use at most %d characters.") % MAX_LENGTH)
    if "\x00" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise Wrong(_("This text holds a character that cannot be stored."))
    return value


def number(raw: Any, field: "Field", strict: bool) -> int | float:
    """One number, also as a person types it; finite, of at most 15 digits."""
    if isinstance(raw, bool) or not isinstance(raw, (int, float, Decimal, str)) or len(str(raw)) > 40:
        raise Wrong(_("Enter a number."))
    try:
        value = Decimal(str(raw).strip())
    except InvalidOperation:
        raise Wrong(_("Enter a number.")) from None
    if not value.is_finite():
        raise Wrong(_("Enter a number."))
    value = value.normalize()
    if len(value.as_tuple().digits) > MAX_DIGITS or not -MAX_DIGITS <= value.adjusted() < MAX_DIGITS:
        raise Wrong(_("Use at most %d digits.") % MAX_DIGITS)
    return int(value) if value == value.to_integral_value() else float(value)


def pair(raw: Any, field: "Field", strict: bool) -> list[int | float]:
    """Two numbers, the smaller first."""
    if not isinstance(raw, (list, tuple)) or len(raw) != 2:
        raise Wrong(_("Enter two numbers."))
    low, high = (number(each, field, strict) for each in raw)
    if low > high:
        raise Wrong(_("Enter the smaller number first."))
    return [low, high]


def choice(raw: Any, field: "Field", strict: bool) -> str | int:
    """One of the field's choices, also as a form sends it ("5" for 5), in the choice's own type."""
    if isinstance(raw, bool) or not isinstance(raw, (str, int)):
        raise Wrong(_("Choose one of the values."))
    options = field.options() if strict else ()
    for known, _label in options:
        if str(known) == str(raw):
            return known
    if options or (strict and callable(field.choices)):  # also where there is nothing to choose yet
        raise Wrong(_("“%s” is not one of the choices.") % field.label_of(raw)[:80])
    if isinstance(raw, int) and abs(raw) >= 2**63:
        raise Wrong(_("Choose one of the values."))
    if isinstance(raw, int):
        return raw
    said = text(raw, field, strict)
    return field.spelled(said) if field.spelled else said


def many(one: Callable[[Any, "Field", bool], Any]) -> Callable[[Any, "Field", bool], list[Any]]:
    """A reader of lists: at least one value, each only once."""

    def read(raw: Any, field: "Field", strict: bool) -> list[Any]:
        if not isinstance(raw, (list, tuple)) or not raw:
            raise Wrong(_("Choose at least one value."))
        if len(raw) > MAX_VALUES:
            raise Wrong(_("Use at most %d values.") % MAX_VALUES)
        return list(dict.fromkeys(one(each, field, strict) for each in raw))

    return read


def duration(raw: Any, field: "Field | None" = None, strict: bool = True) -> dict[str, int]:
    """A length of time such as {"days": 30}: minutes, hours, days or weeks, up to a hundred years."""
    if not isinstance(raw, Mapping) or len(raw) != 1 or not set(raw) <= set(_UNITS):
        raise Wrong(_("Enter a number of minutes, hours, days or weeks."))
    ((unit, count),) = raw.items()
    if isinstance(count, str) and count.strip().isascii() and count.strip().isdigit() and len(count) < 12:
        count = int(count)
    if isinstance(count, bool) or not isinstance(count, int):
        raise Wrong(_("Enter a whole number of %s.") % _(unit))
    if not 1 <= count <= timedelta(days=MAX_DAYS) // _UNITS[unit]:
        raise Wrong(_("Enter at least 1, and at most a hundred years."))
    return {unit: count}


def delta(value: Mapping[str, int]) -> timedelta:
    """The length of time that `duration` read."""
    ((unit, count),) = value.items()
    return _UNITS[unit] * count


def show_duration(value: Mapping[str, int], field: "Field | None" = None) -> str:
    """ "30 days", "1 hour": for a sentence."""
    ((unit, count),) = value.items()
    return {
        "minutes": ngettext("%d minute", "%d minutes", count),
        "hours": ngettext("%d hour", "%d hours", count),
        "days": ngettext("%d day", "%d days", count),
        "weeks": ngettext("%d week", "%d weeks", count),
    }[unit] % count


def show_one(value: Any, field: "Field") -> str:
    """A value by its choice's label, else as it is."""
    return field.label_of(value)


def show_many(values: list[Any], field: "Field") -> str:
    """ "red, green or blue"."""
    return either([show_one(value, field) for value in values])


def either(words: list[str]) -> str:
    """A list of alternatives as a sentence says it."""
    if len(words) < 2:
        return "".join(words)
    return _("%(first)s or %(last)s") % {"first": ", ".join(words[:-1]), "last": words[-1]}
