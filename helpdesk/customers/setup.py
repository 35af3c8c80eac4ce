"""What managers and admins set up about customers: subscriptions and custom fields."""

from typing import Any

from django import forms
from django.utils.text import slugify
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts import names
from helpdesk.accounts.removal import Tie, Use, Uses
from helpdesk.accounts.setup import SetupForm
from helpdesk.customers import definitions, values
from helpdesk.customers.models import FieldChoice, FieldDefinition, Subscription
from helpdesk.lib.conditions import query

Type = FieldDefinition.Type
MOST = 20  # choices taken out at once whose uses are looked up


TICKET_TYPES = ["Question", "Problem", "Incident", "Task"]
# a field that most desks want; the form of a new one can begin with it
TYPE_OF_TICKET = {
    "subject": FieldDefinition.Subject.TICKET,
    "label": _("Type"),
    "key": "type",
    "type": Type.CHOICE,
    "options": "\n".join(TICKET_TYPES),
}


class SubscriptionForm(SetupForm):
    noun = "subscription"
    told = ("name", "slug", "description", "opt_in")

    class Meta:
        model = Subscription
        fields = ["name", "slug", "description", "opt_in"]
        labels = {
            "name": _("Name"),
            "slug": _("Short name"),
            "description": _("What they get, and how often"),
            "opt_in": _("Only for those who said yes"),
        }
        help_texts = {
            "name": _("Customers read it when they choose."),
            "slug": _("For the API. It cannot be changed later."),
            "opt_in": _("Without this, everybody gets it until they say no."),
        }
        widgets = {"description": forms.Textarea(attrs={"rows": 2})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["slug"].required = False
        self.fields["slug"].disabled = self.instance.pk is not None

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        if not said.get("slug") and "slug" not in self.errors:
            said["slug"] = slugify(said.get("name", ""))[:60]
            if not said["slug"]:
                self.add_error("slug", _("Give it a short name of letters and digits."))
        return said


def reserved(subject: str) -> set[str]:
    """The keys that a custom field cannot have: each would be a second meaning of a word that searches and texts know.

    Tickets are also searched by the fields of their customers and companies.
    """
    return query.taken("ticket") | query.taken(subject) | set(values.OURS.get(subject, ()))


class FieldForm(SetupForm):
    noun = "field"
    told = ("subject", "label", "key", "type", "choices", "target", "hint")
    subject = forms.ChoiceField(label=_("About"), choices=FieldDefinition.Subject.choices)  # without "nothing"
    options = forms.CharField(
        label=_("Choices"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("One a line; for a choice, or for several choices."),
    )

    class Meta:
        model = FieldDefinition
        fields = ["subject", "label", "key", "type", "target", "hint"]
        labels = {
            "label": _("Name"),
            "key": _("Key"),
            "type": _("It holds"),
            "target": _("What it points to"),
            "hint": _("Hint"),
        }
        error_messages = {"key": {"invalid": _("Letters, digits, hyphens and underscores make a key.")}}
        help_texts = {
            "key": _("The name of the attribute in the API, such as renews_on. It cannot be changed later."),
            "target": _("For somebody or something we know; such a field is not asked of customers."),
            "hint": _("Stands beside the field wherever it is filled in; on a form customers read it."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["options"] = "\n".join(self.instance.choices)
        for name in ("subject", "key", "type", "target"):
            self.fields[name].disabled = self.instance.pk is not None

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        lines = list(dict.fromkeys(line.strip()[:200] for line in said.get("options", "").splitlines() if line.strip()))
        chosen = said.get("type") in (Type.CHOICE, Type.MULTI)
        if chosen and not lines:
            self.add_error("options", _("Give at least one choice."))
        self.instance.choices = lines[:200] if chosen else []
        others = FieldDefinition.objects.filter(subject=said.get("subject")).exclude(pk=self.instance.pk)
        if label := said.get("label"):
            try:
                said["label"] = names.unlike(label, self.instance.label, others, "label")
            except forms.ValidationError as error:
                self.add_error("label", error)
        if self.instance.pk is None and (key := said.get("key")):
            if beside := others.filter(key__iexact=key).first():
                self.add_error("key", _("The field “%(label)s” has the key %(key)s.") % {"label": beside, "key": beside.key})
            elif key.lower() in reserved(said.get("subject", "")):
                told = _("“%(key)s” is a name of ours, in the search box or in texts. Choose another, such as %(other)s.")
                self.add_error("key", told % {"key": key, "other": f"{key.lower()}_code"})
        if said.get("type") == Type.LOOKUP and not said.get("target"):
            self.add_error("target", _("Say what it points to."))
        if said.get("type") != Type.LOOKUP:
            said["target"] = ""
        return said

    def asks(self) -> list[tuple[str, list[Use]]]:
        """The choices that are taken out and that something names, each with what does."""
        gone = [each for each in (self.before or {}).get("choices", []) if each not in self.instance.choices]
        every = [(each, Uses(FieldChoice(self.instance, each)).found) for each in gone[:MOST]]
        if gone[MOST:]:
            every.append(
                (", ".join(gone[MOST:]), [Use(Tie.KEEPS, _now("So many at once are not looked up: something may name them."))])
            )
        return [(choice, found) for choice, found in every if found]

    def _write(self) -> None:
        super()._write()
        definitions.forget()
