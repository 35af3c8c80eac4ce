"""The editor of conditions: groups within groups, typed inputs, and a live count of what fits, in any form of any page.

In the view, before anything else is made of the request:

    asked = ConditionsForm(data, stored=rule.conditions, subject="ticket", change=True, rows=tickets_for(user).filter)
    if (partial := asked.partial(request)) is not None:      # the editor or its count alone, for htmx
        return partial
    ...
    if action == "save" and asked.is_valid(): rule.conditions = asked.tree
    elif data is not None: asked.press(action, form)         # another button of the editor, where there is no script

In the template, inside the page's own form and its `{% styles … conditions %}`:

    {% include "conditions/_editor.html" with conditions=asked %}

The page answers GET and POST at one address; every button named `action` but the page's own goes to `press`. `tree` is the
cleaned condition (None where it cannot be read); `asked.compared(label)` is its line for `Seen`; `{% errors asked %}` tells
what is wrong. One editor a page. `change` and `personal` offer what only rules and only readers can ask, `without` names
fields that are not offered; `rows` narrows a queryset by a Q, for the count; without it nothing is counted. `reader` is whom
"me" means while counting.
"""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django import forms
from django.db import OperationalError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from helpdesk.accounts.seen import Line
from helpdesk.lib import conditions
from helpdesk.lib.conditions.editor import Editor
from helpdesk.lib.dates import now
from helpdesk.lib.rows import at_most

MOST = 999  # a count above this is "999+": nobody waits for the rest
PATIENCE = 1500  # milliseconds that a count may take


@dataclass(frozen=True)
class Count:
    """How many it fits: as words, or why nobody knows."""

    words: str
    known: bool = True


