"""A condition tree as an editor's draft: groups and lines, all in the text of their inputs, and back without loss.

A form posts one input for each part of a line, named by its place: `c0-field`, `c0-op`, `c0-value`; the second line of a
group that is the first thing is `c0-1-field`; a group has a `join` (all, any, none), the root's is `c-join`; what must hold
of other rows is the group `c0-w`. So any browser can post it, with or without script.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from helpdesk.lib.conditions.fields import EditorField, EditorOp, fields
from helpdesk.lib.conditions.grammar import ANYBODY, MAX_DEPTH, MAX_LEAVES, Leaf, Node, Not, parse, to_json
from helpdesk.lib.conditions.grammar import Group as Grouped
from helpdesk.lib.conditions.grammar import Linked as Other
from helpdesk.lib.conditions.inputs import Inputs
from helpdesk.lib.conditions.ops import either

JOINS = ("all", "any", "none")
WHERE = "w"
_NAME = re.compile(r"c((?:\d{1,3}|w)(?:-(?:\d{1,3}|w)){0,20})?-(join|field|op|value|to|unit|count|within|span)")


@dataclass
class Line:
    """One question: a field, an operator and what it takes."""

    at: str  # its place: "0-1"
    inputs: Inputs = field(default_factory=Inputs)
    subject: str = ""
    own: bool = True  # about our object, not about other rows
    found: EditorField | None = None
    where: "Group | None" = None
    error: str = ""

    @property
    def id(self) -> str:
        return f"c{self.at}"

    @property
    def name(self) -> str:
        return self.inputs.field

    @property
    def chosen(self) -> EditorOp | None:
        """The operator, or the field's first while none fits."""
        ops = self.found.ops if self.found else ()
        return next((op for op in ops if op.code == self.inputs.op), ops[0] if ops else None)

    @property
    def takes(self) -> str:
        return self.chosen.takes if self.chosen else ""

    @property
    def spoken(self) -> str:
        return _spoken(self.at)

    @property
    def input(self) -> str:
        """The kind of input that its operator takes; "" for none."""
        takes, inputs = self.takes, self.inputs
        if takes in ("count", "pair", "duration", "none", ""):
            return "" if takes == "none" else takes
        if self.found and self.found.type == "boolean":
            return "yesno"
        if self.found and self.found.choices:
            return "choices" if takes == "many" else "choice"
        if takes in ("date", "day"):  # what a browser's own input could not show stays text
            return {0: "date", 10: "date", 16: "datetime-local"}.get(len(inputs.value), "text")
        return "list" if takes == "many" else self.found.type if self.found else "text"

    @property
    def gone(self) -> list[str]:
        """Chosen values that are no choice any more."""
        known = {str(value) for value, _label in self.found.choices} if self.found else set()
        return [value for value in self.inputs.values if value not in known]

    @property
    def ticked(self) -> str:
        """The ticked choices as words."""
        labels = {str(value): str(label) for value, label in self.found.choices} if self.found else {}
        return either([labels.get(value, value) for value in self.inputs.values])

    @property
    def is_begun(self) -> bool:
        """A field was chosen and nothing said about it yet: no mistake, it comes next."""
        return not self.inputs.said

    @property
    def is_empty(self) -> bool:
        return False

    def to_json(self) -> dict[str, Any]:
        self.inputs.op = self.chosen.code if self.chosen else self.inputs.op
        leaf = self.inputs.leaf(self.found, self.takes)
        return leaf | ({"where": self.where.to_json()} if self.where and not self.where.is_empty else {})


