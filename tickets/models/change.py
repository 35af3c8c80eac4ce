"""One change of a ticket: what belongs to it, what it changed, and what its events say of that."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from django.db import models
from django.utils.crypto import get_random_string
from django.utils.functional import Promise

from helpdesk.lib.dates import now
from helpdesk.lib.languages import name_of

# What an event says of a change, by the names of the condition language: {"team": [3, 5]}, as plain values.
TRACKED = {
    "status": "status",
    "priority": "priority",
    "team": "team_id",
    "assignee": "assignee_id",
    "topic": "topic_id",
    "tags": "tags",
    "subject": "subject",
    "language": "language",
}
_NAMES = {column: name for name, column in TRACKED.items()}

_imported: ContextVar[bool] = ContextVar("imported", default=False)


@contextmanager
def imported() -> Iterator[None]:
    """What is brought in from elsewhere happened there: it is told as ever, and meets no rule here."""
    token = _imported.set(True)
    try:
        yield
    finally:
        _imported.reset(token)


def imported_at() -> datetime | None:
    """When what is made now is brought in from elsewhere; None for what begins here."""
    return now() if _imported.get() else None


def one_change_of(changes: dict[str, list[Any]]) -> dict[str, Any]:
    """What the events of a ticket say of its change where sets of tickets are changed at once, past their verbs."""
    return {"change": get_random_string(24), "changes": changes}


@dataclass(frozen=True)
class Machine:
    """What changes a ticket and is no person, rule or tool: ``ref`` stands in events (see Ticket.decided), ``name`` is read."""

    ref: str
    name: str | Promise

    @property
    def origin(self) -> dict[str, Any]:
        return {"by": str(self.name)}


P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T", bound="Changing")


def verb(method: Callable[Concatenate[T, P], R]) -> Callable[Concatenate[T, P], R]:
    """What a method does to its ticket is one change, or part of the one that its caller makes."""

    @wraps(method)
    def changing(ticket: T, *args: P.args, **kwargs: P.kwargs) -> R:
        with ticket.one_change():
            return method(ticket, *args, **kwargs)

    return changing


class Changing(models.Model):
    """Something that is changed by its own verbs."""

    class Meta:
        abstract = True

    _change_id = ""
    _changes: dict[str, list[Any]]  # of this change so far

    @contextmanager
    def one_change(self) -> Iterator[None]:
        """What is done inside is one change, whatever it consists of: its events share a name, and rules meet it once.

        Each verb is one by itself; who calls several in one transaction says so around them.
        """
        if self._change_id:
            yield
            return
        self._change_id, self._changes = get_random_string(24), {}
        try:
            yield
        finally:
            self._change_id, self._changes = "", {}

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            column = self._meta.get_field(name).attname  # type: ignore[union-attr]
            was = getattr(self, column)
            setattr(self, name, value)
            if (field := _NAMES.get(column)) and was != getattr(self, column):
                self._changed(field, was, getattr(self, column))
        self.save(update_fields=list(values))

    def _changed(self, field: str, was: Any, value: Any) -> None:
        """Note a new value by the name that conditions know, beside the one from before the change."""
        if self._change_id:
            self._changes[field] = [self._changes.get(field, [was])[0], value]

    def _in_words(self, field: str, value: Any) -> str:
        """A value of a plain property, as events tell it."""
        if field == "language":
            return name_of(value)
        labels = dict(getattr(self._meta.get_field(field), "flatchoices", ()))
        return ", ".join(value) if isinstance(value, list) else str(labels.get(value, value) or "")

    def told_of_change(self) -> dict[str, Any]:
        """What an event says of the change that it belongs to, and of all that it changed so far."""
        told: dict[str, Any] = {"change": self._change_id, "changes": dict(self._changes)} if self._change_id else {}
        return told | ({"imported": True} if _imported.get() else {})