class ConditionsForm(forms.Form):
    """Shown by conditions/_editor.html. It has no fields of its own, for which inputs there are depends on the others."""

    meant_template = "conditions/_count.html"

    def __init__(
        self, data: Any = None, *, stored: Any, subject: str, rows: Callable[[Q], QuerySet[Any]] | None = None,
        change: bool = False, personal: bool = False, reader: Any = None, legend: str | Promise = "",
        without: Collection[str] = (),
    ) -> None:  # fmt: skip
        super().__init__(data)
        self.subject, self.rows, self.reader, self.legend = subject, rows, reader, legend or _("Those for which")
        self.change, self.personal = change, personal
        self.tree: dict[str, Any] | None = None
        self.stored, self.fault = stored, ""
        self.source: str | None = None
        with conditions.once():
            self.editor = Editor(subject, change=change, personal=personal, without=without)
            if data is None:
                self.draw(stored)
            else:
                self.draft, self.source = self.editor.posted(data), data.get("source")

    def draw(self, tree: Any) -> None:
        """Show this tree, as groups and lines or, where those cannot say it, as JSON."""
        self.source, self.draft = None, self.editor.empty("", self.subject, own=True)
        try:
            self.draft = self.editor.drawn(tree)
        except ValueError:  # a ConditionError is one
            self.source = as_json(tree)
        self._read()

    def _read(self) -> None:
        """The tree that is shown, with each mistake told where it is."""
        self.fault, self.tree = "", None
        with conditions.once():
            try:
                if self.source is None:
                    self._check()
                    self.tree = self._clean(self.draft.to_json())
                elif not self.source.strip():
                    self.fault = _("Say the conditions; {} is always.")
                else:
                    self.tree = self._clean(json.loads(self.source))
            except json.JSONDecodeError as error:
                self.fault = _("This is not JSON: %(problem)s in line %(line)d.") % {"problem": error.msg, "line": error.lineno}
            except conditions.ConditionError as error:
                if self.source is not None:
                    self.fault = str(error)
                elif not any(line.error for line in self.draft.lines()):
                    self.fault = error.message
            except (RecursionError, ValueError):  # ValueError: a number of thousands of digits
                self.fault = _("This is nested too deep, or holds a number that is too long.")

    def _check(self) -> None:
        """Each line by itself, so that all that is wrong is told at once."""
        for line in self.draft.lines():
            line.error = ""
            own = line.to_json()
            own.pop("where", None)
            try:
                conditions.clean(own, line.subject, change=self.change and line.own, personal=self.personal)
            except conditions.ConditionError as error:
                line.error = error.message

    def _clean(self, tree: Any) -> dict[str, Any]:
        return conditions.clean(tree, self.subject, change=self.change, personal=self.personal)

    def clean(self) -> dict[str, Any]:
        self._read()
        for line in self.draft.lines() if self.source is None else ():
            if line.error:
                self.add_error(None, f"{line.found.label if line.found else line.name}: {line.error}")
        if self.fault:
            self.add_error(None, self.fault)
        return self.cleaned_data

    def compared(self, label: str | Promise = "") -> list[Line]:
        """What is stored beside what was typed, both as sentences."""
        return [Line(str(label or _("Conditions")), self._words(self.stored or {"all": []}), self._words(self.tree))]

    def _words(self, tree: Any) -> str:
        """A sentence, or the JSON of what cannot be said; None is what could not even be read."""
        if tree is None:
            return _("what cannot be read")
        try:
            return conditions.words(tree, self.subject)
        except conditions.ConditionError:
            return as_json(tree)

    def press(self, action: str, *beside: forms.BaseForm) -> None:
        """A button of the editor: a line or a group more or less, to JSON and back, count. Nothing that was typed is lost.

        Nobody wants to save yet, so neither it nor the forms ``beside`` it on the page are told what is wrong.
        """
        verb, _dash, at = action.partition("-")
        if self.source is None and verb in ("remove", "group"):
            (self._remove if verb == "remove" else self._nest)(at)
        before = self.fault  # what the page itself found wrong
        self.full_clean()
        self.fault = self.fault or before
        if self.tree is not None and action == "to-json":
            self.source = as_json(self.tree)
        elif self.tree is not None and action == "to-rows":
            self.draw(self.tree)
            if self.source is not None:
                self.fault = _("This goes beyond what rows can show; it stays JSON.")
        # a field was just chosen: its value comes next; counting, the last line may still be empty; JSON is of what is finished
        for line in self.draft.last() if action == "count" else self.draft.lines() if action != "to-json" else ():
            line.error = "" if line.is_begun else line.error
        for each in (self, *beside):
            each.errors.clear()

    def _remove(self, at: str) -> None:
        if found := self.draft.place(at):
            group, place = found
            del group.parts[place]
            self.draft.numbered()
            group.first = f"{group.id}-next"

    def _nest(self, at: str) -> None:
        group = self.draft.group(at)
        if group is not None and group.may_nest:
            new = self.editor.empty("", group.subject, own=group.offered is self.draft.offered, join="any")
            group.parts.append(new)
            self.draft.numbered()
            new.first = f"{new.id}-join"

    def partial(self, request: HttpRequest) -> HttpResponse | None:
        """What htmx asked for: the editor after one of its buttons, or the count alone; None when it is about the page."""
        parts = {"conditions": "conditions/_editor.html", "meant": self.meant_template}
        template = parts.get(request.headers.get("HX-Target", "")) if self.is_bound else None
        if template is None:
            return None
        self.press(str(self.data.get("action", "")))
        return render(request, template, {"conditions": self})

    @cached_property
    def words(self) -> str:
        """The condition as a sentence; nothing where it cannot be read, or asks nothing."""
        return self._words(self.tree) if self.tree and self.tree != {"all": []} else ""

    @cached_property
    def count(self) -> Count | None:
        """How many fit now: bounded in number and in time."""
        if self.tree is None or self.rows is None:
            return None
        try:
            with conditions.once(), at_most(PATIENCE):
                q = conditions.to_q(self.tree, self.subject, now(), reader=self.reader)
                number = self.rows(q).order_by().values("pk")[: MOST + 1].count()
        except conditions.ConditionError:
            return Count(_("What it fits depends on each change, so it is not counted."), known=False)
        except OperationalError:
            return Count(_("Counting took too long. The conditions are good all the same."), known=False)
        return Count(self.counted_words(number))

    def counted_words(self, number: int) -> str:
        if number > MOST:
            return _("More than %(n)d fit now") % {"n": MOST}
        return ngettext("%(n)d fits now", "%(n)d fit now", number) % {"n": number}


def as_json(tree: Any) -> str:
    """A tree as people read and write it."""
    return json.dumps(tree, indent=2, ensure_ascii=False)
