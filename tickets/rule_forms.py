"""What a manager fills in about rules and paths of escalation. What a rule asks for is a ConditionsForm beside it."""

from typing import Any

from django import forms
from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts import names
from helpdesk.accounts.models import Team, User
from helpdesk.accounts.setup import SetupForm
from helpdesk.customers import definitions, inputs
from helpdesk.customers.models import FieldDefinition
from helpdesk.knowledge.models import Answer, Topic
from helpdesk.lib.forms import choice
from helpdesk.lib.liquid import BadTemplate
from helpdesk.mail.models import Webhook
from tickets.forms import TagsField, people
from tickets.models import EscalationPath, EscalationStep, Priority, RuleKind
from tickets.models.clocks import Hours
from tickets.rules.actions import NOBODY, STATUSES, Play, check_note
from tickets.rules.keeping import Wording
from tickets.rules.meetings import HAPPENED
from tickets.rules.timers import SINCE

LEAVE = ("", _("leave it"))
WORKING = "working_"
UNITS = {"minutes": 1, "hours": 60, "days": 1440, WORKING + "minutes": 1, WORKING + "hours": 60}
UNIT_CHOICES = [
    (_("Around the clock"), [("minutes", _("minutes")), ("hours", _("hours")), ("days", _("days"))]),
    (_("In the hours of its team"), [(WORKING + "minutes", _("working minutes")), (WORKING + "hours", _("working hours"))]),
]
LONGEST = 365  # days
MOST_BYTES = 1_000_000  # of a file of rules
PLAIN = ("status", "priority", "language", "topic", "team", "add_tags", "remove_tags", "note", "webhook", "play", "reply")


def _choice(label: Any, model: Any, rows: QuerySet[Any] | None = None, empty: Any = LEAVE[1]) -> forms.ModelChoiceField:
    chosen = getattr(model.objects, "living", model.objects.all)() if rows is None else rows
    return forms.ModelChoiceField(chosen, label=label, required=False, empty_label=empty)


