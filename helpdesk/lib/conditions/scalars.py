"""Text, numbers, yes/no and choices.

Missing means NULL, and for text and choices also "". Text is compared without regard to case as
PostgreSQL's upper() does it (one letter to one letter: Unicode's simple mapping), never trimmed
or normalised. Numbers follow PostgreSQL's order, in which NaN equals itself and is above all.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from django.db.models import BooleanField, CharField, DecimalField, Q, TextField, Value
from django.db.models.functions import Cast
from django.db.models.lookups import (
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    IContains,
    IEndsWith,
    IExact,
    In,
    IsNull,
    IStartsWith,
    LessThan,
    LessThanOrEqual,
)
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from helpdesk.lib.conditions.ops import IsNotTrue, Op, Wrong, choice, many, number, pair, show_many, show_one, text

_IS = (_("is"), _("%(field)s is %(value)s"))
_IS_NOT = (_("is not"), _("%(field)s is not %(value)s"))
_ANY = (_("is any of"), _("%(field)s is %(value)s"))
_NONE = (_("is none of"), _("%(field)s is not %(value)s"))
_SET = (_("is set"), _("%(field)s is set"))
_NOT_SET = (_("is not set"), _("%(field)s is not set"))

Holds = Callable[[Any, Any, datetime], bool]
Sql = Callable[[Any, Any, datetime], Any]


def fold(words: str) -> str:
    """`words` in upper case as PostgreSQL's builtin C.UTF-8 and the C library do it, one letter for one.

    Unicode's full mapping (ß to SS) is left out; where only the full one differs, the simple one
    is the title case letter (UAX 44, fields 12 and 14).
    """
    return words.upper() if words.isascii() else "".join(map(_fold_letter, words))


@cache
def _fold_letter(letter: str) -> str:
    return next((form for form in (letter.upper(), letter.title()) if len(form) == 1), letter)


def _on_text(check: Callable[[str, str], bool]) -> Holds:
    return lambda value, wanted, now: isinstance(value, str) and bool(value) and check(fold(value), fold(wanted))


def _by(lookup: type) -> Sql:
    return lambda field, value, now: lookup(field.expression, value)


def _text_in(field: Any, values: list[str], now: datetime) -> Q:
    found = Q()
    for value in values:
        found |= Q(IExact(field.expression, value))
    return found


def set_ops(sql: Sql, holds: Holds) -> list[Op]:
    """ "is set" and its opposite."""
    return [Op("is_set", *_SET, sql=sql, holds=holds), Op("is_not_set", *_NOT_SET, sql=sql, holds=holds, negated=True)]


def _text_set(field: Any, value: None, now: datetime) -> GreaterThan:
    return GreaterThan(Cast(field.expression, TextField()), Value("", TextField()))  # "" is the least of texts


def _text_ops() -> list[Op]:
    equal: dict[str, Any] = {"takes": "one", "read": text, "sql": _by(IExact), "holds": _on_text(str.__eq__)}
    any_of: dict[str, Any] = {
        "takes": "many", "read": many(text), "sql": _text_in, "show": show_many,
        "holds": lambda value, wanted, now: any(equal["holds"](value, each, now) for each in wanted),
    }  # fmt: skip
    contains: dict[str, Any] = {"takes": "one", "read": text, "sql": _by(IContains), "holds": _on_text(str.__contains__)}
    return [
        Op("is", *_IS, **equal),
        Op("is_not", *_IS_NOT, **equal, negated=True),
        Op("any_of", *_ANY, **any_of),
        Op("none_of", *_NONE, **any_of, negated=True),
        Op("contains", _("contains"), _("%(field)s contains %(value)s"), **contains),
        Op("not_contains", _("does not contain"), _("%(field)s does not contain %(value)s"), **contains, negated=True),
        Op("starts_with", _("starts with"), _("%(field)s starts with %(value)s"),
           "one", text, _by(IStartsWith), _on_text(str.startswith)),
        Op("ends_with", _("ends with"), _("%(field)s ends with %(value)s"),
           "one", text, _by(IEndsWith), _on_text(str.endswith)),
        *set_ops(_text_set, lambda value, wanted, now: isinstance(value, str) and bool(value)),
    ]  # fmt: skip


def _decimal(value: Any) -> Decimal:
    return Decimal(str(value)) if isinstance(value, float) else Decimal(value)


def order(value: Any) -> tuple[bool, Decimal]:
    """Where a number stands: NaN equals itself and is above all."""
    exact = _decimal(value)
    return (True, Decimal(0)) if exact.is_nan() else (False, exact)


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _on_number(check: Callable[[Any, Any], bool]) -> Holds:
    return lambda value, wanted, now: is_number(value) and check(order(value), order(wanted))


def _number_sql(lookup: type) -> Sql:
    def sql(field: Any, value: Any, now: datetime) -> Any:
        if lookup is Exact and field.exact:
            return field.exact(value)
        return lookup(field.expression, Value(_decimal(value), DecimalField()))

    return sql


def _number_ops() -> list[Op]:
    def op(code: str, label: Any, sentence: Any, lookup: type, check: Any, negated: bool = False) -> Op:
        return Op(code, label, sentence, "one", number, _number_sql(lookup), _on_number(check), negated=negated)

    def between(field: Any, value: Any, now: datetime) -> Q:
        low, high = (Value(_decimal(each), DecimalField()) for each in value)
        return Q(GreaterThanOrEqual(field.expression, low)) & Q(LessThanOrEqual(field.expression, high))

    return [
        op("is", *_IS, Exact, lambda a, b: a == b),
        op("is_not", *_IS_NOT, Exact, lambda a, b: a == b, negated=True),
        op("gt", _("is more than"), _("%(field)s is more than %(value)s"), GreaterThan, lambda a, b: a > b),
        op("gte", _("is at least"), _("%(field)s is at least %(value)s"), GreaterThanOrEqual, lambda a, b: a >= b),
        op("lt", _("is less than"), _("%(field)s is less than %(value)s"), LessThan, lambda a, b: a < b),
        op("lte", _("is at most"), _("%(field)s is at most %(value)s"), LessThanOrEqual, lambda a, b: a <= b),
        Op("between", _("is between"), _("%(field)s is between %(value)s"), "pair", pair, between,
           lambda value, wanted, now: is_number(value)
           and order(wanted[0]) <= order(value) <= order(wanted[1]),
           lambda value, field: _now("%(low)s and %(high)s") % {"low": value[0], "high": value[1]}),
        *set_ops(lambda field, value, now: IsNull(field.expression, False), lambda value, wanted, now: is_number(value)),
    ]  # fmt: skip


def _boolean(raw: Any, field: Any, strict: bool) -> bool:
    known = {"true": True, "false": False}
    if isinstance(raw, str) and raw.lower() in known:
        return known[raw.lower()]
    if not isinstance(raw, bool):
        raise Wrong(_now("Choose yes or no."))
    return raw


def _boolean_sql(field: Any, value: bool, now: datetime) -> Any:
    if isinstance(field.expression, Q):
        return field.expression if value else IsNotTrue(field.expression)
    return field.exact(value) if field.exact else Exact(field.expression, Value(value, BooleanField()))


def _boolean_ops() -> list[Op]:
    common: dict[str, Any] = {
        "takes": "one", "read": _boolean, "sql": _boolean_sql, "holds": lambda value, wanted, now: value is wanted,
        "show": lambda value, field: _now("yes") if value else _now("no"),
    }  # fmt: skip

    def is_set(field: Any, value: None, now: datetime) -> Any:
        return Value(True) if isinstance(field.expression, Q) else IsNull(field.expression, False)

    return [
        Op("is", *_IS, **common),
        Op("is_not", *_IS_NOT, **common, negated=True),
        *set_ops(is_set, lambda value, wanted, now: isinstance(value, bool)),
    ]


def _same(value: Any, wanted: Any) -> bool:
    return type(value) is type(wanted) and value == wanted and value != ""


def _choice_value(value: str | int) -> Value:
    return Value(value, CharField()) if isinstance(value, str) else Value(value)


def _choice_is(field: Any, value: str | int, now: datetime) -> Any:
    return field.exact(value) if field.exact else Exact(field.expression, _choice_value(value))


def _choice_in(field: Any, values: list[str | int], now: datetime) -> Any:
    if not field.exact:
        return In(field.expression, [_choice_value(each) for each in values])
    found = Q()
    for value in values:
        found |= Q(field.exact(value))
    return found


def _choice_ops() -> list[Op]:
    one: dict[str, Any] = {
        "takes": "one", "read": choice, "show": show_one,
        "sql": _choice_is,
        "holds": lambda value, wanted, now: _same(value, wanted),
    }  # fmt: skip
    several: dict[str, Any] = {
        "takes": "many", "read": many(choice), "show": show_many,
        "sql": _choice_in,
        "holds": lambda value, wanted, now: any(_same(value, each) for each in wanted),
    }  # fmt: skip
    return [
        Op("is", *_IS, **one),
        Op("is_not", *_IS_NOT, **one, negated=True),
        Op("any_of", *_ANY, **several),
        Op("none_of", *_NONE, **several, negated=True),
        *set_ops(_text_set, lambda value, wanted, now: value is not None and value != ""),
    ]


TEXT = _text_ops()
NUMBER = _number_ops()
BOOLEAN = _boolean_ops()
CHOICE = _choice_ops()