@dataclass
class Group:
    """All, any or none of its parts. `subject` is what it asks about; `offered` are the fields to ask for."""

    at: str
    join: str = "all"
    parts: list["Line | Group"] = field(default_factory=list)
    subject: str = ""
    offered: list[EditorField] = field(default_factory=list)
    error: str = ""
    first: str = ""  # the id of what to go on with after a button

    @property
    def id(self) -> str:
        return f"c{self.at}"

    @property
    def next(self) -> str:
        """The id of the next line, which is still empty."""
        return f"c{_below(self.at, len(self.parts))}"

    @property
    def spoken(self) -> str:
        return _spoken(self.at)

    @property
    def is_where(self) -> bool:
        """It is about other rows."""
        return self.at.endswith(WHERE)

    @property
    def starts(self) -> bool:
        """Its next line is what to go on with."""
        return self.first == f"{self.id}-next"

    @property
    def depth(self) -> int:
        return len(self.at.split("-")) if self.at else 0

    @property
    def may_nest(self) -> bool:
        return self.depth < MAX_DEPTH - 3

    def lines(self) -> Iterator[Line]:
        """Every line in here, those of other rows included, in order."""
        for part in self.parts:
            if isinstance(part, Group):
                yield from part.lines()
                continue
            yield part
            if part.where:
                yield from part.where.lines()

    def last(self) -> list[Line]:
        """The line that ends it, if one does."""
        end = self.parts[-1] if self.parts else None
        return end.last() if isinstance(end, Group) else [end] if end else []

    def to_json(self) -> dict[str, Any]:
        parts = [part.to_json() for part in self.parts if not part.is_empty]
        if self.join == "none":
            return {"not": {"any": parts}} if parts else {"all": []}
        return {self.join if parts else "all": parts}

    @property
    def is_empty(self) -> bool:
        """A group that nobody filled in asks nothing: it does not make "any of these" true."""
        return all(part.is_empty for part in self.parts)

    def place(self, at: str) -> "tuple[Group, int] | None":
        """The group that holds what is at this place, and where in it."""
        for n, part in enumerate(self.parts):
            if part.at == at:
                return self, n
            below = part if isinstance(part, Group) else part.where
            if below and (found := below.place(at)):
                return found
        return None

    def group(self, at: str) -> "Group | None":
        """The group at this place, its own included."""
        if self.at == at:
            return self
        below = (part if isinstance(part, Group) else part.where for part in self.parts)
        return next((found for each in below if each and (found := each.group(at))), None)

    def numbered(self) -> "Group":
        """Places anew, after something came or went."""
        for n, part in enumerate(self.parts):
            part.at = _below(self.at, n)
            below = part if isinstance(part, Group) else part.where
            if below:
                below.at = part.at if below is part else _below(part.at, WHERE)
                below.numbered()
        return self


