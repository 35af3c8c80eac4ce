"""Suggestions: what a person says of one on its ticket; what they are worth, by version and topic, for managers."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db.models import Sum
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from helpdesk.accounts.access import EVERYONE, MANAGERS, staff
from helpdesk.knowledge.models import Topic
from helpdesk.lib.ids import row_id
from tickets import triage
from tickets.access import StaffRequest, ticket_for
from tickets.models import Classifier, TicketClosed, TopicFigure, TopicTrust
from tickets.triage import learning, proof, texts
from tickets.views.desk import after, show

VERSIONS = 20
COUNTS = ("learned", "held_back", "found_95", "found_99", "answered_95", "right_95", "answered_99", "right_99")


@staff(*EVERYONE)
@require_POST
def suggestion(request: StaffRequest, number: int) -> HttpResponse:
    """Accept (``topic``) or correct (``other``)."""
    ticket = ticket_for(request.user, number, to="change")
    said = row_id(request.POST.get("topic", "") or request.POST.get("other", ""))
    topic = Topic.objects.living().filter(pk=said).first() if said else None
    if topic is None:
        return show(request, ticket, fault=_("Choose the topic that it is about."), status=422)
    try:
        triage.decide(ticket, topic, by=request.user)
    except TicketClosed as error:
        return show(request, ticket, fault=str(error), status=409)
    return after(request, ticket)


@dataclass
class Row:
    """One topic on the page."""

    pk: int
    path: str
    count: dict[str, int]
    trust: TopicTrust
    proofs: dict[int, proof.Proof]
    team: str

    @property
    def shares(self) -> list[str]:
        """How much of it was answered, and how much of what was answered so was right: at 95, then at 99."""
        found = self.count
        return [
            percent(found[f"{part}_{level}"], found[of.replace("*", str(level))])
            for level in (95, 99)
            for part, of in (("found", "held_back"), ("right", "answered_*"))
        ]

    @property
    def known(self) -> proof.Proof:
        return self.proofs[proof.level_of(self.trust.least)]

    @property
    def offers(self) -> list[tuple[int, str]]:
        """For which shares it could be switched on today."""
        return [(least, word) for least, word in TopicTrust.LEAST if self.proofs[proof.level_of(least)].holds(least)]

    @property
    def proven(self) -> str:
        return percent(self.known.lowest, 1) if self.known.of else ""


def percent(part: float | None, of: float = 1) -> str:
    return f"{100 * part / of:.1f} %" if part is not None and of else "–"


def figures(version: Classifier) -> list[str]:
    """Coverage and precision at 95, then at 99, as the list of versions shows them."""
    found = version.figures
    return [percent(found.get(f"{name}_at_{level}")) for level in (95, 99) for name in ("coverage", "precision")]


@staff(*MANAGERS)
@require_safe
def suggestions(request: StaffRequest) -> HttpResponse:
    versions = list(Classifier.objects.select_related("asked_by").order_by("-pk")[:VERSIONS])
    used = Classifier.in_use()
    return render(
        request,
        "tickets/suggestions.html",
        {
            "versions": [(each, figures(each)) for each in versions],
            "used": used,
            "asked": any(each.state == Classifier.State.ASKED for each in versions),
            "rows": rows_of(used),
            "fewest": texts.FEWEST,
        },
    )


def rows_of(used: Classifier | None) -> list[Row]:
    """Each topic that the version in use knows, with what is proven about it. Six queries, however many topics."""
    if used is None:
        return []
    paths = dict(Topic.objects.living().by_path())
    known = {level: proof.proofs(level) for level in (95, 99)}
    trusts = {each.topic_id: each for each in TopicTrust.objects.all()}
    found = TopicFigure.objects.filter(classifier=used)
    teams = dict(found.exclude(team=None).values_list("topic", "team__name"))
    sums: dict[int, Any] = {
        row["topic"]: row for row in found.values("topic").annotate(**{f"n_{name}": Sum(name) for name in COUNTS})
    }
    return [
        Row(
            pk,
            path,
            {name: sums[pk][f"n_{name}"] for name in COUNTS},
            trusts.get(pk) or TopicTrust(topic_id=pk),
            {level: each.get(pk, proof.Proof()) for level, each in known.items()},
            teams.get(pk, ""),
        )
        for pk, path in paths.items()
        if pk in sums
    ]


@staff(*MANAGERS)
@require_POST
def learn(request: StaffRequest) -> HttpResponse:
    """Train now; pressed twice, once."""
    learning.ask(request.user)
    messages.success(request, _("A new version is being learned. This page shows it when it is ready."))
    return redirect("suggestions")


@staff(*MANAGERS)
@require_POST
def trust(request: StaffRequest, pk: int) -> HttpResponse:
    """File under this topic without asking, or ask again."""
    topic = get_object_or_404(Topic.objects.living(), pk=pk)
    least = row_id(request.POST.get("least", ""))
    if least not in dict(TopicTrust.LEAST):
        least = 99
    automatic = request.POST.get("automatic") == "on"
    try:
        if proof.trust(topic, automatic=automatic, least=least, by=request.user):
            words = _("Tickets on %s are filed without asking.") if automatic else _("Tickets on %s are asked about again.")
            messages.success(request, words % topic)
    except proof.NotProven as error:
        messages.error(request, str(error))
    return redirect("suggestions")
