"""Many rows at once: changed by one statement, each to values of its own, and read as plain values."""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from django.db.models import QuerySet
from psycopg2.extras import Json


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
