"""The manager's side: a campaign is read before it is edited, and nothing leaves without one button that says so."""

from typing import Any

from django.contrib import messages as notices
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.crypto import get_random_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe

from helpdesk.accounts.access import AGENTS, MANAGERS, staff
from helpdesk.accounts.models import AuditEntry, User
from helpdesk.customers import segments, values
from helpdesk.customers.models import Customer, Event
from helpdesk.lib import conditions
from helpdesk.lib.ids import row_id
from helpdesk.lib.liquid import BadTemplate
from outreach import campaigns, guards, journeys, messages, reading
from outreach.models import Campaign, Version

PAGE = 50


@staff(*AGENTS)
@require_safe
def campaign_list(request: HttpRequest) -> HttpResponse:
    before = row_id(request.GET.get("before", ""))
    rows = Campaign.objects.newest().select_related("subscription", "created_by")
    if before is not None:
        rows = rows.filter(pk__lt=before)
    shown = list(rows[: PAGE + 1])
    older = f"?before={shown[PAGE - 1].pk}" if len(shown) > PAGE else ""
    return render(
        request,
        "outreach/campaign_list.html",
        {
            "campaigns": shown[:PAGE],
            "older": older,
            "older_than": before,
            "may_write": _may_write(request),
            "figures": reading.figures(shown[:PAGE]),
        },
    )


@staff(*AGENTS)
@require_safe
def campaign_detail(request: HttpRequest, pk: int) -> HttpResponse:
    campaign, version = campaign_of(pk), None
    draft, live = campaign.draft, campaign.live
    version = draft if draft and (request.GET.get("version") == "draft" or live is None) else live
    context: dict[str, Any] = {
        "campaign": campaign,
        "version": version,
        "draft": draft,
        "live": live,
        "helped": reading.helped(campaign),
        "coming": reading.coming(campaign),
        "may_write": _may_write(request),
    }
    context["counts"] = reading.counts(context["helped"])
    if version:
        version.campaign = campaign
        who = reading.who(version)
        context |= {
            "who": who,
            "when": reading.when(version),
            "picture": reading.picture(version),
            "what": reading.what_words(version),
            "whether": reading.whether(version),
            "once": get_random_string(20),
            "preview": _preview(version, _chosen(request.GET.get("as", "")) or next(iter(who.get("faces", ())), None)),
            "problems": campaigns.problems(version) if not version.launched_at else [],
        }
    context["history"] = list(AuditEntry.objects.filter(subject=campaign.subject).exclude(action="campaign.written")[:10])
    if campaign.status == Campaign.Status.PAUSED:
        context["stopped"] = next((entry for entry in context["history"] if entry.action in reading.STOPPED), None)
    return render(request, "outreach/campaign_detail.html", context)


@staff(*AGENTS)
@require_safe
def campaign_who(request: HttpRequest, pk: int) -> HttpResponse:
    """Is somebody in it, and why."""
    campaign = campaign_of(pk)
    version = campaign.draft or campaign.live
    asked = segments.asked(version.conditions, request.GET.get("q", "")) if version else {}
    return render(request, "outreach/campaign_who.html", {"campaign": campaign, "version": version, **asked})


@staff(*MANAGERS)
@require_POST
def campaign_launch(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = campaign_of(pk)
    draft = campaign.draft
    if draft is None:
        return redirect("campaign", pk)
    try:
        if campaigns.launch(draft, by=person(request)):
            if draft.trigger_kind == journeys.PLAY:
                notices.success(request, _("It runs. Rules for tickets can start it for a customer now."))
            else:
                notices.success(request, _("It runs. Whoever “%s” happens to from now on is taken in.") % draft.trigger_kind)
    except campaigns.NotReady as error:
        for problem in error.problems:
            notices.error(request, problem)
    return redirect("campaign", pk)


TURNS = {
    "pause": (campaigns.pause, gettext_lazy("Paused. Nothing more leaves and nobody comes in until you go on.")),
    "resume": (campaigns.resume, gettext_lazy("It goes on.")),
    "finish": (campaigns.finish, gettext_lazy("Nobody new comes in. Those on the way still get what follows.")),
    "cancel": (campaigns.cancel, gettext_lazy("Cancelled. Nothing more of it leaves.")),
}


@staff(*MANAGERS)
@require_POST
def campaign_turn(request: HttpRequest, pk: int, turn: str) -> HttpResponse:
    """Pause, resume, finish or cancel; a second click finds it done."""
    verb, said = TURNS[turn]
    if verb(campaign_of(pk), by=person(request)):
        notices.success(request, said)
    return redirect("campaign", pk)


@staff(*MANAGERS)
@require_POST
def campaign_test(request: HttpRequest, pk: int) -> HttpResponse:
    """Send the messages to oneself, as the chosen customer would get them."""
    campaign = campaign_of(pk)
    version, count = campaign.draft or campaign.live, 0
    if version is None:
        return redirect("campaign", pk)
    values = _values(version, _reader(version, request.POST.get("as", "")))
    for index, step in version.sends:
        seen = messages.with_samples(step, values, version.entry_key)
        once = f"{index}:{request.POST.get('once', '')}"
        count += campaigns.test(version, index, seen, to=person(request), once=once)
    if count:
        text = ngettext("A test is on its way to %(to)s.", "%(n)d tests are on their way to %(to)s.", count)
        notices.success(request, text % {"n": count, "to": person(request).email})
    return redirect("campaign", pk)


@staff(*AGENTS)
@require_safe
def guard_table(request: HttpRequest) -> HttpResponse:
    return render(request, "outreach/guards.html", {"table": guards.table(), "classes": guards.OURS})


def _may_write(request: HttpRequest) -> bool:
    return request.user.is_authenticated and request.user.has_role(*MANAGERS)


def person(request: HttpRequest) -> User:
    """Who is signed in; the views that ask are open to staff only."""
    assert isinstance(request.user, User)  # noqa: S101  what @staff let in
    return request.user


def campaign_of(pk: int) -> Campaign:
    return get_object_or_404(Campaign.objects.select_related("subscription", "topic", "mailbox", "created_by"), pk=pk)


def _chosen(pk: str) -> Customer | None:
    return Customer.objects.filter(pk=chosen).first() if (chosen := row_id(pk)) is not None else None


def _reader(version: Version, pk: str) -> Customer | None:
    """The customer asked for, else the newest who is meant."""
    if chosen := _chosen(pk):
        return chosen
    try:
        return next(iter(segments.faces(version.conditions)), None)
    except conditions.ConditionError:
        return None


def _values(version: Version, person: Customer | None) -> values.Values:
    """What a message would say to them, with the newest event of its kind, their own first."""
    facts = values.of_these([person.pk]).get(person.pk, {}) if person else {}
    own = Event.objects.filter(kind=version.trigger_kind, customer=person).order_by("-occurred_at") if person else None
    event = own.first() if own is not None else None
    return {**facts, "event": event.payload if event else {}}


def _preview(version: Version, person: Customer | None) -> dict[str, Any]:
    values = _values(version, person)
    shown = []
    for index, step in version.sends:
        try:
            seen = messages.with_samples(step, values, version.entry_key)
            shown.append({"step": index, **messages.preview(version, step, seen)})
        except BadTemplate as error:
            shown.append({"step": index, "missing": str(error)})
    return {"person": person, "letters": shown}
