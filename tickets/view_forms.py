"""A view as people write it: its name, whom it is for, what is in it, in which order, and what its rows tell."""

from typing import Any

from django import forms
from django.db import OperationalError
from django.db.models import Q, QuerySet
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from helpdesk.accounts.access import MANAGERS
from helpdesk.accounts.conditions_form import MOST, ConditionsForm
from helpdesk.accounts.models import Team, User
from helpdesk.accounts.seen import Line
from helpdesk.accounts.setup import SetupForm
from helpdesk.lib import conditions
from helpdesk.lib.dates import now
from helpdesk.lib.rows import at_most
from tickets import columns, listing, queues, saved_views
from tickets.access import tickets_for
from tickets.models import LIVE, SavedView, Ticket

FEW = 5
PATIENCE = 1500
ME, ALL = "me", "all"
Covers = SavedView.Covers


class TicketConditions(ConditionsForm):
    """What a view asks; it says how many that are now, and shows a few of them. Both within the writer's own reach."""

    meant_template = "tickets/_meant.html"

    def __init__(self, data: Any = None, *, stored: Any, reader: User, covers: str) -> None:
        def rows(asked: Q) -> QuerySet[Ticket]:
            return tickets_for(reader).filter(queues.covered(covers) & asked)

        legend = gettext_lazy("Tickets for which")
        super().__init__(data, stored=stored, subject="ticket", rows=rows, personal=True, reader=reader, legend=legend)

    def compared(self, label: Any = "") -> list[Line]:
        return super().compared(label or gettext_lazy("What"))

    def counted_words(self, number: int) -> str:
        if number > MOST:
            return _("More than %(n)d tickets now") % {"n": MOST}
        return ngettext("%(n)d ticket now", "%(n)d tickets now", number) % {"n": number}

    @cached_property
    def newest(self) -> list[Ticket]:
        """The liveliest few; none where they were not counted."""
        if self.rows is None or not (self.count and self.count.known):
            return []
        asked = conditions.to_q(self.tree, self.subject, now(), reader=self.reader)
        try:
            with at_most(PATIENCE):
                found = self.rows(asked).select_related("requester", "address").order_by("-last_message_at", "-pk")
                return list(found[:FEW])
        except OperationalError:
            return []


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
            teams = [(str(team.pk), _("Team %s") % team) for team in Team.objects.living(keeping=[view.team_id])]
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
