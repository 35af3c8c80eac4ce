"""The registry: which fields a subject has, what each holds, and how SQL and Python read it."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import reduce
from typing import Any

from django.db.models import F
from django.utils.functional import Promise

from helpdesk.lib.conditions import types
from helpdesk.lib.conditions.ops import Op

Text = str | Promise
Choices = Sequence[tuple[Any, Text]]

_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")  # never a "__"
_registry: dict[str, dict[str, "Field"]] = {}
_dynamic: dict[str, list["Dynamic"]] = {}
_asked: ContextVar[dict[Any, Any] | None] = ContextVar("asked", default=None)


@dataclass(frozen=True)
class Field:
    """One thing that can be asked about a subject.

    `type`: text, number, boolean, date, choice, tags, words, relation or events.
    `q`, the SQL half: a path on the queryset's model ("company__name", to one row only) or an
    expression; for tags an array's path or a function from a list of values (None: any at all)
    to a Q; for words a function from the words to a Q; for relation and events a function giving the queryset of the other rows.
    `value`, the Python half: from an object to the same value; by default `q`'s path is followed.
    For words it gives a function from the words to yes or no; for relation the other objects; for events it takes
    (object, kind, since, until).
    `choices`: (value, label) pairs, or a function giving them; values are strings or whole numbers.
    `subject`, `link`: for relation and events, what the other rows are, and their foreign key to ours.
    `plural`: for relation, the label of several.
    `kind`, `at`: for events, the names of the columns that hold an event's kind and its time.
    `spelled`: of tags, from a word that somebody asks for to the one that is kept.
    `tracked`: what changes it says what it was before, so a rule may ask what a change did to it (`changed`, `was`).
    `ahead`: for date, it mostly lies in the future, so that "<2h" in the search box means "from now".
    `group`: the heading under which an editor lists it.
    `ref`: the name of what people defined it as ("field:12"); `retired`: it can be read, and no longer be asked anew.
    `refers`: of a choice whose values are ids, what they are ids of ("team"); `former` gives labels that no list offers.
    `personal`: for choice, names of values that depend on who reads: {"me": (label, function from the reader to values)}.
    `exact`: for number, boolean and choice, SQL for "is this value" where there is a quicker way than comparing `q`.
    """

    name: str
    label: Text
    type: str
    q: Any
    value: Callable[..., Any] | None = None
    choices: Choices | Callable[[], Choices] | None = None
    subject: str = ""
    link: str = ""
    plural: Text = ""
    kind: str = "kind"
    at: str = "occurred_at"
    exact: Callable[[Any], Any] | None = None
    spelled: Callable[[str], str] | None = None
    tracked: bool = False
    ahead: bool = False
    group: Text = ""
    personal: Mapping[str, tuple[Text, Callable[[Any], Sequence[Any]]]] | None = None
    ref: str = ""
    retired: bool = False
    refers: str = ""
    former: Callable[[], Choices] | None = None

    def __post_init__(self) -> None:
        if self.type not in types.TYPES:
            raise ValueError(f"{self.name}: no such type as {self.type!r}.")
        if self.type in types.LINKED and not (self.subject and self.link and callable(self.q) and self.value):
            raise ValueError(f"{self.name}: a field of type {self.type} needs subject, link, a queryset and value.")
        if self.tracked and self.type in types.LINKED:
            raise ValueError(f"{self.name}: other rows have no value that could change.")
        if self.value is None and not isinstance(self.q, str):
            raise ValueError(f"{self.name}: say how Python reads it (value=).")

    @property
    def expression(self) -> Any:
        """What SQL compares: the path or expression."""
        return F(self.q) if isinstance(self.q, str) else self.q

    def read(self, obj: Any) -> Any:
        """What Python compares: the value on `obj`, None when it or a step towards it is missing."""
        if self.value is not None:
            return self.value(obj)
        return reduce(lambda at, step: None if at is None else getattr(at, step), str(self.q).split("__"), obj)

    @property
    def ops(self) -> dict[str, Op]:
        """Its operators by their codes; those about a change only where changes are followed."""
        return {code: op for code, op in types.TYPES[self.type].items() if self.tracked or not op.change}

    def options(self) -> Choices:
        """The choices as they are now; empty when any value may be asked for. Within `once()` they are asked for once."""
        return _called_once(self.choices) if callable(self.choices) else tuple(self.choices or ())

    def label_of(self, value: Any) -> str:
        """A value by its label, else as it is."""
        own = (self.personal or {}).get(value) if isinstance(value, str) else None
        if own:
            return str(own[0])
        found = next((str(label) for known, label in self.options() if known == value), "")
        if not found and self.former:
            found = next((str(label) for known, label in _called_once(self.former) if known == value), "")
        return found or str(value)


@dataclass(frozen=True)
class Dynamic:
    """Fields that people define, under a prefix: `find` gives the field of a key, or None; `all` lists them."""

    prefix: str
    find: Callable[[str], Field | None]
    all: Callable[[], Iterable[Field]]


@dataclass(frozen=True)
class EditorOp:
    """An operator as an editor offers it; `takes` names the input: none, one, many, pair, duration, count."""

    code: str
    label: Text
    takes: str


@dataclass(frozen=True)
class EditorField:
    """A field as an editor offers it."""

    name: str
    label: Text
    type: str
    ops: tuple[EditorOp, ...]
    choices: Choices
    subject: str
    group: Text = ""


def register(subject: str, *found: Field | Dynamic) -> None:
    """Add fields to a subject. Raises ValueError for a name that is taken or could be an ORM path."""
    own = _registry.setdefault(subject, {})
    for each in found:
        if isinstance(each, Dynamic):
            _dynamic.setdefault(subject, []).append(each)
            continue
        if not _NAME.fullmatch(each.name):
            raise ValueError(f"{each.name!r} is not a name for a field.")
        if each.name in own:
            raise ValueError(f"{subject}.{each.name} is registered twice.")
        own[each.name] = each


def _called_once(choices: Callable[[], Choices]) -> Choices:
    known = _asked.get()
    if known is None:
        return tuple(choices())
    if choices not in known:
        known[choices] = tuple(choices())
    return known[choices]


def find(subject: str, name: str) -> Field | None:
    """The field called `name`, or None; people's words never get further than this look-up."""
    if field := _registry.get(subject, {}).get(name):
        return field
    for dynamic in _dynamic.get(subject, ()):
        if name.startswith(dynamic.prefix):
            known = _asked.get()
            if known is None:
                return dynamic.find(name.removeprefix(dynamic.prefix))
            if (subject, name) not in known:
                known[subject, name] = dynamic.find(name.removeprefix(dynamic.prefix))
            return known[subject, name]
    return None


