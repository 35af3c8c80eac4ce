"""What a lead fills in about a policy: targets for each priority, what pauses, whose hours."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts import names
from helpdesk.accounts.models import Calendar
from helpdesk.accounts.setup import SetupForm
from helpdesk.lib import conditions
from helpdesk.lib.dates import now
from tickets.clocks import order, recounts
from tickets.clocks.lengths import NotLength, read_length, write_length
from tickets.clocks.policies import SUBJECT, Lasting, asks_about_clocks
from tickets.models import Policy, Priority, Status
from tickets.models.clocks import TARGETS, Hours

KINDS = [(kind.value, kind.label) for kind in TARGETS]
SMALL = {"class": "input"}
PRIORITIES = [Priority.URGENT, Priority.HIGH, Priority.NORMAL, Priority.LOW]
CAN_PAUSE = [(each.value, each.label) for each in (Status.PENDING, Status.HOLD)]


class PolicyForm(SetupForm):
    """``tree`` are its conditions, cleaned, set by the view before it is kept."""

    noun = "policy"
    pauses = forms.MultipleChoiceField(
        label=_("A resolution pauses while the ticket is"),
        required=False,
        choices=CAN_PAUSE,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Replies never pause: somebody waits for them."),
    )

    class Meta:
        model = Policy
        fields = ["name", "calendar", "warn_minutes", "pauses"]
        labels = {"name": _("Name"), "warn_minutes": _("Warn so many minutes before")}
        help_texts = {
            "name": _("Agents read it beside a clock. For example Premium customers"),
            "warn_minutes": _("In the clock’s own time: what is due on Monday at 9:05 warns on Friday."),
        }

    calendar = forms.ModelChoiceField(
        Calendar.objects.all(), label=_("Whose hours count"), required=False, empty_label=_("Those of the ticket’s team")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tree: dict[str, Any] = self.instance.conditions or {"all": []}
        for priority in PRIORITIES:
            stored = self.instance.targets.get(priority) or {}
            name = f"{priority}_hours"
            self.fields[name] = forms.ChoiceField(
                label=f"{priority.label}, {_('Counted in')}", choices=Hours.choices, widget=forms.Select(SMALL)
            )
            self.initial[name] = stored.get("hours", Hours.BUSINESS)
            for kind, label in KINDS:
                name = f"{priority}_{kind}"
                both = f"{priority.label}, {label}"
                self.fields[name] = forms.CharField(label=both, required=False, max_length=40, widget=forms.TextInput(SMALL))
                self.initial[name] = write_length(stored.get(kind))

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The table of targets, a row for each priority."""
        for name in self.errors:
            if name in self.fields:
                self.fields[name].widget.attrs |= {"aria-invalid": "true", "aria-describedby": f"id_{name}_error"}
        return [
            {
                "priority": priority.label,
                "hours": self[f"{priority}_hours"],
                "cells": [self[f"{priority}_{kind}"] for kind, _label in KINDS],
            }
            for priority in PRIORITIES
        ]

    @property
    def heads(self) -> list[Any]:
        return [label for _kind, label in KINDS]

    def clean_name(self) -> str:
        return names.unlike(self.cleaned_data["name"], self.instance.name, Policy.objects.exclude(pk=self.instance.pk))

    def clean_warn_minutes(self) -> int:
        minutes = int(self.cleaned_data["warn_minutes"])
        if not 1 <= minutes <= 7 * 24 * 60:
            raise forms.ValidationError(_("Give 1 to 10080 minutes, which is a week."))
        return minutes

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        targets: dict[str, Any] = {}
        for priority in PRIORITIES:
            hours = said.get(f"{priority}_hours", Hours.BUSINESS)
            row: dict[str, Any] = {"hours": hours}
            for kind, _label in KINDS:
                name = f"{priority}_{kind}"
                try:
                    row[kind] = read_length(str(said.get(name) or ""), days=hours == Hours.CALENDAR)
                except NotLength as error:
                    self.add_error(name, str(error))
            if any(row.get(kind) for kind, _label in KINDS):
                targets[priority] = row
            if row.get("resolution") and (row.get("first_reply") or 0) > row["resolution"]:
                self.add_error(f"{priority}_resolution", _("It would be solved before it is answered: give it more time."))
        if not targets and not self.errors:
            self.add_error(f"{PRIORITIES[0]}_first_reply", _("Promise at least one thing for one priority."))
        in_hours = [priority for priority, row in targets.items() if row["hours"] == Hours.BUSINESS]
        if in_hours and not said.get("calendar") and not Calendar.objects.exists():
            self.add_error("calendar", _("There is no calendar yet, so no working time would pass. Add one first."))
        else:
            for of, kind, calendar in Lasting().never(targets, getattr(said.get("calendar"), "pk", None)):
                self.add_error(f"{of}_{kind}", _("In “%s” that takes more than ten years.") % calendar)
        self.instance.targets = targets
        return said

    def refuse(self, asked: forms.Form) -> bool:
        """A policy cannot ask about the clocks that it makes; False when it does not."""
        if not (own := asks_about_clocks(getattr(asked, "tree", None))):
            return False
        asked.add_error(None, _("A policy cannot ask about “%s”: that is what it decides.") % own)
        return True

    @property
    def promises_otherwise(self) -> bool:
        """Whether it is on and would promise something else now; for once its conditions are set. A name or a warning is none."""
        same = {"name": "", "warn_minutes": 0}
        return bool(self.instance.is_on and self.before and self.before | same != self._facts() | same)

    def _facts(self) -> dict[str, Any]:
        policy = self.instance
        return {
            "name": policy.name,
            "conditions": words(policy),
            **{f"{Priority(priority).label}": _promised(row) for priority, row in policy.targets.items()},
            "pauses": list(policy.pauses),
            "warn_minutes": policy.warn_minutes,
            "calendar": str(policy.calendar or ""),
        }

    def keep(self, *, by: Any) -> Policy:
        self.instance.conditions = self.tree
        return super().keep(by=by)

    def _write(self) -> None:
        policy = self.instance
        if policy.pk:
            if self.before is not None and self.before | {"name": ""} == self._facts() | {"name": ""}:
                policy.save(update_fields=["name"])  # it promises what it did
                return
            policy.version, policy.changed_at = policy.version + 1, now()
            policy.save(update_fields=[*self.Meta.fields, "targets", "conditions", "version", "changed_at"])
            if Policy.objects.filter(pk=policy.pk, is_on=True).exists():
                recounts.ask(_now("the policy “%s” changed") % policy.name)
        else:
            order.first(policy)
            policy.is_on = False
            policy.save()


def words(policy: Policy) -> str:
    """For whom it is, as a sentence; one that asks for a field which is gone says so."""
    if not policy.conditions or policy.conditions == {"all": []}:
        return _now("every ticket")
    try:
        return conditions.words(policy.conditions, SUBJECT)
    except conditions.ConditionError as error:
        return _now("Cannot be read any more: %(error)s") % {"error": error.message}


def targets_in_words(policy: Policy) -> list[tuple[str, str]]:
    """Priorities with the same promise, and what it is: "Urgent, High", "First reply 1 h, Around the clock"."""
    said: dict[str, list[str]] = {}
    for priority in PRIORITIES:
        words = _promised(policy.targets.get(priority) or {})
        said.setdefault(words or _now("nothing is promised"), []).append(str(priority.label))
    return [(", ".join(names), words) for words, names in said.items()]


def _promised(row: dict[str, Any]) -> str:
    parts = [f"{label} {write_length(row[kind])}" for kind, label in KINDS if row.get(kind)]
    return ", ".join([*parts, str(Hours(row["hours"]).label)]) if parts else ""
