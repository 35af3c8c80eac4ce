"""COPY of whole tables from rows of Python values: as fast as PostgreSQL takes rows, in constant memory."""

import io
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from django.db.models.fields import NOT_PROVIDED
from psycopg2 import sql

CHUNK = 20_000  # rows in memory at a time
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def copy(model: type[models.Model], names: list[str], rows: Iterable[tuple[Any, ...]]) -> int:
    """COPY these columns, given by attribute name; the others get the model's own defaults. Returns the number of rows."""
    fields = {field.attname: field for field in model._meta.concrete_fields}
    rest = {name: _constant(field) for name, field in fields.items() if name not in names and _wanted(field)}
    columns = ", ".join(f'"{fields[name].column}"' for name in [*names, *rest])
    tail = "".join("\t" + text for text in rest.values()) + "\n"
    arrays = [isinstance(fields[name], ArrayField) for name in names]
    count = 0
    lines = _lines(rows, arrays, tail)
    with connection.cursor() as cursor:
        while chunk := list(islice(lines, CHUNK)):
            cursor.copy_expert(f'COPY "{model._meta.db_table}" ({columns}) FROM STDIN', io.StringIO("".join(chunk)))
            count += len(chunk)
    return count


def _wanted(field: Any) -> bool:
    """Columns that the database fills in by itself are left to it."""
    return not field.primary_key and field.db_default is NOT_PROVIDED


def _constant(field: Any) -> str:
    return text_of(field.get_default(), isinstance(field, ArrayField))


def _lines(rows: Iterable[tuple[Any, ...]], arrays: list[bool], tail: str) -> Iterator[str]:
    for row in rows:
        yield "\t".join(map(text_of, row, arrays)) + tail


def text_of(value: Any, array: bool = False) -> str:
    """A value in COPY's text format."""
    if value is None:
        return "\\N"
    if isinstance(value, str):
        return value.translate(ESCAPES)
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, datetime):
        return value.isoformat()
    if array:
        return "{" + ",".join('"' + str(each).replace('"', "") + '"' for each in value) + "}"
    if isinstance(value, dict | list):
        return json.dumps(value).translate(ESCAPES)
    if isinstance(value, bytes):
        return "\\\\x" + value.hex()
    return str(value)


def catch_up(*tables: type[models.Model]) -> None:
    """Let each table's own numbers go on after those that were copied, and tell the planner what is there now."""
    with connection.cursor() as cursor:
        for model in tables:
            name = model._meta.db_table
            table = sql.Identifier(name)
            cursor.execute(
                sql.SQL("SELECT setval(pg_get_serial_sequence(%s, 'id'), greatest((SELECT max(id) FROM {}), 1))").format(table),
                [name],
            )
            cursor.execute(sql.SQL("ANALYZE {}").format(table))