class Editor:
    """Makes drafts of one subject; each subject's fields are asked for once."""

    def __init__(self, subject: str, *, change: bool = False, personal: bool = False, without: Collection[str] = ()) -> None:
        self.subject, self.change, self.personal, self.without = subject, change, personal, without
        self._known: dict[tuple[str, bool], list[EditorField]] = {}

    def known(self, subject: str, own: bool) -> list[EditorField]:
        """The fields of a subject; those of other rows know no change."""
        key = (subject, own)
        if key not in self._known:
            more: dict[str, bool] = {"change": self.change, "personal": self.personal} if own else {}
            self._known[key] = [each for each in fields(subject, **more) if not own or each.name not in self.without]
        return self._known[key]

    def empty(self, at: str, subject: str, own: bool, join: str = "all") -> Group:
        return Group(at, join if join in JOINS else "all", [], subject, self.known(subject, own))

    def posted(self, data: Any) -> Group:
        """The draft in a submitted form; lines without a field are left out, and what belongs nowhere is dropped."""
        tree: dict[str, dict[str, list[str]]] = {}
        for name in data:
            if found := _NAME.fullmatch(name):
                values = data.getlist(name) if hasattr(data, "getlist") else [data[name]]
                tree.setdefault(found[1] or "", {})[found[2]] = values
        below: dict[str, list[str]] = {}
        for at in tree:
            below.setdefault(at.rpartition("-")[0], []).append(at) if at else None
        return self._posted("", tree, below, self.subject, own=True, left=[MAX_LEAVES]).numbered()

    def _posted(self, at: str, tree: Any, below: Any, subject: str, own: bool, left: list[int]) -> Group:
        group = self.empty(at, subject, own, "".join(tree.get(at, {}).get("join", ["all"])[:1]))
        known = {each.name: each for each in group.offered}
        for place in sorted((each for each in below.get(at, ()) if not each.endswith(WHERE)), key=_last):
            told, left[0] = tree[place], left[0] - 1
            if left[0] < 0:
                break
            if "join" in told:
                group.parts.append(self._posted(place, tree, below, subject, own, left))
            elif told.get("field", [""])[0]:
                line = Line(place, Inputs.posted(told), subject, own)
                line.found = known.get(line.name)
                self._open_where(line)
                if line.where and _below(place, WHERE) in tree:
                    line.where = self._posted(line.where.at, tree, below, line.where.subject, False, left)
                group.parts.append(line)
        return group

    def drawn(self, tree: Any) -> Group:
        """A stored tree as a draft. Raises ConditionError where it cannot be read, ValueError where inputs cannot say it."""
        node = _read(tree, self.subject)
        root = self._group("", node, self.subject, own=True).numbered()
        if _texts(to_json(_read(root.to_json(), self.subject))) != _texts(to_json(node)):
            raise ValueError("inputs cannot say it")
        return root

    def _group(self, at: str, node: Any, subject: str, own: bool) -> Group:
        group = self.empty(at, subject, own)
        inner: Any = node.part if isinstance(node, Not) else node
        group.join, parts = ("none" if isinstance(node, Not) else inner.word), inner.parts
        known = {each.name: each for each in group.offered}
        for part in parts:
            if isinstance(part, (Grouped, Not)):
                group.parts.append(self._group("", part, subject, own))
                continue
            line = Line("", Inputs.of(part), subject, own, known.get(part.field.name))
            self._open_where(line)
            if isinstance(part, Other) and part.where:
                line.where = self._group("", part.where, part.field.subject, own=False)
            group.parts.append(line)
        return group

    def _open_where(self, line: Line) -> None:
        """Other rows may be asked about too."""
        if line.found and line.found.subject and line.takes == "count" and self.known(line.found.subject, False):
            line.where = self.empty(_below(line.at, WHERE), line.found.subject, own=False)


def _below(at: str, step: int | str) -> str:
    return f"{at}-{step}" if at else str(step)


def _spoken(at: str) -> str:
    """A place as one says it: 2.1."""
    return ".".join(str(int(step) + 1) for step in at.split("-") if step.isdigit())


def _last(at: str) -> int:
    return int(at.rpartition("-")[2])


def _read(tree: Any, subject: str) -> Node:
    return _grouped(parse(tree, subject, strict=False, change=True, reader=ANYBODY))


def _grouped(node: Node) -> Node:
    """The same condition with nothing but groups above its lines: `not` stands before an `any` alone, and is "none"."""
    if isinstance(node, Not):
        inner = node.part
        parts = inner.parts if isinstance(inner, Grouped) and inner.word == "any" else (inner,)
        return Not(Grouped("any", tuple(map(_part, parts))))
    return Grouped(node.word, tuple(map(_part, node.parts))) if isinstance(node, Grouped) else Grouped("all", (_part(node),))


def _part(node: Node) -> Node:
    if isinstance(node, Other):
        return replace(node, where=_grouped(node.where)) if node.where else node
    return node if isinstance(node, Leaf) else _grouped(node)


def _texts(data: Any) -> Any:
    """Values as inputs hold them: what was chosen and is gone has no type any more."""
    if isinstance(data, dict):
        return {key: _texts(value) for key, value in data.items()}
    return [_texts(each) for each in data] if isinstance(data, (list, tuple)) else str(data)
