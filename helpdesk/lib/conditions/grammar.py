"""The grammar: from JSON to nodes that name only registered fields and operators, and back.

Everything is bounded (depth, leaves, values) before anything is built from it, and a mistake is
told with its place in the tree and in plain words.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from helpdesk.lib.conditions import ops, types
from helpdesk.lib.conditions.fields import Field, find
from helpdesk.lib.conditions.ops import Op, Wrong, duration, text

MAX_DEPTH = 8  # groups within groups, a relation's "where" included
MAX_LEAVES = 200
MAX_COUNT = 1_000_000
ANYBODY = object()  # as a reader: whoever it will be


class ConditionError(ValueError):
    """A tree that cannot be used: `path` ("all[1].value") says where, `message` what to do, in plain words."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
        self.message = message.encode("utf-8", "replace").decode()  # it may quote what cannot be shown


@dataclass(frozen=True)
class Group:
    """All of the parts ("all"), or any of them ("any"). All of nothing is true."""

    word: str
    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Not:
    part: "Node"


@dataclass(frozen=True)
class Leaf:
    field: Field
    op: Op
    value: Any


@dataclass(frozen=True)
class Linked:
    """At least so many other rows (of events: of one kind, within a time) for which `where` holds."""

    field: Field
    op: Op
    where: "Node | None"
    at_least: int = 1
    kind: str = ""
    within: Mapping[str, int] | None = None


Node = Group | Not | Leaf | Linked


