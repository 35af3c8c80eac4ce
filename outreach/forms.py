"""What a manager fills in: the campaign, when and whether, and its messages; whom it means is a ConditionsForm."""

import re
from typing import Any

from django import forms
from django.forms import BaseFormSet, formset_factory
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from helpdesk.customers.conditions_form import ConditionsForm
from helpdesk.knowledge.models import Topic
from outreach import journeys, messages, triggers
from outreach.models import Campaign, Version, open_ticket

UNITS = {"minutes": 60, "hours": 3600, "days": 86400}
UNIT_CHOICES = [("minutes", gettext_lazy("minutes")), ("hours", gettext_lazy("hours")), ("days", gettext_lazy("days"))]
PATH = r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*"
KIND = r"^[\w.:-]+( [\w.:-]+)*$"  # of an event
MAX_MESSAGES = 10
NO_KIND = gettext_lazy("Write it as your systems send it: letters, digits and _ . : - such as order_shipped.")
NO_KEY = gettext_lazy(
    "Write the name of one value of the event, as your systems send it: order_id, or order.id for the id inside order."
)


class CampaignForm(forms.ModelForm):
    waits = forms.BooleanField(
        label=gettext_lazy("Wait while a ticket of theirs is open"),
        required=False,
        help_text=gettext_lazy("14 days at most. Transactional messages never wait."),
    )

    class Meta:
        model = Campaign
        fields = ["name", "klass", "subscription", "topic", "mailbox"]
        widgets = {"klass": forms.RadioSelect}
        help_texts = {
            "name": gettext_lazy("Only you and your colleagues read it."),
            "subscription": gettext_lazy("What people say yes or no to. Transactional messages need none."),
            "topic": gettext_lazy("What answers will be about."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, nothing in (("subscription", _("None")), ("topic", _("None")), ("mailbox", _("The usual mailbox"))):
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)  # noqa: S101  what a foreign key gets
            field.empty_label = nothing
            if name == "topic":
                field.queryset = Topic.objects.living(keeping=[self.instance.topic_id])
        self.initial["waits"] = bool(self.instance.holds)
        self.kept_holds = self.instance.holds

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("klass") != Campaign.Klass.TRANSACTIONAL and not data.get("subscription"):
            self.add_error("subscription", _("Choose a subscription, so that people can say no to it."))
        return data

    def save(self, commit: bool = True) -> Campaign:
        # a hold in words of their own, made by the API, survives a visit to this form
        self.instance.holds = (self.kept_holds or open_ticket()) if self.cleaned_data["waits"] else {}
        return super().save(commit)


class VersionForm(forms.Form):
    trigger_kind = forms.RegexField(
        KIND,
        label=gettext_lazy("It starts when this happens"),
        max_length=80,
        help_text=gettext_lazy("The kind of an event, such as order_shipped; play.requested where only rules start it."),
        error_messages={"invalid": NO_KIND},
    )
    entry_key = forms.RegexField(
        f"^{PATH}$",
        label=gettext_lazy("Once for each"),
        required=False,
        max_length=120,
        help_text=gettext_lazy("What tells two times apart, such as order_id. Empty: once a customer."),
        error_messages={"invalid": NO_KEY},
    )
    exit_kind = forms.RegexField(
        KIND,
        label=gettext_lazy("It ends when this happens"),
        required=False,
        max_length=80,
        help_text=gettext_lazy("Such as order_cancelled, for the same order."),
        error_messages={"invalid": NO_KIND},
    )
    quiet_from = forms.TimeField(
        label=gettext_lazy("Quiet from"),
        required=False,
        help_text=gettext_lazy("On the customer’s own clock."),
        widget=forms.TimeInput(format="%H:%M", attrs={"type": "time"}),
    )
    quiet_until = forms.TimeField(
        label=gettext_lazy("Quiet until"),
        required=False,
        help_text=gettext_lazy("The next morning, if that is earlier."),
        widget=forms.TimeInput(format="%H:%M", attrs={"type": "time"}),
    )
    cap = forms.IntegerField(
        label=gettext_lazy("Messages at most"),
        required=False,
        min_value=1,
        max_value=100,
        help_text=gettext_lazy("From all campaigns together. Empty: no limit."),
    )
    cap_days = forms.IntegerField(
        label=gettext_lazy("Within so many days"),
        min_value=1,
        max_value=90,
        help_text=gettext_lazy("Counted back from each message."),
    )

    def __init__(self, *args: Any, kinds: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kinds = kinds
        for name in ("trigger_kind", "exit_kind"):
            self.fields[name].widget.attrs |= {"list": "kinds", "autocomplete": "off", "spellcheck": "false"}

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        for name in ("trigger_kind", "exit_kind"):
            if data.get(name) and not triggers.starts_something(data[name]):
                self.add_error(name, _("“%s” is a kind of our own that starts and ends nothing.") % data[name])
        if data.get("trigger_kind") == journeys.PLAY and data.get("entry_key"):
            self.add_error("entry_key", _("A rule starts it once a ticket. Leave this empty."))
        if data.get("exit_kind") == journeys.PLAY:
            self.add_error("exit_kind", _("What rules start ends nothing."))
        elif data.get("exit_kind") and data["exit_kind"] == data.get("trigger_kind"):
            self.add_error("exit_kind", _("What ends it cannot be what starts it."))
        if bool(data.get("quiet_from")) != bool(data.get("quiet_until")) and not self.errors:
            self.add_error("quiet_until", _("Give both ends of the quiet hours, or none."))
        return data


class MessageForm(forms.Form):
    """A wait and the message after it."""

    wait = forms.IntegerField(label=gettext_lazy("Wait"), min_value=0, max_value=9999)
    unit = forms.ChoiceField(label=gettext_lazy("Unit"), choices=UNIT_CHOICES)
    subject = forms.CharField(label=gettext_lazy("Subject"), max_length=300)
    body = forms.CharField(
        label=gettext_lazy("Text"),
        max_length=20_000,
        strip=True,
        widget=forms.Textarea(attrs={"rows": 10}),
        help_text=gettext_lazy("Markdown. {{ customer.first_name }}, {{ company.name }} and {{ event.order_id }} are filled in."),
    )
    fallbacks = forms.CharField(
        label=gettext_lazy("When something is not known"),
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("A line for each value that can be missing: customer.first_name: there"),
    )
    too_late = forms.IntegerField(
        label=gettext_lazy("Too late after, in hours"),
        required=False,
        min_value=1,
        max_value=9999,
        help_text=gettext_lazy("Held longer than this, it is not sent. Empty: never too late."),
    )

    def clean_fallbacks(self) -> dict[str, str]:
        found = {}
        for line in self.cleaned_data["fallbacks"].splitlines():
            path, colon, text = line.partition(":")
            if not line.strip():
                continue
            if not colon or not re.fullmatch(PATH, path.strip()) or not text.strip():
                raise forms.ValidationError(_("“%s”: write a name, a colon and a text.") % line.strip()[:60])
            found[path.strip()] = text.strip()
        return found

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        for name in ("subject", "body"):
            if name in data and (faults := messages.faults({name: data[name]})):
                self.add_error(name, faults[0])
        return data

    def steps(self) -> list[dict[str, Any]]:
        data = self.cleaned_data
        seconds = data["wait"] * UNITS[data["unit"]]
        late = data["too_late"]
        send = {
            "do": "send",
            "subject": data["subject"],
            "body": data["body"],
            "fallbacks": data["fallbacks"],
            "too_late": late * 3600 if late else None,
        }
        return [{"do": "wait", "seconds": seconds}, send] if seconds else [send]


MessageFormSet = formset_factory(MessageForm, extra=0, min_num=1, max_num=MAX_MESSAGES, validate_max=True)


def initial_messages(version: Version) -> list[dict[str, Any]]:
    """The steps as forms show them: each message with the waits before it added up."""
    found, seconds = [], 0
    for step in version.steps:
        if step["do"] == "wait":
            seconds += step["seconds"]
            continue
        unit = next((name for name, length in reversed(UNITS.items()) if seconds and seconds % length == 0), "days")
        lines = [f"{path}: {text}" for path, text in step.get("fallbacks", {}).items()]
        late = step.get("too_late")
        found.append(
            {
                "wait": seconds // UNITS[unit],
                "unit": unit,
                "subject": step["subject"],
                "body": step["body"],
                "fallbacks": "\n".join(lines),
                "too_late": late // 3600 if late else None,
            }
        )
        seconds = 0
    return found or [{"wait": 1, "unit": "days"}]


def initial_version(version: Version) -> dict[str, Any]:
    names = ("trigger_kind", "entry_key", "exit_kind", "quiet_from", "quiet_until", "cap", "cap_days")
    return {name: getattr(version, name) for name in names}


def written(version_form: VersionForm, steps: BaseFormSet, asked: ConditionsForm) -> dict[str, Any]:
    """What a version is to say, by three valid forms."""
    messages_and_waits = [step for form in steps for step in form.steps()]
    return {**version_form.cleaned_data, "conditions": asked.tree or {"all": []}, "steps": messages_and_waits}


def save(campaign_form: CampaignForm, version: Version, values: dict[str, Any]) -> None:
    """Write both down; the caller has validated them and holds the transaction."""
    version.campaign = campaign_form.save()
    for name, value in values.items():
        setattr(version, name, value)
    version.save()
