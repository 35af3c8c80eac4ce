"""Two people in one form: it carries a mark of what it was built from, and a save over something newer is asked about first."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from django import forms
from django.db import transaction
from django.db.models import QuerySet
from django.forms import BoundField
from django.http import HttpRequest
from django.utils.translation import gettext as _

from helpdesk.accounts import names
from helpdesk.accounts.locks import one_at_a_time
from helpdesk.accounts.models import AuditEntry
from helpdesk.lib import dates

DIGITS = 32  # of a mark, for what the form was built from; after them, when


@dataclass(frozen=True)
class Line:
    """What one field holds by now, and what was typed into it."""

    label: str
    theirs: str
    yours: str

    @property
    def differs(self) -> bool:
        return self.theirs.split() != self.yours.split()


class Seen:
    """What a form was built from, and what somebody else saved since: templates/_seen.html shows both beside each other.

    ``stored`` is what is kept now; ``lines`` compare it with what was typed; ``last`` are the changes of this object as
    (actor, at), newest first: one from before the form was shown is not whose words stand here (a team's members are changed
    on their own pages too). A form that says nothing of what it has seen is not asked.
    """

    who: str = ""
    at: datetime | None = None

    def __init__(
        self,
        request: HttpRequest,
        stored: Any,
        lines: Iterable[Line],
        last: QuerySet[Any, tuple[str, datetime]],
        saving: bool = True,
    ) -> None:
        kept = sha256(json.dumps(stored, sort_keys=True, default=str).encode()).hexdigest()[:DIGITS]
        carried = request.POST.get("seen", "")[: 2 * DIGITS]
        stale = carried[:DIGITS] not in ("", kept)
        self.lines = [line for line in lines if line.differs] if stale and saving else []
        fresh = f"{kept}{int(dates.now().timestamp() * 1_000_000):x}"
        self.mark = carried if carried and not self.lines else fresh  # told once: the next save is on purpose
        if self.lines and (newest := last.first()) and newest[1] >= _shown_at(carried):
            actor, self.at = newest
            self.who = names.names_of([actor]).get(actor, "")

    @property
    def newer(self) -> bool:
        return bool(self.lines)

    def status(self, wrong: Any) -> int:
        """Of the answer that shows the form: 409 with somebody else's words, 422 with errors, else 200."""
        return 409 if self.newer else 422 if wrong else 200


def _shown_at(mark: str) -> datetime:
    """When a form with this mark was shown; long ago for one that does not say."""
    try:
        return datetime.fromtimestamp(int(mark[DIGITS:], 16) / 1_000_000, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.min.replace(tzinfo=UTC)


def seen(request: HttpRequest, form: forms.BaseForm, last: QuerySet[Any, tuple[str, datetime]]) -> Seen:
    """For one form; its initial values are what is stored."""
    return Seen(request, stored(form), compared(form), last)


def audited(subject: str, *actions: str) -> QuerySet[Any, tuple[str, datetime]]:
    """Who changed it and when, by the audit log."""
    rows = AuditEntry.objects.filter(subject=subject)
    return (rows.filter(action__in=actions) if actions else rows).values_list("actor", "at")


def stored(form: forms.BaseForm) -> dict[str, str]:
    """Rows by their keys: a team that is renamed is no other team."""
    return {bound.html_name: str(bound.field.prepare_value(bound.initial)) for bound in form.visible_fields()}


def compared(form: forms.BaseForm, label: str = "%s") -> list[Line]:
    """The fields in which what was typed is not what is stored; never a password."""
    if not form.is_bound:
        return []
    changed = [form[name] for name in form.changed_data if not isinstance(form.fields[name].widget, forms.PasswordInput)]
    return [Line(label % bound.label, _text(bound, bound.initial), _text(bound, bound.data)) for bound in changed]


def _text(bound: BoundField, value: Any) -> str:
    """A value as the field shows it."""
    widget = bound.field.widget
    if isinstance(widget, forms.CheckboxInput):
        return _("Yes") if value else _("No")
    shown = widget.format_value(bound.field.prepare_value(value))
    if isinstance(widget, forms.widgets.ChoiceWidget):  # lists, radio buttons and ticks
        named = {str(choice): str(word) for choice, word in widget.choices if not isinstance(word, list | tuple)}
        return ", ".join(named.get(str(each), str(each)) for each in shown)
    return str(shown or "")


@contextmanager
def turn(request: HttpRequest, name: str) -> Iterator[None]:
    """A save waits for the one before it, and so sees what that one wrote; what only shows the form waits for nobody."""
    if request.method != "POST" or request.POST.get("action", "save") != "save":
        yield
        return
    with transaction.atomic():
        one_at_a_time(f"form:{name}")
        yield
