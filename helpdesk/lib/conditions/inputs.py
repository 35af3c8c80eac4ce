"""One line of an editor as the texts of its inputs: from a leaf, and back to the JSON of one."""

import csv
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from typing import Any

from django.utils.timezone import get_default_timezone

from helpdesk.lib.conditions.fields import EditorField
from helpdesk.lib.conditions.grammar import Leaf, Linked
from helpdesk.lib.conditions.ops import Wrong
from helpdesk.lib.conditions.times import moment

UNITS = ("minutes", "hours", "days", "weeks")


@dataclass
class Inputs:
    """`values` is one text, or the ticked choices; `to` ends a range; `unit` is that of a time; `count` of other rows
    with `within` so many of `span`."""

    field: str = ""
    op: str = ""
    values: list[str] = dataclasses.field(default_factory=list)
    to: str = ""
    unit: str = ""
    count: str = ""
    within: str = ""
    span: str = ""

    @classmethod
    def posted(cls, told: Mapping[str, list[str]]) -> "Inputs":
        """What a form sent for one line."""
        text = {name: told.get(name, [""])[0].strip() for name in ("field", "op", "to", "unit", "count", "within", "span")}
        return cls(values=[value.strip() for value in told.get("value", []) if value.strip()], **text)

    @classmethod
    def of(cls, node: Leaf | Linked) -> "Inputs":
        """A leaf as inputs. Raises ValueError for a text that an input would cut."""
        inputs = cls(node.field.name, node.op.code)
        if isinstance(node, Linked):
            inputs.values, inputs.count = [node.kind] if node.kind else [], str(node.at_least)
            if node.within:
                ((inputs.span, count),) = node.within.items()
                inputs.within = str(count)
        elif node.op.takes != "none":
            inputs._show(node)
        if any(set(value) & {"\n", "\r"} for value in inputs.values):
            raise ValueError("an input has one line")
        return inputs

    def _show(self, leaf: Leaf) -> None:
        value, takes = leaf.value, leaf.op.takes
        if takes == "pair":
            self.values, self.to = [str(value[0])], str(value[1])
        elif takes == "duration":
            ((self.unit, count),) = value.items()
            self.values = [str(count)]
        elif takes == "many":
            texts = [str(each) for each in value]
            self.values = texts if leaf.field.options() else [joined(texts)]
        elif takes in ("date", "day"):
            self.values = [_local(value)]
        else:
            self.values = [str(value).lower() if isinstance(value, bool) else str(value)]

    @property
    def value(self) -> str:
        return self.values[0] if self.values else ""

    @property
    def said(self) -> bool:
        return bool(self.values or self.to)

    @property
    def is_instant(self) -> bool:
        """The date has a time that a browser's own input can show."""
        return len(self.value) == 16

    def leaf(self, found: EditorField | None, takes: str) -> dict[str, Any]:
        """The JSON that these inputs say; whether it holds water is for `clean`."""
        leaf: dict[str, Any] = {"field": self.field, "op": self.op}
        if takes == "count":
            events = found is not None and found.type == "events"
            leaf |= {"value": self.value} if events else {}
            leaf |= {"at_least": _whole(self.count)} if self.count not in ("", "1") else {}
            leaf |= {"within": {self.span or "days": self.within}} if events and self.within else {}
        elif takes == "many":
            leaf["value"] = self.values if found and found.choices else separated(self.value)
        elif takes == "pair":
            leaf["value"] = [self.value, self.to]
        elif takes == "duration":
            leaf["value"] = {self.unit or "days": self.value}
        elif takes != "none":
            leaf["value"] = self.value
        return leaf


def separated(text: str) -> list[str]:
    """Words between commas; one with a comma of its own stands in quotes."""
    try:
        (row,) = csv.reader([text], skipinitialspace=True) if text else [[]]
    except (csv.Error, ValueError):
        row = text.split(",")
    return [word.strip() for word in row if word.strip()]


def joined(words: list[str]) -> str:
    """The text that `separated` takes apart again."""
    line = StringIO()
    csv.writer(line, lineterminator="").writerow(words)
    return ", ".join(words) if separated(", ".join(words)) == words else line.getvalue()


def _whole(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text


def _local(value: str) -> str:
    """A day as it is; an instant in the workspace's zone, where minutes say all of it."""
    if len(value) == 10:
        return value
    local = datetime.fromisoformat(value).astimezone(get_default_timezone()).strftime("%Y-%m-%dT%H:%M")
    try:
        return local if moment(local) == value else value
    except Wrong:
        return value