class RuleForm(forms.Form):
    """When, and what then. Everything under "then" that is left empty is left alone."""

    name = forms.CharField(label=_("Name"), max_length=120, help_text=_("Customers never see it; the ticket says it."))
    happened = forms.MultipleChoiceField(
        label=_("Only when"),
        required=False,
        choices=list(HAPPENED.items()),
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None: whatever changes."),
    )
    count = forms.IntegerField(label=_("How long after it"), min_value=1, max_value=525_600, required=False)
    unit = forms.ChoiceField(label=_("Unit"), choices=UNIT_CHOICES)
    since = forms.ChoiceField(label=_("It counts from when"), choices=[(key, label) for key, (label, _column) in SINCE.items()])

    status = forms.ChoiceField(label=_("Status"), required=False, choices=[LEAVE, *STATUSES])
    priority = forms.ChoiceField(label=_("Priority"), required=False, choices=[LEAVE, *Priority.choices])
    language = forms.ChoiceField(label=_("Language"), required=False, choices=[LEAVE, *settings.SPOKEN_LANGUAGES])
    topic = _choice(_("Topic"), Topic)
    team = _choice(_("Team"), Team)
    assignee = forms.ChoiceField(label=_("Assignee"), required=False)
    add_tags = TagsField(label=_("Add tags"), required=False, max_length=2000, help_text=_("With commas between them."))
    remove_tags = TagsField(label=_("Take tags away"), required=False, max_length=2000)
    emptied = forms.MultipleChoiceField(label=_("Empty these"), required=False, widget=forms.CheckboxSelectMultiple)
    note = forms.CharField(
        label=_("Write a note"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_(
            "Markdown. The team alone reads it, in the conversation, as this rule’s. {{ customer.name }}, {{ company.name }} "
            "and {{ ticket.number }} are filled in."
        ),
    )
    escalate_path = _choice(_("Escalate by"), EscalationPath, empty=_("no path"))
    escalate_reason = forms.CharField(label=_("For the reason"), required=False, max_length=200)
    notify_assignee = forms.BooleanField(label=_("Tell the assignee"), required=False)
    notify_team = _choice(_("Tell a team"), Team, empty=_("none"))
    notify_people = forms.ModelMultipleChoiceField(
        User.objects.active(), label=_("Tell these people"), required=False, widget=forms.CheckboxSelectMultiple
    )
    notify_words = forms.CharField(label=_("In these words"), required=False, max_length=150)
    webhook = _choice(_("Tell another tool"), Webhook, empty=_("none"))
    play = _choice(_("Start a campaign for the customer"), Play, empty=_("none"))
    reply = _choice(
        _("Answer the customer with"), Answer, Answer.objects.filter(archived_at=None).order_by("title"), empty=_("no answer")
    )

    def __init__(self, data: Any = None, *, kind: str, wording: Wording | None = None) -> None:
        self.kind = kind
        super().__init__(data, initial=self._initial(wording) if wording else {"unit": "hours"})
        choice(self, "assignee").choices = [
            LEAVE, (NOBODY, _("Nobody")), *((str(user.pk), str(user)) for user in people())
        ]  # fmt: skip
        kept = wording.actions if wording else {}
        choice(self, "topic").queryset = Topic.objects.living(keeping=[kept.get("topic")])
        self.known = list(definitions.of(FieldDefinition.Subject.TICKET).values())
        choice(self, "emptied").choices = [(each.key, each.label) for each in self.known]
        if not self.known:
            del self.fields["emptied"]
        for each in self.known:
            kept_value = kept.get("attributes", {}).get(each.key)
            self.fields[inputs.name_of(each)] = inputs.field(each, kept_value, empty=LEAVE[1])
        offered = Q(pk__in=Play.objects.startable().values("pk")) | Q(pk=kept.get("play"))
        choice(self, "play").queryset = Play.objects.filter(offered).order_by("name")
        for name in ("happened",) if kind != RuleKind.UPDATE else ():
            del self.fields[name]
        for name in ("count", "unit", "since") if kind != RuleKind.TIME else ():
            del self.fields[name]
        if kind == RuleKind.TIME:
            self.fields["count"].required = True

    def _initial(self, wording: Wording) -> dict[str, Any]:
        does = dict(wording.actions)
        path, told = does.pop("escalate", {}), does.pop("notify", {})
        given = does.pop("attributes", {})
        fields = inputs.initial({key: value for key, value in given.items() if value is not None})
        units = (WORKING + "hours", WORKING + "minutes") if wording.hours == Hours.BUSINESS else ("days", "hours", "minutes")
        unit = next(unit for unit in units if wording.minutes % UNITS[unit] == 0)
        return {
            "name": wording.name,
            "happened": wording.happened,
            "since": wording.since,
            "count": wording.minutes // UNITS[unit] or None,
            "unit": unit if wording.minutes else "hours",
            **does,
            **fields,
            "emptied": [key for key, value in given.items() if value is None],
            "assignee": str(does.get("assignee", "")),
            "escalate_path": path.get("path"),
            "escalate_reason": path.get("reason", ""),
            "notify_people": told.get("people", []),
            "notify_team": told.get("team"),
            "notify_assignee": told.get("assignee", False),
            "notify_words": told.get("words", ""),
        }

    def clean_note(self) -> str:
        text = "\n".join(self.cleaned_data["note"].splitlines())
        try:
            check_note(text)
        except BadTemplate as error:
            raise forms.ValidationError(str(error)) from error
        return text

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        if said.get("escalate_path") and not said.get("escalate_reason"):
            self.add_error("escalate_reason", _("Say why: whoever gets it reads this first."))
        if said.get("escalate_reason") and not said.get("escalate_path") and "escalate_path" not in self.errors:
            self.add_error("escalate_path", _("Choose by which path."))
        if both := [each.label for each in self.known if each.key in said.get("emptied", ()) and each.key in self._given(said)]:
            self.add_error("emptied", _("Set it or empty it: %s") % ", ".join(both))
        if self.kind == RuleKind.TIME and said.get("count") and said["count"] * UNITS[said.get("unit", "days")] > LONGEST * 1440:
            self.add_error("count", _("At most a year."))
        if not self.errors and not self.actions():
            raise forms.ValidationError(_("Say what the rule does: choose at least one thing under “Then”."))
        return said

    @property
    def described(self) -> list[forms.BoundField]:
        """The custom fields of tickets; one that is left empty is left alone."""
        return [self[inputs.name_of(each)] for each in self.known]

    @property
    def sets_fields(self) -> bool:
        """Whether any of them is set, or wrong: then they are shown."""
        emptied = [self["emptied"]] if self.known else []
        return any(each.value() or each.errors for each in [*self.described, *emptied])

    def _given(self, said: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in inputs.said(self.known, said).items() if value is not None}

    def actions(self) -> dict[str, Any]:
        """What was chosen, as a version keeps it: ids and plain values."""
        said = self.cleaned_data
        does = {name: getattr(said[name], "pk", said[name]) for name in PLAIN if said.get(name)}
        if given := self._given(said) | dict.fromkeys(said.get("emptied", ())):
            does["attributes"] = given
        if said.get("assignee"):
            does["assignee"] = NOBODY if said["assignee"] == NOBODY else int(said["assignee"])
        if said.get("escalate_path"):
            does["escalate"] = {"path": said["escalate_path"].pk, "reason": said["escalate_reason"]}
        told = {
            "people": sorted(user.pk for user in said.get("notify_people") or ()),
            "team": said["notify_team"].pk if said.get("notify_team") else None,
            "assignee": said.get("notify_assignee", False),
        }
        if any(told.values()):
            does["notify"] = {key: value for key, value in (told | {"words": said.get("notify_words", "")}).items() if value}
        return does

    def wording(self, tree: dict[str, Any]) -> Wording:
        """All that was said; call it when both forms are valid."""
        said = self.cleaned_data
        minutes = said["count"] * UNITS[said["unit"]] if self.kind == RuleKind.TIME else 0
        hours = Hours.BUSINESS if said.get("unit", "").startswith(WORKING) else Hours.CALENDAR
        happened, since = said.get("happened", []), said.get("since", "")
        return Wording(said["name"], tree, self.actions(), happened, since, minutes, hours)


class ImportForm(forms.Form):
    """A file's text comes into the field below it, so that it stays when something in it is wrong."""

    file = forms.FileField(label=_("A file of rules"), required=False, widget=forms.FileInput(attrs={"accept": ".json"}))
    source = forms.CharField(
        label=_("Or its text, as JSON"),
        required=False,
        max_length=MOST_BYTES,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 16, "spellcheck": "false"}),
        help_text=_("As Export gives them. A rule whose name is known says this from now on; a new one comes switched off."),
    )
    leave_out = forms.BooleanField(
        label=_("Leave out what cannot be brought"),
        required=False,
        help_text=_("Rules that name a team, a person or an answer that is not here, and bring the others."),
    )
    live = forms.BooleanField(
        label=_("Change rules that are on"),
        required=False,
        help_text=_("What the file says of them holds at once. Try it on their pages first, or switch them off."),
    )

    def __init__(self, data: Any = None, files: Any = None) -> None:
        super().__init__(data, files)
        self.fault: Any = ""
        if not (chosen := self.files.get("file")):
            return
        if data.get("source", "").strip():
            self.fault = _("A file, or its text below: not both.")
        elif (chosen.size or 0) > MOST_BYTES:
            self.fault = _("It has more than a million bytes.")
        else:
            try:
                self.data = data | {"source": chosen.read().decode("utf-8-sig")}
            except UnicodeDecodeError:
                self.fault = _("It is not written in UTF-8.")

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        if self.fault:
            self.add_error("file", self.fault)
        elif not said.get("source") and "source" not in self.errors:
            self.add_error("source", _("Choose a file, or put its text here."))
        return said

    def said(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if name != "file"}


