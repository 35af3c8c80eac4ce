"""What is wrong with a rule before any ticket meets it: it asks for, or does something with, what is gone or switched off."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _

from helpdesk.accounts import calendars
from helpdesk.accounts.models import Team, User
from helpdesk.customers import definitions
from helpdesk.customers.models import FieldDefinition
from helpdesk.lib import conditions
from helpdesk.mail.models import Webhook
from tickets.models import EscalationPath, RuleKind, RuleVersion
from tickets.models.clocks import Hours
from tickets.rules.actions import ACTIONS, IN_USE, NOBODY, Play
from tickets.rules.keeping import Wording


class Faults:
    """Asked of many rules, it looks up each kind of thing once."""

    def __init__(self) -> None:
        self.usable: dict[Any, set[int]] = {}

    def of(self, kind: str, said: Wording | RuleVersion) -> list[str]:
        """In words, each with what it is about; nothing for a rule that can do all it says."""
        faults = [conditions.fault(said.conditions, "ticket", change=kind == RuleKind.UPDATE)]
        if said.hours == Hours.BUSINESS and self._no_calendar:
            faults.append(_("It counts working time, and there is no calendar: its time never comes."))
        broken = (ACTIONS[name].say(value) for name, value in self._broken(said.actions))
        return [*filter(None, faults), *(_("It does not work any more: %s.") % words for words in broken)]

    @cached_property
    def _no_calendar(self) -> bool:
        return calendars.default() is None

    def _broken(self, does: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        for name, value in does.items():
            if name not in ACTIONS:
                continue
            if name == "attributes":
                if definitions.misfits(FieldDefinition.Subject.TICKET, value, strict=True):
                    yield name, value
            elif value != NOBODY and any(pk not in self._usable(model) for model, pk in _named(name, value)):
                yield name, value

    def _usable(self, model: Any) -> set[int]:
        if model not in self.usable:
            rows = model.objects.startable() if model is Play else model.objects.filter(**IN_USE.get(model, {}))
            if model is Webhook:
                rows = rows.filter(is_enabled=True)
            self.usable[model] = set(rows.values_list("pk", flat=True))
        return self.usable[model]


def _named(name: str, value: Any) -> list[tuple[Any, Any]]:
    """What an action names, as (model, id)."""
    if name == "escalate":
        return [(EscalationPath, value.get("path"))]
    if name == "notify":
        team = [(Team, value["team"])] if value.get("team") else []
        return [*((User, pk) for pk in value.get("people", [])), *team]
    return [(ACTIONS[name].model, value)] if ACTIONS[name].model else []
