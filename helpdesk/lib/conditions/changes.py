"""What a change did to a field: operators that compare the value before it with the value now.

They are asked in Python alone, of one object and a change (`matches(..., old=...)`). Where there is no change, in SQL,
in a view, in a segment, they are refused with a plain word.
"""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext_lazy as _

from helpdesk.lib.conditions.ops import Op
from helpdesk.lib.conditions.scalars import BOOLEAN, CHOICE, NUMBER, TEXT, is_number, order
from helpdesk.lib.conditions.sets import TAGS
from helpdesk.lib.conditions.times import DATE, instant

_CHANGED = (_("changed"), _("%(field)s changed"))
_NOT_CHANGED = (_("did not change"), _("%(field)s did not change"))


def _date(raw: Any) -> Any:
    try:
        return (date.fromisoformat(raw) if len(raw) == 10 else datetime.fromisoformat(raw)) if isinstance(raw, str) else raw
    except ValueError:
        return None


def _number(raw: Any) -> Any:
    try:
        return Decimal(raw) if isinstance(raw, str) else raw
    except InvalidOperation:
        return None


# An old value comes out of JSON: back to what the field's own reading gives.
_RAW: dict[str, Callable[[Any], Any]] = {"date": _date, "number": _number}


def before(raw: Any, type: str) -> Any:
    """The value that `raw`, as an event kept it, was."""
    return _RAW.get(type, lambda same: same)(raw)


def _milliseconds(value: Any) -> datetime | None:
    """Django's JSON keeps no more of a time; what it left out is no change."""
    at = instant(value)
    return at and at.replace(microsecond=at.microsecond // 1000 * 1000)


# What makes two values of a type one value; missing is None.
_KEYS: dict[str, Callable[[Any], Any]] = {
    "text": lambda value: value or None,
    "choice": lambda value: value if value != "" else None,
    "boolean": lambda value: value,
    "number": lambda value: order(value) if is_number(value) else None,
    "date": _milliseconds,
    "tags": lambda value: frozenset(value or ()),
}


def _always(type: str) -> list[Op]:
    key = _KEYS[type]

    def changed(pair: Any, wanted: Any, now: datetime) -> bool:
        return key(pair[0]) != key(pair[1])

    return [
        Op("changed", *_CHANGED, holds=changed, change=True),
        Op("not_changed", *_NOT_CHANGED, holds=changed, change=True, negated=True),
    ]


def _like(same: Op, code: str, label: Any, sentence: Any, check: Callable[[bool, bool], bool], negated: bool = False) -> Op:
    """An operator that takes what `same` takes, and asks of what `same` says about the old value and the new one."""

    def holds(pair: Any, wanted: Any, now: datetime) -> bool:
        old, new = (same.holds(value, wanted, now) for value in pair)
        return check(old, new)

    return Op(code, label, sentence, same.takes, same.read, holds=holds, show=same.show, negated=negated, change=True)


def _old(old: bool, new: bool) -> bool:
    return old


def _to(old: bool, new: bool) -> bool:
    return new and not old


def _from(old: bool, new: bool) -> bool:
    return old and not new


def _was_set(ops: list[Op]) -> list[Op]:
    is_set = next(op for op in ops if op.code == "is_set")
    return [
        _like(is_set, "was_set", _("was set"), _("%(field)s was set before"), _old),
        _like(is_set, "was_not_set", _("was not set"), _("%(field)s was not set before"), _old, negated=True),
    ]


def _scalar(type: str, ops: list[Op]) -> list[Op]:
    same = next(op for op in ops if op.code == "is")
    return [
        *_always(type),
        _like(same, "changed_to", _("changed to"), _("%(field)s changed to %(value)s"), _to),
        _like(same, "changed_from", _("changed from"), _("%(field)s changed from %(value)s"), _from),
        _like(same, "was", _("was"), _("%(field)s was %(value)s before"), _old),
        _like(same, "was_not", _("was not"), _("%(field)s was not %(value)s before"), _old, negated=True),
        *_was_set(ops),
    ]


def _tags() -> list[Op]:
    """Of several words, those that a change brought and those that it took."""
    any_of = next(op for op in TAGS if op.code == "any_of")

    def moved(start: int, end: int) -> Callable[[Any, Any, datetime], bool]:
        def holds(pair: Any, wanted: Any, now: datetime) -> bool:
            return not (set(pair[end] or ()) - set(pair[start] or ())).isdisjoint(wanted)

        return holds

    def op(code: str, label: Any, sentence: Any, start: int, end: int) -> Op:
        return Op(code, label, sentence, "many", any_of.read, holds=moved(start, end), show=any_of.show, change=True)

    return [
        *_always("tags"),
        op("added", _("got any of"), _("%(field)s got %(value)s"), 0, 1),
        op("removed", _("lost any of"), _("%(field)s lost %(value)s"), 1, 0),
        _like(any_of, "had", _("had any of"), _("%(field)s had %(value)s before"), _old),
        _like(any_of, "had_not", _("had none of"), _("%(field)s did not have %(value)s before"), _old, negated=True),
    ]


CHANGES: dict[str, list[Op]] = {
    "text": _scalar("text", TEXT),
    "number": _scalar("number", NUMBER),
    "boolean": _scalar("boolean", BOOLEAN),
    "choice": _scalar("choice", CHOICE),
    "date": [*_always("date"), *_was_set(DATE)],
    "tags": _tags(),
}
