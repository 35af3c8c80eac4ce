"""What people send us, checked: the public form, the composer, a ticket's properties."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.core import signing
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts.access import AGENTS
from helpdesk.accounts.models import Team, User
from helpdesk.customers import definitions, inputs
from helpdesk.customers.identity import BadAddress, canonical
from helpdesk.customers.models import FieldDefinition
from helpdesk.knowledge.models import Topic
from helpdesk.lib import languages
from helpdesk.lib.dates import now
from helpdesk.lib.forms import choice
from tickets import attachments
from tickets.models import Draft, Status, Ticket
from tickets.models.terms import TAG

MAX_TEXT = 50_000  # characters
QUICKEST = timedelta(seconds=2)  # sooner, it is a machine, or a browser that filled in the form: we ask for a second press
LONGEST = timedelta(hours=24)
SALT = "tickets.submit"
BESIDE = {"csrfmiddlewaretoken", "kept"}  # what a form of the composer sends beside its fields


class ManyFiles(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Several files; too many, too large or empty ones are said by name."""

    widget = ManyFiles

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        files = [each for each in (data if isinstance(data, list | tuple) else [data]) if each]
        if fault := attachments.too_much([file.size for file in files]):
            raise forms.ValidationError(fault)
        return [super(FilesField, self).clean(file, initial) for file in files]


def nonce() -> str:
    """A signed name for one showing of the form, with its time: it can be sent once, not at once, and not for ever."""
    return signing.dumps([secrets.token_urlsafe(16), int(now().timestamp())], salt=SALT)


class SubmitForm(forms.Form):
    topic = forms.ModelChoiceField(
        Topic.objects.none(),
        label=_("What is it about?"),
        required=False,
        empty_label=_("Something else"),
        widget=forms.RadioSelect,
    )
    name = forms.CharField(label=_("Your name"), max_length=120, required=False)
    email = forms.CharField(
        label=_("Your email"), max_length=254, help_text=_("We answer here and use it for nothing else."), widget=forms.EmailInput
    )
    subject = forms.CharField(label=_("In a few words"), max_length=200)
    text = forms.CharField(
        label=_("What happened, and what did you expect?"), max_length=MAX_TEXT, widget=forms.Textarea({"rows": 6})
    )
    files = FilesField(label=_("Files"), required=False)  # type: ignore[assignment]
    website = forms.CharField(required=False, max_length=500, label=_("Leave this empty"))  # a trap: people do not see it
    nonce = forms.CharField(widget=forms.HiddenInput, max_length=300, required=False)
    once = ""  # the name of this showing, where it can still be sent

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice(self, "topic").queryset = Topic.objects.living().filter(is_public=True)

    def clean_email(self) -> str:
        address = self.cleaned_data["email"].strip()
        try:
            canonical(address)
        except BadAddress as error:
            raise forms.ValidationError(
                _("This is no email address, so we could not answer. It looks like name@example.org.")
            ) from error
        return address

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        # A machine is told nothing: it believes that it was heard. Only the trap is proof enough for that.
        self.is_machine = bool(data.get("website"))
        try:
            once, shown = signing.loads(data.get("nonce", ""), salt=SALT)
        except (signing.BadSignature, ValueError, TypeError):
            self.renew()
            raise forms.ValidationError(_("Please look over the form and press Send again.")) from None
        age = now() - datetime.fromtimestamp(shown, UTC)
        if age > LONGEST:
            self.renew()
            raise forms.ValidationError(_("This page was open for a long time. Please press Send again."))
        self.once = str(once)
        if age < QUICKEST and not self.is_machine:  # with the same nonce: its time has passed when they press again
            raise forms.ValidationError(_("That was very quick, so we ask whether it was meant. Please press Send again."))
        return data

    def full_clean(self) -> None:
        """No browser keeps files on a page that comes back, so it says that they must be chosen again."""
        super().full_clean()
        if self._errors and self.files and "files" not in self._errors:  # type: ignore[attr-defined]
            self.add_error("files", _("Please choose your files again."))

    def renew(self) -> None:
        """The page that comes back carries a fresh nonce, and everything that was typed."""
        self.data = self.data.copy()  # type: ignore[attr-defined]
        self.data["nonce"] = nonce()  # type: ignore[index]


class AddressesField(forms.CharField):
    """Addresses with commas between them."""

    def __init__(self) -> None:
        super().__init__(max_length=10_000, required=False)

    def clean(self, value: Any) -> list[str]:
        return [part.strip() for part in super().clean(value).replace(";", ",").split(",") if part.strip()]


