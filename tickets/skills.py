"""Skills as they are set up: who has one, and which tickets need it."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts import names
from helpdesk.accounts.access import AGENTS
from helpdesk.accounts.models import Skill, User
from helpdesk.accounts.setup import SetupForm
from helpdesk.knowledge.models import Topic
from helpdesk.lib.forms import choice
from tickets.forms import TagsField
from tickets.models.terms import clean_tags


class SkillForm(SetupForm):
    noun = "skill"
    told = ("name", "languages", "tags", "topics")
    spoken = TagsField(
        label=_("Tickets in these languages need it"),
        required=False,
        max_length=400,
        help_text=_("With commas between them, such as German, French."),
    )
    tagged = TagsField(
        label=_("Tickets with one of these tags need it"),
        required=False,
        max_length=5_000,
        help_text=_("With commas between them."),
    )
    about = forms.TypedMultipleChoiceField(
        label=_("Tickets on these topics need it"),
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("The topics below them are included."),
    )
    people = forms.ModelMultipleChoiceField(
        User.objects.none(), label=_("Who has it"), required=False, widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = Skill
        fields = ["name"]
        labels = {"name": _("Name")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice(self, "people").queryset = User.objects.active().filter(role__in=AGENTS)
        tree = Topic.objects.living(keeping=self.instance.topics).tree()
        choice(self, "about").choices = [(topic.pk, f"{'– ' * topic.depth}{topic.name}") for topic in tree]
        if not tree:
            del self.fields["about"]
        own = self.instance
        people = list(own.people.all()) if own.pk else []
        self.initial.update(spoken=own.languages, tagged=own.tags, about=own.topics, people=people)

    def _facts(self) -> dict[str, Any]:
        said = getattr(self, "cleaned_data", None)
        people = said["people"] if said else self.instance.people.all() if self.instance.pk else []
        return super()._facts() | {"people": sorted(person.email for person in people)}

    def clean_name(self) -> str:
        return names.unlike(self.cleaned_data["name"], self.instance.name, Skill.objects.exclude(pk=self.instance.pk))

    def clean_spoken(self) -> list[str]:
        known = {str(word).casefold(): code for code, name in settings.SPOKEN_LANGUAGES for word in (code, name)}
        if unknown := [said for said in self.cleaned_data["spoken"] if said.casefold() not in known]:
            raise forms.ValidationError(_("We know no language by this name or code: %s") % ", ".join(unknown))
        return sorted({known[said.casefold()] for said in self.cleaned_data["spoken"]})

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        own = self.instance
        own.languages, own.tags = said.get("spoken", []), clean_tags(said.get("tagged", []))
        own.topics = sorted(said.get("about", []))
        return said

    def _write(self) -> None:
        super()._write()
        self.instance.people.set(self.cleaned_data["people"])
