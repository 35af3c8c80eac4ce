"""What an admin fills in about people, teams and tokens, and everybody about their absences."""

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts.models import Calendar, Mode, Scope, Skill, Team, User
from helpdesk.lib import dates
from helpdesk.lib.forms import choice, known_zone


class PersonForm(forms.ModelForm):
    class Meta:
        model = User
        fields = ["name", "email", "role", "reach", "teams", "capacity", "skills", "calendar", "language", "zone"]
        labels = {
            "name": _("Name"),
            "email": _("Email address"),
            "role": _("Role"),
            "reach": _("May read"),
            "teams": _("Teams"),
            "capacity": _("Open tickets at once"),
            "skills": _("Skills"),
            "language": _("Language"),
            "zone": _("Time zone"),
        }
        help_texts = {
            "role": _("Light agents read and write notes. Managers also approve outreach. Admins also let people in."),
            "zone": _("For example Europe/Berlin. Empty: that of the workspace."),
            "capacity": _("So many are handed to them, over all teams. Empty: as many as there are."),
            "teams": "",
            "email": "",
        }
        widgets = {"teams": forms.CheckboxSelectMultiple, "skills": forms.CheckboxSelectMultiple}

    language = forms.ChoiceField(
        label=_("Language"), required=False, choices=[("", _("That of the browser")), *settings.LANGUAGES]
    )

    calendar = forms.ModelChoiceField(
        Calendar.objects.all(), label=_("Works by the calendar"), required=False, empty_label=_("When their teams do")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice(self, "teams").queryset = Team.objects.living()
        if not Skill.objects.exists():
            del self.fields["skills"]

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"]).lower()
        if User.objects.filter(email__iexact=email).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(_("Somebody with this address works here already."))
        return email

    def clean_zone(self) -> str:
        return known_zone(self.cleaned_data["zone"])

    def facts(self) -> dict[str, Any]:
        """Everything but the teams, for `people`."""
        return {name: self.cleaned_data[name] for name in self.cleaned_data if name != "teams"}


class TeamForm(forms.ModelForm):
    members = forms.ModelMultipleChoiceField(
        User.objects.active(), label=_("Members"), required=False, widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = Team
        fields = ["name", "mode", "cap", "urgent_streak", "calendar"]
        labels = {
            "name": _("Name"),
            "mode": _("Tickets find their people"),
            "cap": _("Open tickets for each member"),
            "urgent_streak": _("Urgent tickets in a row"),
        }
        help_texts = {
            "mode": _("The desk hands out only to who is here, in their hours, able and has room."),
            "cap": _("Of this team. Empty: each member’s own number alone counts."),
            "urgent_streak": _(
                "After so many the next urgent one goes to somebody else, if there is anybody. Empty: any number."
            ),
        }
        widgets = {"mode": forms.RadioSelect}

    calendar = forms.ModelChoiceField(
        Calendar.objects.all(), label=_("Works by the calendar"), required=False, empty_label=_("The usual one")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["mode"].required = False
        if self.instance.pk:
            self.initial["members"] = list(self.instance.members.filter(is_active=True))

    def validate_unique(self) -> None:
        """Its name is asked by people.save_team, where nobody comes between."""

    def clean_mode(self) -> str:
        return str(self.cleaned_data["mode"] or Mode.MANUAL)

    def facts(self) -> dict[str, Any]:
        """Everything but name and members, for `people`."""
        return {name: self.cleaned_data[name] for name in ("mode", "cap", "urgent_streak", "calendar")}


class AbsenceForm(forms.Form):
    """Out of office from one day to another, both included."""

    first = forms.DateField(label=_("First day away"), widget=forms.DateInput(attrs={"type": "date"}))
    last = forms.DateField(label=_("Last day away"), widget=forms.DateInput(attrs={"type": "date"}))
    note = forms.CharField(label=_("Why"), max_length=120, required=False, help_text=_("Your colleagues read it."))

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        first, last = said.get("first"), said.get("last")
        if first and last and last < first:
            self.add_error("last", _("This is before the first day."))
        elif last and last < dates.now().date() - timedelta(days=1):  # whatever their zone, it is over
            self.add_error("last", _("This day is over."))
        return said


class ZoneForm(forms.Form):
    zone = forms.CharField(
        label=_("Your time zone"),
        required=False,
        max_length=64,
        help_text=_(
            "For the times you read here, for example Europe/Berlin. Empty: that of the workspace. Absences keep their days."
        ),
        widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off"}),
    )

    def clean_zone(self) -> str:
        return known_zone(self.cleaned_data["zone"])


class TokenForm(forms.Form):
    name = forms.CharField(label=_("What it is for"), max_length=80, help_text=_("For example Billing sync"))
    scopes = forms.MultipleChoiceField(label=_("It may"), choices=Scope.choices, widget=forms.CheckboxSelectMultiple)
    team = forms.ModelChoiceField(
        Team.objects.living(), label=_("Only for the tickets of"), required=False, empty_label=_("All teams")
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