class PathForm(SetupForm):
    """A path with its steps; an empty row at the end begins the next step."""

    noun = "path"
    told = ("name", "is_enabled", "steps_told")

    class Meta:
        model = EscalationPath
        fields = ["name", "is_enabled"]
        labels = {"name": _("Name"), "is_enabled": _("In use")}
        help_texts = {"name": _("What it is for, such as “Data loss” or “Angry customer”.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        instance = kwargs.get("instance")
        steps = list(instance.steps.select_related("user", "team", "webhook")) if instance and instance.pk else []
        if instance is not None:
            instance.steps_told = [_told(step) for step in steps]
        super().__init__(*args, **kwargs)
        self.fields["is_enabled"].disabled = bool(instance and instance.archived_at)
        known = [{"to": _key(step), "minutes": step.minutes} for step in steps]
        self.places = max(len(known) + 2, 3)
        choices = [("", _("nobody")), *_whom([step.team_id for step in steps])]
        for n in range(self.places):
            was = known[n] if n < len(known) else {}
            self.fields[f"to{n}"] = forms.ChoiceField(
                label=_("Step %d goes to") % (n + 1), choices=choices, required=False, initial=was.get("to", "")
            )
            self.fields[f"minutes{n}"] = forms.IntegerField(
                label=_("Minutes without an answer until the next"),
                required=False, min_value=1, max_value=43_200, initial=was.get("minutes"),
            )  # fmt: skip

    def clean_name(self) -> str:
        return names.unlike(self.cleaned_data["name"], self.instance.name, EscalationPath.objects.exclude(pk=self.instance.pk))

    @property
    def step_fields(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        """Whom, and after how long without an answer the next."""
        return [(self[f"to{n}"], self[f"minutes{n}"]) for n in range(self.places)]

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        rows = [(said.get(f"to{n}"), said.get(f"minutes{n}")) for n in range(self.places)]
        self.steps = [_step(place, to, minutes) for place, (to, minutes) in enumerate(row for row in rows if row[0])]
        if not self.steps and not self.errors:
            self.add_error("to0", _("Say to whom a ticket goes first."))
        self.instance.steps_told = [_told(step) for step in self.steps]
        return said

    def _write(self) -> None:
        super()._write()
        self.instance.steps.all().delete()
        for step in self.steps:
            step.path = self.instance
        EscalationStep.objects.bulk_create(self.steps)


def _whom(kept: list[int | None]) -> list[Any]:
    """Everybody and everything a ticket can be escalated to, by kind; and the teams that it went to so far, ``kept``."""
    kinds = (
        (_("People"), "user", people()),
        (_("Teams"), "team", Team.objects.living(kept)),
        (_("Other tools"), "webhook", Webhook.objects.all()),
    )
    return [(label, [(f"{kind}:{each.pk}", str(each)) for each in rows]) for label, kind, rows in kinds]


def _key(step: EscalationStep) -> str:
    return next((f"{kind}:{pk}" for kind in ("user", "team", "webhook") if (pk := getattr(step, f"{kind}_id"))), "")


def _step(place: int, to: Any, minutes: int | None) -> EscalationStep:
    kind, _colon, pk = str(to).partition(":")
    return EscalationStep(position=place, minutes=minutes, **{f"{kind}_id": int(pk)})


def _told(step: EscalationStep) -> dict[str, Any]:
    return {"to": _key(step), "name": str(step), "minutes": step.minutes}


class EscalateForm(forms.Form):
    """``seen`` is how often the ticket had been escalated when the page was shown."""

    path = forms.ModelChoiceField(EscalationPath.objects.filter(is_enabled=True), label=_("By"), empty_label=None)
    reason = forms.CharField(
        label=_("Why"),
        max_length=300,
        help_text=_("Whoever gets it reads this first. It stays with the ticket."),
    )
    seen = forms.IntegerField(min_value=0, max_value=32_000, widget=forms.HiddenInput)