class ComposeForm(forms.Form):
    """A reply, a note or a forward. ``seen`` is the last message on the page, ``once`` names this showing of the composer."""

    kind = forms.ChoiceField(choices=Draft.KINDS)
    text = forms.CharField(max_length=MAX_TEXT, required=False)
    cc = AddressesField()
    bcc = AddressesField()
    to = AddressesField()  # of a forward
    forwards = forms.IntegerField(min_value=1, max_value=2**63 - 1, required=False)  # the message that it passes on
    with_files = forms.BooleanField(required=False)  # and what came with that
    status = forms.ChoiceField(choices=[("", ""), *Status.choices[:-1]], required=False)  # all but spam
    seen = forms.IntegerField(min_value=0, max_value=2**63 - 1)
    once = forms.CharField(max_length=80, required=False)
    files = FilesField(required=False)  # type: ignore[assignment]

    def clean(self) -> dict[str, Any]:
        """A forward may go without words of ours. Nobody says here in whose name it goes: that is who is signed in."""
        data = super().clean() or self.cleaned_data
        if unknown := set(self.data) - set(self.fields) - BESIDE:
            raise forms.ValidationError(_("Nothing was sent: this form knows no %s.") % ", ".join(sorted(unknown))[:80])
        if data.get("kind") != "forward" and not data.get("text") and "text" not in self.errors:
            self.add_error("text", _("There is nothing to send yet."))
        return data


class DraftForm(forms.Form):
    kind = forms.ChoiceField(choices=Draft.KINDS)
    text = forms.CharField(max_length=MAX_TEXT, required=False, strip=False)
    cc = forms.CharField(max_length=10_000, required=False)
    bcc = forms.CharField(max_length=10_000, required=False)
    to = forms.CharField(max_length=10_000, required=False)
    forwards = forms.IntegerField(min_value=1, max_value=2**63 - 1, required=False)


class TagsField(forms.CharField):
    """Words with commas between them."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[str]:
        tags = [part.strip() for part in super().clean(value).split(",") if part.strip()]
        if long := [tag for tag in tags if len(tag) > TAG]:
            raise forms.ValidationError(_("A tag has at most %(n)d characters: %(tag)s…") % {"n": TAG, "tag": long[0][:30]})
        return list(dict.fromkeys(tags))


class PropertiesForm(forms.ModelForm):
    """Every property of a ticket, custom fields too; the page without script, and the dialog with it."""

    language = forms.ChoiceField(label=_("Language"), required=False)
    tags = TagsField(label=_("Tags"), required=False, max_length=5_000, help_text=_("With commas between them."))

    class Meta:
        model = Ticket
        fields = ["assignee", "team", "topic", "priority", "status", "language", "tags"]
        labels = {
            "assignee": _("Assignee"),
            "team": _("Team"),
            "topic": _("Topic"),
            "priority": _("Priority"),
            "status": _("Status"),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice(self, "assignee").queryset = people()
        choice(self, "assignee").empty_label = _("Nobody yet")
        choice(self, "team").queryset = Team.objects.living(keeping=[self.instance.team_id])
        topics = Topic.objects.living(keeping=[self.instance.topic_id])
        choice(self, "topic").queryset = topics
        choice(self, "topic").choices = [("", _("None")), *topics.by_path()]
        for name in ("team", "topic"):
            choice(self, name).empty_label = _("None")
        choice(self, "language").choices = languages.choices(self.instance.language)
        kept = self.instance.attributes
        self.initial = {**self.initial, **inputs.initial(kept)}
        self.definitions = list(definitions.of(FieldDefinition.Subject.TICKET).values())
        for each in self.definitions:
            self.fields[inputs.name_of(each)] = inputs.field(each, kept.get(each.key))

    @property
    def own(self) -> list[forms.BoundField]:
        return [self[name] for name in self._meta.fields or ()]

    @property
    def filled(self) -> list[forms.BoundField]:
        """The custom fields that hold something, or have an error."""
        return [bound for bound in self._custom() if bound.errors or self._holds(bound)]

    @property
    def empty(self) -> list[forms.BoundField]:
        return [bound for bound in self._custom() if not (bound.errors or self._holds(bound))]

    def _custom(self) -> list[forms.BoundField]:
        return [self[inputs.name_of(each)] for each in self.definitions]

    def _holds(self, bound: forms.BoundField) -> bool:
        return bound.name.removeprefix(inputs.PREFIX) in self.instance.attributes

    def clean(self) -> dict[str, Any]:
        """The custom fields that were sent, together as `attributes`."""
        said = super().clean() or self.cleaned_data
        attributes = inputs.said(self.definitions, said)
        for each in self.definitions:
            said.pop(inputs.name_of(each), None)
        return {**said, "attributes": attributes} if attributes else said

    def _post_clean(self) -> None:
        """Nothing is written to the instance: each property is changed by its own verb, with its own event."""


class ChangeForm(PropertiesForm):
    """Some of the properties: those that were sent, no others."""

    def __init__(self, data: Any, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        for name in set(self.fields) - set(data):
            del self.fields[name]


def people() -> Any:
    """Whose work a ticket can be."""
    return User.objects.active().filter(role__in=AGENTS)
