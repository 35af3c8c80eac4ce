"""A view as people write it: its name, whom it is for, what is in it, in which order, and what its rows tell."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.db import OperationalError
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from helpdesk.accounts.access import MANAGERS
from helpdesk.accounts.models import Team, User
from helpdesk.accounts.setup import SetupForm
from helpdesk.customers.conditions_form import ConditionsForm
from helpdesk.customers.segments import at_most
from helpdesk.lib import conditions
from tickets import columns, listing, queues, saved_views
from tickets.access import tickets_for
from tickets.models import LIVE, SavedView, Ticket

FEW = 5
PATIENCE = 1500
ME, ALL = "me", "all"
Covers = SavedView.Covers


@dataclass(frozen=True)
class Meant:
    """What a condition finds now, within the writer's own reach."""

    words: str
    count: str
    tickets: list[Ticket]


class TicketConditions(ConditionsForm):
    subject = "ticket"
    lead = gettext_lazy("Tickets for which")
    meant_template = "tickets/_meant.html"
    kinds: list[str] = []

    def __init__(self, data: Any = None, *, stored: Any, reader: User, covers: str) -> None:
        super().__init__(data, stored=stored)
        self.reader, self.covers = reader, covers

    @cached_property
    def meant(self) -> Any:
        """Sentence, count and the liveliest; nothing where the condition cannot be read, no tickets where it takes too long."""
        if self.tree is None:
            return None
        draft = SavedView(conditions=self.tree, covers=self.covers)
        rows = tickets_for(self.reader).filter(queues.condition(draft))
        said = conditions.words(self.tree, self.subject)
        try:
            with at_most(PATIENCE):
                number = rows.order_by()[: queues.MOST + 1].count()
                newest = rows.select_related("requester", "address").order_by("-last_message_at", "-pk")[:FEW]
                return Meant(said, queues.shown(number) or "0", list(newest))
        except OperationalError:
            return Meant(said, "", [])


class ViewForm(SetupForm):
    """Whoever is no manager writes views for themselves alone. What is in it is asked by TicketConditions beside it."""

    noun = "view"
    told = ("name", "owner_id", "team_id", "conditions", "covers", "order", "columns")
    audience = forms.ChoiceField(label=gettext_lazy("Who sees it"))
    columns = forms.MultipleChoiceField(
        label=gettext_lazy("Its rows tell"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("Who wrote, what about and how long ago is always there."),
    )

    class Meta:
        model = SavedView
        fields = ["name", "covers", "order"]
        labels = {"name": gettext_lazy("Name"), "covers": gettext_lazy("It holds"), "order": gettext_lazy("Sorted by")}
        help_texts = {"covers": gettext_lazy("Only views of open tickets have a count in the rail.")}
        widgets = {"covers": forms.RadioSelect}

    field_order = ["name", "audience", "covers", "order", "columns"]

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        self.user = user
        super().__init__(*args, **kwargs)
        view = self.instance
        audience: Any = self.fields["audience"]
        audience.choices = [(ME, _("Only me"))]
        if user.has_role(*MANAGERS):
            teams = [(str(team.pk), _("Team %s") % team) for team in Team.objects.all()]
            audience.choices += [(ALL, _("Everybody")), *teams]
        else:
            audience.widget = forms.HiddenInput()
        mine = view.pk is None or view.owner_id is not None
        self.initial["audience"] = ME if mine else str(view.team_id or ALL)
        self.initial["columns"] = list(view.columns) if view.pk else list(queues.ROW)
        chosen: Any = self.fields["columns"]
        chosen.choices = columns.choices()

    def clean_name(self) -> str:
        return " ".join(str(self.cleaned_data["name"]).split())

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        if said.get("covers") == Covers.ALL and said.get("order") and said["order"] not in listing.ANYWHERE:
            self.add_error("order", _("With solved and closed tickets in it, a view can be sorted by their last message only."))
        if audience := said.get("audience"):
            view = self.instance
            owner = self.user if audience == ME else None
            if view.pk is None or (owner.pk if owner else None) != view.owner_id:
                view.place = saved_views.last_place(owner.pk if owner else None)
            view.owner, view.team_id = owner, int(audience) if audience not in (ME, ALL) else None
            beside = SavedView.objects.living().filter(owner=owner, name=said.get("name", "")).exclude(pk=view.pk)
            if beside.exists():
                self.add_error("name", _("There is a view of this name already."))
        self.instance.columns = said.get("columns", [])
        return said

    def _write(self) -> None:
        if self.instance.pk is None:
            self.instance.created_by = self.user
        super()._write()


def contradiction(tree: Any, covers: str) -> str:
    """Words for a view of open tickets that asks for solved or closed ones, and so would always be empty."""
    if covers != Covers.LIVE or not isinstance(tree, dict):
        return ""
    leaves = tree.get("all", [tree])
    wanted = [leaf.get("value") for leaf in leaves if leaf.get("field") == "status" and leaf.get("op") in ("is", "any_of")]
    for each in wanted:
        values = each if isinstance(each, list) else [each]
        if not set(values) & set(LIVE):
            return _("No open ticket has this status. Let the view hold solved and closed tickets too.")
    return ""
