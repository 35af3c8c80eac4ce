"""Tags, and other fields that hold several words at once. Compared exactly; an empty set is missing."""

from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from helpdesk.lib.conditions.ops import Op, choice, many, show_many, show_one
from helpdesk.lib.conditions.scalars import set_ops


def _any(field: Any, values: list[str] | None) -> Any:
    """The field's own question "holds any of these" (None: anything at all)."""
    if callable(field.q):
        return field.q(values)
    return Q(**{f"{field.q}__len__gt": 0}) if values is None else Q(**{f"{field.q}__overlap": values})


def _all(field: Any, values: list[str], now: datetime) -> Q:
    found = Q()
    for value in values:
        found &= Q(_any(field, [value]))
    return found


def _held(value: Any) -> set[Any]:
    return set(value) if value else set()


_several: dict[str, Any] = {
    "takes": "many",
    "read": many(choice),
    "sql": lambda field, value, now: _any(field, value),
    "holds": lambda value, wanted, now: not _held(value).isdisjoint(wanted),
    "show": show_many,
}

TAGS = [
    Op("any_of", _("has any of"), _("%(field)s has %(value)s"), **_several),
    Op("all_of", _("has all of"), _("%(field)s has %(value)s"), "many", many(choice), _all,
       lambda value, wanted, now: _held(value).issuperset(wanted),
       lambda value, field: _now(" and ").join(show_one(each, field) for each in value)),
    Op("none_of", _("has none of"), _("%(field)s does not have %(value)s"), **_several, negated=True),
    *set_ops(lambda field, value, now: _any(field, None), lambda value, wanted, now: bool(_held(value))),
]  # fmt: skip