@dataclass
class _Parser:
    strict: bool
    change: bool
    reader: Any
    leaves: int = 0
    keys: dict[str, frozenset[str]] = field(
        default_factory=lambda: {
            "relation": frozenset({"field", "op", "where", "at_least"}),
            "events": frozenset({"field", "op", "value", "where", "at_least", "within"}),
        }
    )

    def node(self, data: Any, subject: str, path: str, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise ConditionError(path, _("Conditions may be nested at most %d deep.") % MAX_DEPTH)
        if not isinstance(data, Mapping):
            raise ConditionError(path, _("Expected a condition."))
        words = [word for word in ("all", "any", "not", "field") if word in data]
        if len(words) != 1:
            raise ConditionError(path, _("Expected one of “all”, “any”, “not” or “field”."))
        (word,) = words
        if word == "field":
            return self.leaf(data, subject, path, depth)
        self.only(data, frozenset({word}), path)
        if word == "not":
            return Not(self.node(data["not"], subject, _below(path, "not"), depth + 1))
        parts = data[word]
        if not isinstance(parts, (list, tuple)):
            raise ConditionError(_below(path, word), _("Expected a list of conditions."))
        if not parts and word == "any":
            raise ConditionError(_below(path, word), _("Add at least one condition."))
        if len(parts) > MAX_LEAVES:
            raise ConditionError(_below(path, word), _("Use at most %d conditions.") % MAX_LEAVES)
        nodes = (self.node(part, subject, _below(path, f"{word}[{at}]"), depth + 1) for at, part in enumerate(parts))
        return Group(word, tuple(nodes))

    def leaf(self, data: Mapping[str, Any], subject: str, path: str, depth: int) -> Node:
        self.leaves += 1
        if self.leaves > MAX_LEAVES:
            raise ConditionError(path, _("Use at most %d conditions.") % MAX_LEAVES)
        name, code = data["field"], data.get("op")
        named = isinstance(name, str) and len(name) <= 200 and name.isprintable()  # no NUL, no surrogate
        found = find(subject, name) if named else None
        if found is None or (found.retired and self.strict):
            raise ConditionError(_below(path, "field"), _("There is no field “%s” here.") % str(name)[:80])
        op = found.ops.get(code) if isinstance(code, str) else None
        if op and op.change and not self.change:
            message = _("“%(field)s … %(op)s” asks about a change, and there is none here: only rules for what changes meet one.")
            raise ConditionError(_below(path, "op"), message % {"op": op.label, "field": found.label})
        if op is None:
            message = _("“%(op)s” cannot be asked of “%(field)s”.")
            raise ConditionError(_below(path, "op"), message % {"op": str(code)[:80], "field": found.label})
        if found.type in types.LINKED:
            return self.linked(found, op, data, path, depth)
        self.only(data, frozenset({"field", "op"} if op.takes == "none" else {"field", "op", "value"}), path)
        if found.personal and op.takes in ("one", "many"):
            return self.personal(found, op, data.get("value"), _below(path, "value"))
        return Leaf(found, op, self.value(op.read, data.get("value"), found, _below(path, "value")))

    def personal(self, found: Field, op: Op, raw: Any, path: str) -> Leaf:
        """A choice that may be the reader's own ("me"): kept as it is for anybody, else what it is for this reader."""
        own = found.personal or {}
        values = list(raw) if op.takes == "many" and isinstance(raw, (list, tuple)) else [raw]
        named = [value for value in dict.fromkeys(each for each in values if isinstance(each, str)) if value in own]
        if not named:
            return Leaf(found, op, self.value(op.read, raw, found, path))
        if self.reader is None or op.change:
            raise ConditionError(path, _("“%s” is whoever reads, and nobody does here. Choose a value.") % own[named[0]][0])
        others = [each for each in values if each not in named]
        several = [self.value(ops.choice, each, found, path) for each in others[: ops.MAX_VALUES]]
        if self.reader is ANYBODY:
            return Leaf(found, op, named[0] if op.takes == "one" else [*named, *dict.fromkeys(several)])
        meant = [value for name in named for value in own[name][1](self.reader)] + several
        return Leaf(found, found.ops["none_of" if op.negated else "any_of"], meant or [0])

    def linked(self, found: Field, op: Op, data: Mapping[str, Any], path: str, depth: int) -> Linked:
        self.only(data, self.keys[found.type], path)
        at_least = data.get("at_least", 1)
        if isinstance(at_least, bool) or not isinstance(at_least, int) or not 1 <= at_least <= MAX_COUNT:
            raise ConditionError(_below(path, "at_least"), _("Enter a whole number from 1 on."))
        kind, within = "", None
        if found.type == "events":
            kind = self.value(text, data.get("value"), found, _below(path, "value"))
            if data.get("within") is not None:
                within = self.value(duration, data["within"], found, _below(path, "within"))
        where = None
        if data.get("where") is not None:
            change, self.change = self.change, False  # the change is of our object, not of the other rows
            where = self.node(data["where"], found.subject, _below(path, "where"), depth + 1)
            self.change = change
        return Linked(found, op, where, at_least, kind, within)

    def value(self, read: Any, raw: Any, found: Field, path: str) -> Any:
        try:
            return read(raw, found, self.strict)
        except Wrong as wrong:
            raise ConditionError(path, str(wrong)) from None

    def only(self, data: Mapping[str, Any], known: frozenset[str], path: str) -> None:
        for key in data:
            if key not in known:
                raise ConditionError(path, _("“%s” does not belong here.") % str(key)[:80])


def parse(data: Any, subject: str, *, strict: bool, change: bool = False, reader: Any = None) -> Node:
    """The nodes of `data`, or ConditionError.

    `strict` also asks whether each field and choice can still be chosen; `change` lets it ask what a change did.
    Choices such as "me" are refused without a `reader`, become what they are for one, and stay what they are for ANYBODY.
    """
    if data is None or data == {}:
        return Group("all", ())
    return _Parser(strict, change, reader).node(data, subject, "", 1)


def to_json(node: Node) -> dict[str, Any]:
    """The one JSON form of a tree: what `clean` stores."""
    if isinstance(node, Group):
        return {node.word: [to_json(part) for part in node.parts]}
    if isinstance(node, Not):
        return {"not": to_json(node.part)}
    if isinstance(node, Leaf):
        value = {} if node.op.takes == "none" else {"value": node.value}
        return {"field": node.field.name, "op": node.op.code, **value}
    return {
        "field": node.field.name,
        "op": node.op.code,
        **({"value": node.kind} if node.kind else {}),
        **({"within": dict(node.within)} if node.within else {}),
        **({"at_least": node.at_least} if node.at_least > 1 else {}),
        **({"where": to_json(node.where)} if node.where else {}),
    }


def _below(path: str, step: str) -> str:
    return f"{path}.{step}" if path else step
