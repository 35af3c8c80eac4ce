"""Many rows at once: changed by one statement, each to values of its own; fetched by their ids; read as plain values."""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models, transaction
from django.db.models import QuerySet
from psycopg2.extras import Json


@contextmanager
def at_most(patience: int) -> Iterator[None]:
    """Give each statement in here so many milliseconds; one that takes longer raises OperationalError."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(patience)])
        yield
        cursor.execute("SELECT set_config('statement_timeout', '0', true)")


def array(values: Iterable[Any]) -> str:
    """Values as one parameter, for ``%s::bigint[]``: PostgreSQL's own text for an array (its manual, 8.15.2).

    A list would do the same at four times the price: psycopg2 asks an adapter for each element, and the server parses
    an expression for each. Raises TypeError for what this cannot write, such as a list of lists.
    """
    return f"{{{','.join([_element(value) for value in values])}}}"


def _element(value: Any) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if value is None:
        return "NULL"
    if isinstance(value, int | float | Decimal):
        return str(value)
    if isinstance(value, date):
        return f'"{value.isoformat()}"'
    if isinstance(value, Json):
        return _element(value.dumps(value.adapted))
    if isinstance(value, bytes | memoryview):
        return _element("\\x" + bytes(value).hex())
    raise TypeError(f"no element of an array: {type(value).__name__}")


def update(rows: Iterable[models.Model], names: Sequence[str]) -> int:
    """Write these fields of these rows, of one model, as they stand on the objects; returns how many rows there were.

    What Django's bulk_update does, by ``UPDATE … FROM unnest(…)`` instead of a CASE for each row and field, whose making
    cost the senders and the planner more than all their other work. Array fields are not for this.
    """
    objects = list(rows)
    if not objects:
        return 0
    model = type(objects[0])
    by_name: dict[str, Any] = {field.name: field for field in model._meta.concrete_fields}
    key, fields = model._meta.pk, [by_name[name] for name in names]
    quote = connection.ops.quote_name
    columns = [quote(str(field.column)) for field in (key, *fields)]
    arrays = ", ".join(f"%s::{_type(field)}[]" for field in (key, *fields))
    table = quote(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET {', '.join(f'{column} = new.{column}' for column in columns[1:])} "  # noqa: S608 - our own names
            f"FROM unnest({arrays}) AS new({', '.join(columns)}) WHERE {table}.{columns[0]} = new.{columns[0]}",
            [array(_value(field, each) for each in objects) for field in (key, *fields)],
        )
        return int(cursor.rowcount)


M = TypeVar("M", bound=models.Model)


def place(rows: QuerySet[M], row: M, to: int, column: str) -> tuple[int, int] | None:
    """Make this the ``to``-th of these rows, from 1 on, and write each one's place into ``column``.

    Returns where it was and where it is; None when it does not move, or is none of them. The caller holds the list still.
    """
    order = list(rows)
    was = next((place for place, each in enumerate(order, 1) if each.pk == row.pk), None)
    now = min(max(to, 1), len(order))
    if was is None or was == now:
        return None
    order.insert(now - 1, order.pop(was - 1))
    for number, each in enumerate(order, 1):
        setattr(each, column, number)
    update(order, [column])
    return was, now


def insert(rows: Sequence[M], once: str) -> list[M]:
    """Write new rows of one model; whichever has a value of the unique field ``once`` that is known already is left out.

    Returns those that were written, with their ids, in the order given. What is the same in all of them is sent once, the
    rest as one array for each column: bulk_create sends, and the server reads, a parameter for each field of each row.
    """
    if not rows:
        return []
    model, quote = type(rows[0]), connection.ops.quote_name
    fields: list[Any] = [field for field in model._meta.concrete_fields if not field.primary_key]
    same, differing = [], []
    for field in fields:
        values = [_value(field, each) for each in rows]
        first = values[0]
        if field.name != once and all(value is first or _plain(value) == _plain(first) for value in values):
            same.append((quote(field.column), f"%s::{_type(field)}", first))
        else:
            differing.append((quote(field.column), f"%s::{_type(field)}[]", array(values)))
    names = [column for column, _type, _value in differing]
    table, key, unique = (quote(str(name)) for name in (model._meta.db_table, model._meta.pk.column, once))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join([*names, *(column for column, _type, _value in same)])}) "  # noqa: S608 - our own names
            f"SELECT {', '.join([*names, *(kind for _column, kind, _value in same)])} "
            f"FROM unnest({', '.join(kind for _column, kind, _value in differing)}) AS new({', '.join(names)}) "
            f"ON CONFLICT ({unique}) DO NOTHING RETURNING {unique}, {key}",
            [*(value for _column, _kind, value in same), *(value for _column, _kind, value in differing)],
        )
        ids = dict(cursor.fetchall())
    for row in rows:
        row.pk = ids.get(getattr(row, once))
        row._state.adding, row._state.db = row.pk is None, connection.alias
    return [row for row in rows if row.pk is not None]


def _plain(value: Any) -> Any:
    """What to compare a value by: the adapter of JSON compares by identity."""
    return value.adapted if isinstance(value, Json) else value


def fetch(model: type[M], where: str, values: Sequence[Any]) -> list[M]:
    """The rows of a model by SQL of ours, from WHERE on, as ``Manager.raw`` gives them at several times the price."""
    start, names, readers = _reading(model)
    with connection.cursor() as cursor:
        cursor.execute(f"{start} {where}", values)
        rows = cursor.fetchall()
    if readers:
        rows = [list(row) for row in rows]
        for place, read in readers:
            for row in rows:
                row[place] = read(row[place], None, connection)
    return [model.from_db(connection.alias, names, row) for row in rows]


@cache
def _reading(model: type[models.Model]) -> tuple[str, list[str], list[tuple[int, Any]]]:
    """SELECT of all columns, their attributes, and what turns those at some places into values."""
    fields: list[Any] = list(model._meta.concrete_fields)
    quote = connection.ops.quote_name
    columns = ", ".join(quote(field.column) for field in fields)
    readers = [(place, field.from_db_value) for place, field in enumerate(fields) if hasattr(field, "from_db_value")]
    return f"SELECT {columns} FROM {quote(model._meta.db_table)}", [field.attname for field in fields], readers  # noqa: S608


def by_id(model: type[M], ids: Iterable[int | None]) -> dict[int, M]:
    """These rows of a model, by their ids: one parameter, where the ORM would resolve each id by itself."""
    wanted = list({pk for pk in ids if pk is not None})
    return {row.pk: row for row in fetch(model, "WHERE id = ANY(%s::bigint[])", [array(wanted)])} if wanted else {}


def attach(rows: Iterable[models.Model], name: str, found: dict[int, Any] | None = None) -> None:
    """What select_related does for one relation, with one object for all rows that name it, from ``found`` or fetched."""
    objects = list(rows)
    if not objects:
        return
    field: Any = objects[0]._meta.get_field(name)
    if found is None:
        found = by_id(field.related_model, [getattr(row, field.attname) for row in objects])
    for row in objects:
        field.set_cached_value(row, found.get(getattr(row, field.attname)))


def _type(field: Any) -> str:
    """The column's type without its length: a cast to varchar(12) would cut what an assignment refuses."""
    if isinstance(field, ArrayField):
        raise TypeError(f"{field.name} holds arrays, which unnest would take apart")
    return re.sub(r"\(\d+\)", "", field.rel_db_type(connection) if field.primary_key else field.db_type(connection))


def _value(field: Any, row: models.Model) -> Any:
    return field.get_db_prep_save(getattr(row, field.attname), connection)


def plain(rows: QuerySet[Any], *left_out: str) -> Iterator[dict[str, Any]]:
    """Rows as plain values, column by column, read a few at a time: a new column is in without being named.

    Dates and numbers stay what they are (DjangoJSONEncoder writes them); bytes become base64.
    """
    names = [field.attname for field in rows.model._meta.concrete_fields if field.attname not in left_out]
    for row in rows.order_by("pk").values(*names).iterator(chunk_size=20):
        yield {name: b64encode(value).decode() if isinstance(value, bytes | memoryview) else value for name, value in row.items()}
