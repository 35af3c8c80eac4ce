"""A condition that is asked again and again, of facts that can be kept: what it says, and why it says so.

Facts are what the fields were, by their names, and, for what counts other rows, the answer by the condition itself. Asked of
the same facts later, a condition gives the same answer, whatever became of the object.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeGuard

from django.db.models import QuerySet
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from helpdesk.lib.conditions.changes import before
from helpdesk.lib.conditions.fields import Field
from helpdesk.lib.conditions.grammar import Group, Leaf, Linked, Node, Not, parse, to_json
from helpdesk.lib.conditions.ops import delta, show_one
from helpdesk.lib.conditions.times import in_words, instant
from helpdesk.lib.conditions.tree import _holds, _q, _words

Facts = dict[str, Any]
Old = Mapping[str, Any]


@dataclass(frozen=True)
class Reason:
    """One condition in words, whether it holds, and what the field is; a group has parts under ``all``, ``any`` or ``not``."""

    words: str
    holds: bool
    was: str = ""
    join: str = ""
    parts: tuple["Reason", ...] = field(default=())


class Asked:
    """A tree read once. Raises ConditionError for one that cannot be read any more, because a field of it is gone."""

    def __init__(self, tree: Any, subject: str) -> None:
        self.node = parse(tree, subject, strict=False, change=True)
        leaves = list(_leaves(self.node))
        own = [leaf for leaf in leaves if _asks_itself(leaf)]
        self.fields: dict[str, Field] = {leaf.field.name: leaf.field for leaf in own}
        self.lengths = [(each.field.name, delta(each.value)) for each in own if each.op.takes == "duration"]
        self.linked: dict[str, Leaf | Linked] = {_key(leaf): leaf for leaf in leaves if not _asks_itself(leaf)}

    def holds(self, facts: Facts, now: datetime, old: Old) -> bool:
        return _holds_of(self.node, facts, now, old)

    def reason(self, facts: Facts, now: datetime, old: Old) -> Reason:
        """Why, condition by condition."""
        return _reason(self.node, facts, now, old)

    def turns(self, facts: Facts, now: datetime) -> datetime | None:
        """The next moment at which time alone can change the answer: a date becomes so long ago, or is no longer so far ahead.

        Conditions about other rows are not looked into.
        """
        moments = [moment for name, length in self.lengths for moment in _turns(facts.get(name), length) if moment > now]
        return min(moments, default=None)


def linked(asked: Iterable[Asked], rows: QuerySet[Any], now: datetime) -> dict[str, set[int]]:
    """For which of some rows each condition about other rows holds: one query for each such condition, however many rows."""
    found = {key: each for one in asked for key, each in one.linked.items()}
    return {key: set(rows.filter(_q(each, now, True, False)).values_list("pk", flat=True)) for key, each in found.items()}


def facts(asked: Iterable[Asked], obj: Any, now: datetime, among: Mapping[str, Collection[int]] | None = None) -> Facts:
    """What these conditions want to know of an object, each thing read once; ``among`` is what `linked` found already."""
    known: Facts = {}
    for each in asked:
        for name, found in each.fields.items():
            if name not in known:
                known[name] = found.read(obj)
        for key, others in each.linked.items():
            if key not in known:
                known[key] = obj.pk in among[key] if among and key in among else _holds(others, obj, now, {})
    return known


def frozen(known: Facts) -> Facts:
    """Facts as JSON keeps them."""
    return {name: _plain(value) for name, value in known.items()}


def thawed(kept: Facts, asked: Asked) -> Facts:
    """Kept facts as the fields of this condition read them."""
    return {name: before(value, asked.fields[name].type) if name in asked.fields else value for name, value in kept.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    return list(value) if isinstance(value, set | frozenset | tuple) else value


def _turns(value: Any, length: timedelta) -> list[datetime]:
    at = instant(value)
    return [] if at is None else [turn + timedelta(microseconds=1) for turn in (at - length, at, at + length)]


def _leaves(node: Node) -> Iterator[Leaf | Linked]:
    if isinstance(node, Not):
        yield from _leaves(node.part)
    elif isinstance(node, Group):
        for part in node.parts:
            yield from _leaves(part)
    else:
        yield node


def _asks_itself(leaf: Leaf | Linked) -> TypeGuard[Leaf]:
    """Of a plain value of the object. Of other rows, and of words, which the database looks up, the answer itself is kept."""
    return isinstance(leaf, Leaf) and leaf.field.type != "words"


def _key(leaf: Leaf | Linked) -> str:
    return json.dumps(to_json(leaf), sort_keys=True)


def _holds_of(node: Node, known: Facts, now: datetime, old: Old) -> bool:
    if isinstance(node, Not):
        return not _holds_of(node.part, known, now, old)
    if isinstance(node, Group):
        if node.word == "all":
            return all(_holds_of(part, known, now, old) for part in node.parts)
        return any(_holds_of(part, known, now, old) for part in node.parts)
    if not _asks_itself(node):
        return bool(known.get(_key(node)))
    return _fits(node, known, now, old)


def _fits(node: Leaf, known: Facts, now: datetime, old: Old) -> bool:
    name, value = node.field.name, known.get(node.field.name)
    if node.op.change:
        value = (before(old[name], node.field.type) if name in old else value, value)
    return node.op.holds(value, node.value, now) != node.op.negated


def _reason(node: Node, known: Facts, now: datetime, old: Old) -> Reason:
    holds, said = _holds_of(node, known, now, old), _words(node, top=True)
    if isinstance(node, Not):
        return Reason(said, holds, join="not", parts=(_reason(node.part, known, now, old),))
    if isinstance(node, Group):
        return Reason(said, holds, join=node.word, parts=tuple(_reason(part, known, now, old) for part in node.parts))
    return Reason(said, holds, _was(node, known, old) if _asks_itself(node) else "")


def _was(node: Leaf, known: Facts, old: Old) -> str:
    name, value = node.field.name, shown(known.get(node.field.name), node.field)
    if node.op.change and name in old:
        return f"{shown(before(old[name], node.field.type), node.field)} → {value}"
    return value


def shown(value: Any, of: Field) -> str:
    """A value as a person reads it; nothing is "nothing"."""
    if value is None or value == "" or value == []:
        return _("nothing")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, datetime):
        return in_words(value)
    if isinstance(value, date):
        return date_format(value, "DATE_FORMAT")
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(show_one(each, of) for each in value)
    return show_one(value, of)
