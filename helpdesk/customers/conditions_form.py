"""The editor of conditions, as every page that asks for whom has it: rows or JSON, and whom they mean now."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django import forms
from django.utils.translation import gettext as _

from helpdesk.accounts.seen import Line
from helpdesk.customers import rows, segments, timeline
from helpdesk.customers.models import Customer
from helpdesk.lib import conditions


@dataclass(frozen=True)
class Meant:
    """Whom a condition means now."""

    words: str
    size: segments.Size
    faces: list[Customer]


class ConditionsForm(forms.Form):
    """Shown by customers/_conditions.html. It has no fields of its own, for which inputs there are depends on the others.

    ``tree`` is the cleaned condition, None where it cannot be read.
    """

    def __init__(self, data: Any = None, *, stored: Any) -> None:
        super().__init__(data)
        self.tree: dict[str, Any] | None = None
        self.stored = stored
        if data is None:
            self.shown = rows.shown(stored)
            self._read()
        else:
            join, posted = rows.posted(data)
            self.shown = rows.Shown(join, posted, source=data.get("source"))

    def _read(self) -> None:
        shown = self.shown
        try:
            if shown.source is None:
                self.tree = rows.tree(shown.join, shown.rows)
            else:
                self.tree = conditions.clean(json.loads(shown.source or "{}"), rows.SUBJECT)
        except json.JSONDecodeError as error:
            shown.error = _("This is not JSON: %(problem)s in line %(line)d.") % {"problem": error.msg, "line": error.lineno}
        except conditions.ConditionError as error:
            if shown.source is not None or not any(row.error for row in shown.rows):
                shown.error = str(error)
        except (RecursionError, ValueError):  # ValueError: a number of thousands of digits
            shown.error = _("This is nested too deep, or holds a number that is too long.")

    def clean(self) -> dict[str, Any]:
        self._read()
        for row in self.shown.rows:
            if row.error:
                self.add_error(None, f"{row.found.label if row.found else row.field}: {row.error}")
        if self.shown.error:
            self.add_error(None, self.shown.error)
        return self.cleaned_data

    def compared(self) -> list[Line]:
        """What is stored beside what was typed, both as sentences."""
        return [Line(_("Who"), _words(self.stored or {"all": []}), _words(self.tree))]

    def press(self, action: str) -> None:
        """A button of the editor: a row away, to JSON and back, count. Nothing is lost by what rows cannot show."""
        shown = self.shown
        if action.startswith("remove-") and action[7:].isdecimal() and int(action[7:]) < len(shown.rows):
            shown.rows.pop(int(action[7:]))
        if self.is_valid() and action == "to-json":
            self.shown = rows.Shown(shown.join, [], source=rows.as_json(self.tree))
        elif self.is_valid() and action == "to-rows":
            self.shown = rows.shown(self.tree)
            if self.shown.source is not None:
                self.shown.error = _("This goes deeper than rows can show; it stays JSON.")
        # a field was just chosen: its value comes next; counting, the last row may still be empty
        for row in shown.rows if action == "redraw" else shown.rows[-1:] if action == "count" else ():
            row.error = row.error if row.value else ""

    def counted(self) -> "ConditionsForm":
        """Read, for those who are shown the count alone."""
        self.is_valid()
        return self

    @cached_property  # the template asks for every row
    def fields_to_ask(self) -> list[conditions.EditorField]:
        return conditions.fields(rows.SUBJECT)

    @property
    def lines(self) -> list[rows.Row]:
        """The rows, and an empty one to begin the next."""
        full = len(self.shown.rows) >= rows.MAX_ROWS
        return self.shown.rows if full else [*self.shown.rows, rows.Row()]

    @cached_property
    def kinds(self) -> list[str]:
        return timeline.kinds()

    @cached_property
    def meant(self) -> Meant | None:
        """Sentence, count and faces; nothing where the condition cannot be read."""
        if self.tree is None:
            return None
        return Meant(conditions.words(self.tree, rows.SUBJECT), segments.size(self.tree), segments.faces(self.tree))


def _words(tree: Any) -> str:
    """A sentence, or the JSON of what cannot be said; None is what could not even be read."""
    if tree is None:
        return _("what cannot be read")
    try:
        return conditions.words(tree, rows.SUBJECT)
    except conditions.ConditionError:
        return rows.as_json(tree)
