"""What an admin fills in about people, teams and tokens."""

from datetime import datetime, time
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts.models import Scope, Team, User
from helpdesk.lib import dates


class PersonForm(forms.ModelForm):
    class Meta:
        model = User
        fields = ["name", "email", "role", "reach", "teams", "calendar", "language", "zone"]
        labels = {
            "name": _("Name"),
            "email": _("Email address"),
            "role": _("Role"),
            "reach": _("May read"),
            "teams": _("Teams"),
            "calendar": _("Works by the calendar"),
            "language": _("Language"),
            "zone": _("Time zone"),
        }
        help_texts = {
            "role": _("Light agents read and write notes. Managers also approve outreach. Admins also let people in."),
            "zone": _("For example Europe/Berlin. Empty: that of the workspace."),
            "teams": "",
            "email": "",
        }
        widgets = {"teams": forms.CheckboxSelectMultiple}

    language = forms.ChoiceField(
        label=_("Language"), required=False, choices=[("", _("That of the browser")), *settings.LANGUAGES]
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["calendar"].empty_label = _("When their teams do")  # type: ignore[attr-defined]

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"]).lower()
        if User.objects.filter(email__iexact=email).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(_("Somebody with this address works here already."))
        return email

    def clean_zone(self) -> str:
        zone = str(self.cleaned_data["zone"]).strip()
        if zone and dates.zone(zone).key != zone:
            raise forms.ValidationError(_("We do not know this time zone. They look like Europe/Berlin."))
        return zone

    def facts(self) -> dict[str, Any]:
        """Everything but the teams, for `people`."""
        return {name: self.cleaned_data[name] for name in ("name", "email", "role", "reach", "calendar", "language", "zone")}


class TeamForm(forms.ModelForm):
    members = forms.ModelMultipleChoiceField(
        User.objects.active(), label=_("Members"), required=False, widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = Team
        fields = ["name", "calendar"]
        labels = {"name": _("Name"), "calendar": _("Works by the calendar")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["calendar"].empty_label = _("The usual one")  # type: ignore[attr-defined]
        if self.instance.pk:
            self.initial["members"] = list(self.instance.members.all())


class TokenForm(forms.Form):
    name = forms.CharField(label=_("What it is for"), max_length=80, help_text=_("For example Billing sync"))
    scopes = forms.MultipleChoiceField(label=_("It may"), choices=Scope.choices, widget=forms.CheckboxSelectMultiple)
    team = forms.ModelChoiceField(
        Team.objects.all(), label=_("Only for the tickets of"), required=False, empty_label=_("All teams")
    )
    expires_on = forms.DateField(
        label=_("Until the end of"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("Empty: until somebody revokes it."),
    )

    def clean_expires_on(self) -> datetime | None:
        day = self.cleaned_data["expires_on"]
        if day is None:
            return None
        end = dates.at_local(day, time(23, 59, 59), dates.zone(settings.TIME_ZONE))
        if end <= dates.now():
            raise forms.ValidationError(_("This day is over."))
        return end
