"""A condition tree as rows of a plain form, and back without loss; deeper trees stay JSON.

A tree fits when it is one level of leaves and reading its rows gives the same tree again.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from helpdesk.lib import conditions
from helpdesk.lib.conditions import ConditionError, EditorField, EditorOp

SUBJECT = "customer"
MAX_ROWS = 30
PLACE = re.compile(r"(?:all|any)\[(\d+)\]")
SPAN = re.compile(r"\s*(\d{1,6})\s*([a-z]+?)s?\s*", re.IGNORECASE)


@dataclass
class Row:
    """One line of the editor, all in the text of its inputs."""

    field: str = ""
    op: str = ""
    value: str = ""
    count: str = ""  # at least so many: relations and events
    within: str = ""  # events: "30 days"
    error: str = ""
    found: EditorField | None = None

    @property
    def chosen(self) -> EditorOp | None:
        """The operator, or the field's first while none fits."""
        ops = self.found.ops if self.found else ()
        return next((op for op in ops if op.code == self.op), ops[0] if ops else None)

    @property
    def takes(self) -> str:
        return self.chosen.takes if self.chosen else ""


@dataclass
class Shown:
    """What the editor shows: rows under one word, or the JSON of a tree that is no such list."""

    join: str
    rows: list[Row]
    source: str | None = None
    error: str = ""


def posted(data: Mapping[str, str]) -> tuple[str, list[Row]]:
    """The rows of a submitted form, those without a field left out."""
    known = {field.name: field for field in conditions.fields(SUBJECT)}
    total = min(int(data.get("c-total", "0")) if data.get("c-total", "0").isdigit() else 0, MAX_ROWS)
    rows = []
    for n in range(total):
        name = data.get(f"c{n}-field", "")
        if name:
            values = {key: data.get(f"c{n}-{key}", "").strip() for key in ("op", "value", "count", "within")}
            rows.append(Row(name, found=known.get(name), **values))
    return ("any" if data.get("join") == "any" else "all"), rows


def tree(join: str, rows: list[Row]) -> dict[str, Any]:
    """The tree these rows say, cleaned. Raises ConditionError, having marked the row it is about."""
    for row in rows:
        row.op = row.chosen.code if row.chosen else row.op
    try:
        return conditions.clean({join if rows else "all": [_leaf(row) for row in rows]}, SUBJECT)
    except ConditionError as error:
        place = PLACE.match(error.path)
        if place and int(place[1]) < len(rows):
            rows[int(place[1])].error = error.message
        raise


def _leaf(row: Row) -> dict[str, Any]:
    leaf: dict[str, Any] = {"field": row.field, "op": row.op}
    kind = row.found.type if row.found else ""
    if row.takes == "count":
        leaf |= {"value": row.value} if kind == "events" else {}
        leaf |= {"at_least": int(row.count)} if row.count.isdigit() and row.count != "1" else {}
        leaf |= {"within": _span(row.within)} if row.within else {}
    elif row.takes != "none":
        leaf["value"] = _value(row.value, row.takes, kind, row.found)
    return leaf


def _value(text: str, takes: str, kind: str, field: EditorField | None) -> Any:
    if takes == "many":
        return [_one(part.strip(), kind, field) for part in text.split(",") if part.strip()]
    if takes == "pair":
        return [_one(part.strip(), kind, field) for part in re.split(r"\.\.|\bto\b|;", text, maxsplit=1)]
    if takes == "duration":
        return _span(text)
    return _one(text, kind, field)


def _one(text: str, kind: str, field: EditorField | None) -> Any:
    if kind == "number":
        try:
            return int(text) if re.fullmatch(r"-?\d{1,18}", text) else float(text)
        except ValueError:
            return text
    if kind in ("choice", "tags") and field:
        return next((value for value, _label in field.choices if str(value) == text), text)
    return text


def _span(text: str) -> Any:
    found = SPAN.fullmatch(text)
    return {f"{found[2].lower()}s": int(found[1])} if found else text


def shown(data: Any) -> Shown:
    """How the editor shows a stored tree."""
    join, leaves = _flat(data)
    known = {field.name: field for field in conditions.fields(SUBJECT)}
    if leaves is not None and all(isinstance(leaf, dict) and "field" in leaf for leaf in leaves):
        rows = [_row(leaf, known.get(leaf["field"])) for leaf in leaves]
        try:
            if tree(join, rows) == conditions.clean({join: leaves}, SUBJECT):
                return Shown(join, rows)
        except ConditionError:
            pass
    return Shown("all", [], source=as_json(data))


def as_json(tree: Any) -> str:
    return json.dumps(tree, indent=2, ensure_ascii=False)


def _flat(data: Any) -> tuple[str, list[Any] | None]:
    if not data:
        return "all", []
    if isinstance(data, dict) and "field" in data:
        return "all", [data]
    for join in ("all", "any"):
        if isinstance(data, dict) and isinstance(data.get(join), list):
            return join, data[join]
    return "all", None


def _row(leaf: dict[str, Any], found: EditorField | None) -> Row:
    value = leaf.get("value", "")
    row = Row(str(leaf["field"]), str(leaf.get("op", "")), found=found)
    if row.takes == "many" and isinstance(value, list):
        row.value = ", ".join(str(each) for each in value)
    elif row.takes == "pair" and isinstance(value, list):
        row.value = " to ".join(str(each) for each in value)
    elif row.takes == "duration":
        row.value = _span_words(value)
    else:
        row.value = str(value).lower() if isinstance(value, bool) else str(value)
    if row.takes == "count":
        row.count = str(leaf.get("at_least", 1))
        row.within = _span_words(leaf.get("within"))
    return row


def _span_words(value: Any) -> str:
    return " ".join(f"{number} {unit}" for unit, number in value.items()) if isinstance(value, dict) else ""
