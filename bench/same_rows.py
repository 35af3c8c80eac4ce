"""The rows that one piece of work wrote, written again by bare INSERTs: the limit for everything that ends in rows."""

import itertools
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models, transaction

OURS = ("accounts", "customers", "mail", "files", "knowledge", "tickets", "outreach")
# columns that hold an id without a foreign key
PLAIN = {
    "event_id": "customers.Event",
    "ticket_id": "tickets.Ticket",
    "message_id": "tickets.Message",
    "last_message_id": "tickets.Message",
    "outgoing_id": "mail.Outgoing",
    "incoming_id": "mail.IncomingMail",
    "ticket_message_id": "tickets.Message",
    "enrolment_id": "outreach.Enrolment",
}
numbers = itertools.count(1)


@dataclass
class Insert:
    model: type[models.Model]
    sql: str
    old_id: int
    values: list[tuple[Any, str | None, int]]  # value, the model it is an id of, `_unique`


class SameRows:
    """What ``work`` wrote, ready to be written again. ``mark`` is a word that stands in each text that must be unique."""

    def __init__(self, work: Callable[[], object], mark: str) -> None:
        self.mark = mark
        tables = [model for model in apps.get_models() if model._meta.app_label in OURS and not model._meta.proxy]
        before = {model: _newest(model) for model in tables}
        work()
        self.inserts = [
            self._insert(row)
            for model in _parents_first(tables)
            for row in model._default_manager.filter(pk__gt=before[model]).order_by("pk")
        ]

    @property
    def count(self) -> int:
        return len(self.inserts)

    def tables(self) -> dict[str, int]:
        names = [insert.model._meta.db_table for insert in self.inserts]
        return {name: names.count(name) for name in dict.fromkeys(names)}

    def _insert(self, row: models.Model) -> Insert:
        fields = [field for field in row._meta.concrete_fields if not field.primary_key and not _own(field)]
        names = ", ".join(f'"{field.column}"' for field in fields)
        sql = f'INSERT INTO "{row._meta.db_table}" ({names}) VALUES ({", ".join(["%s"] * len(fields))}) RETURNING id'
        return Insert(type(row), sql, row.pk, [(_value(row, field), _names(field), _unique(field)) for field in fields])

    @transaction.atomic
    def write(self) -> None:
        """All of them once more, in one transaction, under a new mark."""
        new = f"a{os.getpid()}n{next(numbers)}"  # processes that were forked count alike
        ids: dict[tuple[str, int], int] = {}
        with connection.cursor() as cursor:
            for insert in self.inserts:
                cursor.execute(insert.sql, [self._again(value, of, unique, new, ids) for value, of, unique in insert.values])
                ids[insert.model._meta.label, insert.old_id] = cursor.fetchone()[0]

    def _again(self, value: Any, of: str | None, unique: int, new: str, ids: dict[tuple[str, int], int]) -> Any:
        if of and value is not None:
            return ids.get((of, value), value)
        if isinstance(value, str):
            return value.replace(self.mark, new) if self.mark in value else f"{new}{value}"[:unique] if unique else value
        return value


def _newest(model: type[models.Model]) -> int:
    return model._default_manager.aggregate(n=models.Max("pk"))["n"] or 0


def _parents_first(tables: list[type[models.Model]]) -> list[type[models.Model]]:
    found: list[type[models.Model]] = []
    left = set(tables)

    def visit(model: type[models.Model]) -> None:
        if model not in left:  # seen, or begun: two tables that name each other, as a rule and its version do
            return
        left.remove(model)
        for field in model._meta.concrete_fields:
            if field.related_model and field.related_model is not model:
                visit(field.related_model)  # type: ignore[arg-type]
        found.append(model)

    for model in tables:
        visit(model)
    order = [
        "mail.IncomingMail",
        "customers.Event",
        "tickets.Ticket",
        "tickets.Message",
        "mail.Outgoing",
    ]  # plain ids come after theirs
    return sorted(
        found,
        key=lambda model: (
            order.index(model._meta.label)
            if model._meta.label in order
            else (
                -1
                if model._meta.app_label in ("accounts", "files", "knowledge")
                or model._meta.label in ("customers.Company", "customers.Customer", "customers.Address")
                else len(order)
            )
        ),
    )


def _own(field: Any) -> bool:
    return field.db_default is not models.fields.NOT_PROVIDED


def _names(field: Any) -> str | None:
    if field.related_model:
        return field.related_model._meta.label  # type: ignore[no-any-return]
    return PLAIN.get(field.attname)


def _unique(field: Any) -> int:
    """How long a text may be that must be another one each time; 0 where it may stay."""
    return (field.max_length or 0) if field.unique or field.attname == "digest" else 0


def _value(row: models.Model, field: Any) -> Any:
    value = getattr(row, field.attname)
    if isinstance(field, models.JSONField):
        return json.dumps(value) if value is not None else None
    if isinstance(field, ArrayField):
        return list(value) if value is not None else None
    return bytes(value) if isinstance(value, memoryview) else value