def custom(subject: str, key: str) -> Field | None:
    """A field that people defined, by its key without the prefix: the search box need not know where it is kept."""
    everything = (find(subject, each.prefix + key) for each in _dynamic.get(subject, ()))
    return next((found for found in everything if found and not found.retired), None)


def known_names(subject: str, type: str = "") -> list[str]:
    """The names of a subject's fields, of one type or of all."""
    everything = [*_registry.get(subject, {}).values()]
    everything += [field for dynamic in _dynamic.get(subject, ()) for field in dynamic.all()]
    return [field.name for field in everything if type in ("", field.type)]


def own_names(subject: str) -> list[str]:
    """The names of a subject's fields that no person defined."""
    return list(_registry.get(subject, {}))


def refers() -> set[str]:
    """Of what things the registered fields have the ids."""
    return {field.refers for own in _registry.values() for field in own.values() if field.refers}


@contextmanager
def once() -> Iterator[None]:
    """Within, choices and the fields that people define are looked up once: for a page that reads many trees."""
    if _asked.get() is not None:
        yield
        return
    token = _asked.set({})
    try:
        yield
    finally:
        _asked.reset(token)


def fields(subject: str, *, change: bool = False, personal: bool = False) -> list[EditorField]:
    """Every field of `subject` in order of registration, with the operators and choices to offer.

    `change` also offers what can be asked of a change, `personal` what depends on who reads ("me").
    """
    everything = [*_registry.get(subject, {}).values()]
    everything += [field for dynamic in _dynamic.get(subject, ()) for field in dynamic.all()]
    return [
        EditorField(
            field.name,
            field.label,
            field.type,
            tuple(EditorOp(op.code, op.label, op.takes) for op in field.ops.values() if change or not op.change),
            (*_own(field, personal), *field.options()),
            field.subject,
            field.group,
        )
        for field in everything
    ]


def _own(field: Field, personal: bool) -> Choices:
    return tuple((name, label) for name, (label, _of) in (field.personal or {}).items()) if personal else ()
