"""What is filled in about an incident; whom it affects is a ConditionsForm beside it."""

from typing import Any

from django import forms
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts.locks import one_at_a_time
from helpdesk.accounts.models import User
from helpdesk.accounts.setup import SetupForm
from helpdesk.customers import timeline
from helpdesk.customers.models import everybody
from helpdesk.incidents.models import Incident
from helpdesk.knowledge.forms import offer_topics

NOBODY_LEFT_OUT: tuple[dict[str, Any], ...] = ({}, everybody())


class IncidentForm(SetupForm):
    """Whom it affects, the view sets on the instance before it is kept."""

    noun = "incident"
    told = ("title", "words", "topic_id", "conditions")

    class Meta:
        model = Incident
        fields = ["title", "words", "topic"]
        labels = {"title": _("What is broken"), "words": _("What we know"), "topic": _("What they ask about")}
        help_texts = {
            "title": _("As colleagues say it: Card payments fail"),
            "words": _("For whoever answers: the cause, what helps meanwhile, when there is more to say."),
            "topic": _("Tickets of this topic, and of those below it, may be about it."),
        }
        widgets = {"words": forms.Textarea(attrs={"rows": 4})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer_topics(self.fields["topic"], _("Anything"), self.instance.topic_id)

    def narrow(self, tree: Any) -> bool:
        """Whether it leaves anybody out; if not, the form says what to do."""
        if self.is_valid() and self.cleaned_data["topic"] is None and tree in NOBODY_LEFT_OUT:
            self.add_error("topic", _("Say which topic it is, or below whom it affects: else every ticket were about it."))
        return self.is_valid()

    @transaction.atomic
    def keep(self, *, by: User) -> Incident:
        """Save; a new one is open from now on, and who waits already is looked at. The same one twice is one click."""
        if self.before is None:
            one_at_a_time(f"incident:{self.instance.title}")
            if same := Incident.objects.open().filter(**self._facts()).first():
                return same
            self.instance.opened_by = by
        before, after = self.before, self._facts()
        kept: Incident = super().keep(by=by)
        if before is None:
            timeline.record("incident.opened", actor=by, **kept.told())
        elif before != after:
            narrowed = any(before[name] != after[name] for name in ("topic_id", "conditions"))
            timeline.record("incident.changed", actor=by, **kept.told(), narrowed=narrowed)
        return kept

    def _write(self) -> None:
        """What the form says, and no more: it may be resolved meanwhile."""
        self.instance.save(update_fields=self.told if self.instance.pk else None)
