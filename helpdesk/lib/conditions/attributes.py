"""Custom attributes: fields that read one key of a JSON column, by the attribute's own type.

A value of another JSON type than the attribute's counts as missing, in SQL and in Python, so no
cast can fail. Keys are bound parameters. Needs PostgreSQL 16 (pg_input_is_valid).
"""

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import (
    BooleanField,
    Case,
    CharField,
    DateTimeField,
    DecimalField,
    F,
    Func,
    JSONField,
    Q,
    TextField,
    Value,
    When,
)
from django.db.models.fields.json import DataContains
from django.db.models.functions import Cast, Concat
from django.db.models.lookups import Exact, Regex

from helpdesk.lib.conditions.fields import Choices, Field, Text
from helpdesk.lib.conditions.times import instant

# RFC 3339, and the bare date of ISO 8601: the part of what PostgreSQL reads that Python reads alike.
_DATE = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9]))?"
)
_JSON_TYPES: dict[type, str] = {str: "string", bool: "boolean", int: "number", float: "number"}


class _At(Func):
    """`column -> key`, or with as_text `column ->> key`; the key is a name, also when it looks like a number."""

    template = "(%(expressions)s)"

    def __init__(self, column: str, key: str, *, as_text: bool = False) -> None:
        name = Cast(Value(key, TextField()), TextField())
        output = TextField() if as_text else JSONField()
        super().__init__(F(column), name, arg_joiner=" ->> " if as_text else " -> ", output_field=output)


class _JsonPath(TextField):
    def db_type(self, connection: Any) -> str:
        return "jsonpath"


class _Numeric(Func):
    """A cast that keeps every digit; Django's own writes numeric(None, None)."""

    template = "(%(expressions)s)::numeric"
    output_field = DecimalField()


def attribute(
    name: str, label: Text, type: str, key: str, *, column: str = "attributes",
    choices: Choices | Callable[[], Choices] | None = None, tracked: bool = False,
) -> Field:  # fmt: skip
    """A field over `column`'s `key`: text, number, boolean, date, choice (of texts) or tags (a list of texts).

    `column` is a path to a JSON column of objects ("company__attributes"). Raises ValueError for
    another type.
    """
    if type not in _SQL:
        raise ValueError(f"{name}: an attribute cannot be of type {type!r}.")
    steps = column.split("__")

    def value(obj: Any) -> Any:
        for step in steps:
            obj = None if obj is None else getattr(obj, step)
        return _PYTHON[type](obj.get(key) if isinstance(obj, dict) else None)

    sql = _SQL[type](_At(column, key), _At(column, key, as_text=True))
    exact = _containing(column, key, type) if type in _EXACT else None
    return Field(name, label, type, sql, value, choices, exact=exact, tracked=tracked)


def _containing(column: str, key: str, type: str) -> Callable[[Any], Any]:
    """`column @> {key: value}`: the same type and the same value. A GIN index serves it, and ANALYZE knows how many it finds."""

    def exact(value: Any) -> Any:
        if not isinstance(value, _EXACT[type]):
            return Value(False, BooleanField())
        return DataContains(F(column), Value({key: value}, JSONField()))

    return exact


def _function(name: str, output: Any, *arguments: Any) -> Func:
    return Func(*arguments, function=name, output_field=output)


def _if(json: Func, kind: str, then: Any, output: Any) -> Case:
    """`then` where the value has the JSON type `kind`. CASE, unlike AND, never tries a cast where its test fails."""
    return Case(When(Exact(_function("jsonb_typeof", TextField(), json), Value(kind)), then=then), output_field=output)


def _date_sql(json: Func, text: Func) -> Case:
    midnight = Concat(text, Value("T00:00:00Z"), output_field=TextField())
    full = Case(When(Regex(text, "^.{10}$"), then=midnight), default=text, output_field=TextField())
    valid = _function("pg_input_is_valid", BooleanField(), full, Value("timestamptz"))
    moment = Case(When(Q(Regex(text, f"^{_DATE}$")) & Q(valid), then=Cast(full, DateTimeField())), output_field=DateTimeField())
    return _if(json, "string", moment, DateTimeField())


def _tags_sql(json: Func, text: Func) -> Callable[[list[str] | None], Any]:
    def any_of(values: list[str] | None) -> Any:
        if values is None:
            some_text = Cast(Value('strict $[*] ? (@.type() == "string")'), _JsonPath())
            found = _function("jsonb_path_exists", BooleanField(), json, some_text)
        else:
            wanted = Cast(Value([str(value) for value in values]), ArrayField(TextField()))
            found = _function("jsonb_exists_any", BooleanField(), json, wanted)
        return _if(json, "array", found, BooleanField())

    return any_of


def _date_value(found: Any) -> datetime | None:
    if not isinstance(found, str) or not re.fullmatch(_DATE, found):
        return None
    try:
        return instant(date.fromisoformat(found) if len(found) == 10 else datetime.fromisoformat(found))
    except ValueError:  # 30 February
        return None


def _of(kind: str) -> Callable[[Any], Any]:
    return lambda found: found if _JSON_TYPES.get(type(found)) == kind else None


_SQL: dict[str, Callable[[Func, Func], Any]] = {
    "text": lambda json, text: _if(json, "string", text, TextField()),
    "choice": lambda json, text: _if(json, "string", text, CharField()),
    "number": lambda json, text: _if(json, "number", _Numeric(text), DecimalField()),
    "boolean": lambda json, text: _if(json, "boolean", Cast(text, BooleanField()), BooleanField()),
    "date": _date_sql,
    "tags": _tags_sql,
}
_EXACT: dict[str, tuple[type, ...]] = {"choice": (str,), "number": (int, float), "boolean": (bool,)}
_PYTHON: dict[str, Callable[[Any], Any]] = {
    "text": _of("string"),
    "choice": _of("string"),
    "number": _of("number"),
    "boolean": _of("boolean"),
    "date": _date_value,
    "tags": lambda found: [each for each in found if isinstance(each, str)] if isinstance(found, list) else None,
}
