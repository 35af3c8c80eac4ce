"""Custom fields of tickets, customers and companies: what each holds, whether a value fits, and how it is said.

Values live in one JSON column of their row (`attributes`), by key: text, number, true or false, a date in ISO 8601, a choice's
text, a list of choices, or for a lookup the name of what it points to ("customer:12", see settings.LOOKUPS).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from datetime import date
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.formats import date_format
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from helpdesk.customers.models import FieldDefinition
from helpdesk.lib.conditions import Field, attribute
from helpdesk.lib.text import one_line

Type = FieldDefinition.Type
Known = dict[str, FieldDefinition]
HOLDS = {
    Type.TEXT: "a text",
    Type.NUMBER: "a number",
    Type.DATE: "a date such as 2026-11-23",
    Type.BOOLEAN: "true or false",
    Type.CHOICE: "one of its choices, a text",
    Type.MULTI: "a list of its choices",
    Type.LOOKUP: "the name of what it points to, such as customer:12",
}
MAX_TEXT = 2000  # characters of a text
ASKED_AS = {Type.MULTI: "tags", Type.LOOKUP: "choice"}  # the type in the condition language, where it has another name

_at_hand: ContextVar[dict[str, Known] | None] = ContextVar("definitions", default=None)


@contextmanager
def at_hand() -> Iterator[None]:
    """In here the fields of a subject are looked up once, however many conditions, rows and forms name them."""
    token = _at_hand.set({})
    try:
        yield
    finally:
        _at_hand.reset(token)


def once_a_request(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: each request has them at hand."""

    def answer(request: HttpRequest) -> HttpResponse:
        with at_hand():
            return get_response(request)

    return answer


def of(subject: str) -> Known:
    """The custom fields of a subject by key, in the order of their names: those that are asked, shown and offered."""
    return {key: each for key, each in everything(subject).items() if not each.archived_at}


def everything(subject: str) -> Known:
    """Archived ones too: what still stands in rows and in old conditions is theirs."""
    kept = _at_hand.get()
    if kept is None:
        return {each.key: each for each in FieldDefinition.objects.filter(subject=subject)}
    if not kept:  # those of all subjects: a ticket's page shows its customer's too
        kept.update({each: {} for each in FieldDefinition.Subject.values})
        for each in FieldDefinition.objects.all():
            kept[each.subject][each.key] = each
    return kept[subject]


def forget() -> None:
    """One of them was changed in here."""
    if (kept := _at_hand.get()) is not None:
        kept.clear()


def one(subject: str, key: str) -> FieldDefinition | None:
    """Also an archived one."""
    if _at_hand.get() is not None:
        return everything(subject).get(key)
    return FieldDefinition.objects.filter(subject=subject, key=key).first() if key.isprintable() else None


def asked(definition: FieldDefinition, prefix: str, column: str, label: str = "") -> Field:
    """The field as conditions ask for it, in its own type."""
    kind = Type(definition.type)
    choices = [(choice, choice) for choice in definition.choices] if kind in (Type.CHOICE, Type.MULTI) else None
    name, label = f"{prefix}{definition.key}", label or definition.label
    field = attribute(name, label, ASKED_AS.get(kind, definition.type), definition.key, column=column, choices=choices)
    refers = definition.ref if choices is not None else ""  # its values are FieldChoice
    return replace(field, ref=definition.ref, refers=refers, retired=definition.archived_at is not None)


def misfits(subject: str, attributes: dict[str, Any], *, strict: bool = False) -> dict[str, str]:
    """Attributes that their custom field cannot hold, each with the reason; one query, and one for each kind of lookup.

    A key without a field holds anything, unless ``strict``; nothing new comes to an archived field then, and it takes only
    what it could hold else. None takes an attribute away.
    """
    given = {key: value for key, value in attributes.items() if value is not None}
    if not given:
        return {}
    known, wrong = everything(subject), {}
    for key, value in given.items():
        if key in known and not (strict and known[key].archived_at):
            if reason := _misfit(known[key], value):
                wrong[key] = f"attributes.{key} must be {reason}."
        elif strict:
            wrong[key] = f"There is no field attributes.{key}."
    pointing = {
        key: value for key, value in given.items() if key in known and key not in wrong and known[key].type == Type.LOOKUP
    }
    there = names(pointing.values())
    return wrong | {key: f"attributes.{key}: there is no {value}." for key, value in pointing.items() if value not in there}


def _misfit(definition: FieldDefinition, value: Any) -> str:
    """What it must be instead; "" for a value that fits: one that conditions would not take for missing."""
    kind = Type(definition.type)
    read = asked(definition, "", "attributes").value
    if read is None or read(_Holder({definition.key: value})) is None:
        return HOLDS[kind]
    choices = ", ".join(definition.choices)[:500]
    if kind == Type.CHOICE and value not in definition.choices:
        return f"one of: {choices}"
    if kind == Type.MULTI and not (value and all(isinstance(each, str) and each in definition.choices for each in value)):
        return f"a list of these: {choices}"
    if kind == Type.TEXT and len(value) > MAX_TEXT:
        return f"a text of at most {MAX_TEXT} characters"
    if kind == Type.LOOKUP and str(value).partition(":")[0] != definition.target:
        return f"the name of a {definition.target}, such as {definition.target}:12"
    return ""


class _Holder:
    def __init__(self, attributes: dict[str, Any]) -> None:
        self.attributes = attributes


# --- lookups: what a field of that type points to -----------------------------------------------------------------------


def names(refs: Any) -> dict[str, str]:
    """What is there of these ("customer:12"), each by the name that people know it by; one query for each kind."""
    wanted: dict[str, set[int]] = {}
    for ref in refs:
        noun, _sep, number = str(ref).partition(":")
        if noun in settings.LOOKUPS and number.isascii() and number.isdigit() and len(number) < 19:
            wanted.setdefault(noun, set()).add(int(number))
    return {
        f"{noun}:{number}": name
        for noun, numbers in wanted.items()
        for number, name in import_string(settings.LOOKUPS[noun]["names"])(numbers).items()
    }


def find(target: str, text: str) -> list[tuple[str, str]]:
    """(name for the attribute, name for people) of those that a person may mean by a text."""
    text = one_line(text)
    if not text:
        return []
    return [(f"{target}:{number}", name) for number, name in import_string(settings.LOOKUPS[target]["find"])(text).items()]


# --- words --------------------------------------------------------------------------------------------------------------


def words(definition: FieldDefinition, value: Any, known: dict[str, str] | None = None) -> str:
    """A value for people; "" for none. ``known`` are names of lookups that were asked for already."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if definition.type == Type.LOOKUP:
        return (names([value]) if known is None else known).get(str(value), str(value))
    if definition.type == Type.DATE:
        try:
            return date_format(date.fromisoformat(str(value)[:10]), "DATE_FORMAT")
        except ValueError:
            return str(value)
    return str(value)


def said(subject: str, attributes: dict[str, Any]) -> list[tuple[FieldDefinition, str]]:
    """The custom fields that hold something, with it in words."""
    held = [(each, attributes[key]) for key, each in of(subject).items() if attributes.get(key) is not None]
    known = names(value for each, value in held if each.type == Type.LOOKUP)
    return [(each, words(each, value, known)) for each, value in held]
