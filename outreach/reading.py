"""A campaign as one reads it: who, when, what, whether, did it help. Numbers come from rows; none is made up."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import OperationalError
from django.db.models import Count, Q, QuerySet
from django.db.models.fields.json import KeyTransform
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from helpdesk.accounts.models import AuditEntry
from helpdesk.customers import segments
from helpdesk.customers.models import Address, Event
from helpdesk.lib import conditions
from helpdesk.lib.dates import now
from helpdesk.lib.rows import at_most
from helpdesk.mail.models import GONE, Outgoing, State
from helpdesk.templatetags.look import span
from outreach import guards, triggers
from outreach.journeys import KIND
from outreach.models import Campaign, Enrolment, Version

REHEARSED = 1000  # customers of the segment whose guards are asked for the page
RECENT = timedelta(days=7)
COUNTED_UP_TO = 10_000


def who(version: Version) -> dict[str, Any]:
    """The segment in words, its size and ten of its people; an error where its fields are gone."""
    try:
        everybody = not version.conditions.get("all", True) if "all" in version.conditions else not version.conditions
        words = _("every customer") if everybody else conditions.words(version.conditions, "customer")
        return {
            "words": words,
            "everybody": everybody,
            "size": segments.size(version.conditions),
            "faces": segments.faces(version.conditions),
        }
    except conditions.ConditionError as error:
        return {"error": str(error), "words": _("nobody yet")}


def when(version: Version) -> dict[str, Any]:
    """How often the trigger came from outside of late, how many of these could start nothing for want of the entry key,
    and how many came since a pause. None is what is not known: of our own kinds, or because it takes too long to find."""
    found: dict[str, Any] = {"seen": None, "keyless": None, "missed": None, "limit": COUNTED_UP_TO}
    if version.trigger_kind in settings.EVENT_SUBSCRIBERS:
        return found
    found |= _came(version, now() - RECENT)
    paused = _paused_at(version.campaign)
    return found | ({"missed": _came(version, paused)["seen"]} if paused else {})


def _came(version: Version, since: datetime) -> dict[str, Any]:
    """Events that could start it, from outside: the newest 10,000, and those of them that lack the entry key."""
    rows = Event.objects.exclude(source="").filter(received_at__gte=since, kind=version.trigger_kind).order_by("-received_at")
    first = version.entry_key.split(".")[0]
    try:
        with at_most(segments.PATIENCE):
            if not first:
                return {"seen": len(rows.values_list("pk", flat=True)[:COUNTED_UP_TO]), "keyless": 0}
            # only this value of the payload, which may be long
            values = list(rows.values_list(KeyTransform(first, "payload"), flat=True)[:COUNTED_UP_TO])
    except OperationalError:
        return {"seen": None, "keyless": None}
    keys = [triggers.entry_key(version.entry_key, {first: value}) for value in values]
    return {"seen": len(values), "keyless": keys.count(None)}


STOPPED = ("campaign.paused", "campaign.halted", "campaign.refused")


def _paused_at(campaign: Campaign) -> datetime | None:
    if campaign.status != Campaign.Status.PAUSED:
        return None
    stopped = AuditEntry.objects.filter(subject=campaign.subject, action__in=STOPPED)
    return stopped.values_list("at", flat=True).first()


@dataclass(frozen=True)
class Node:
    """One box of the picture: where it stands and what it says."""

    y: int
    kind: str
    title: str
    detail: str
    at: str = ""
    step: int | None = None


def picture(version: Version) -> dict[str, Any]:
    """The journey from top to bottom, 80 pixels a box."""
    nodes = [
        Node(
            4,
            "start",
            version.trigger_kind or _("Nothing yet"),
            _("once for each %s") % version.entry_key if version.entry_key else _("once a customer"),
        )
    ]
    passed = 0
    for index, step in enumerate(version.steps):
        y = 4 + 80 * len(nodes)
        if step["do"] == "wait":
            passed += step["seconds"]
            nodes.append(
                Node(
                    y,
                    "wait",
                    _("Wait %s") % span(timedelta(seconds=step["seconds"])),
                    _("ends early with %s") % version.exit_kind if version.exit_kind else "",
                )
            )
        else:
            late = step.get("too_late")
            detail = _("not sent more than %s late") % span(timedelta(seconds=late)) if late else _("never too late")
            at = _("at once") if not passed else _("after %s") % span(timedelta(seconds=passed))
            nodes.append(Node(y, "send", _("E-mail “%s”") % step["subject"], detail, at, index))
    return {"nodes": nodes, "height": 80 * len(nodes) - 22}


def what_words(version: Version) -> str:
    count = len(version.sends)
    waits = sum(step["seconds"] for step in version.steps if step["do"] == "wait")
    said = ngettext("%(n)d e-mail", "%(n)d e-mails", count) % {"n": count}
    if not waits:
        return said
    return _("%(messages)s over %(time)s") % {"messages": said, "time": span(timedelta(seconds=waits))}


def whether(version: Version) -> dict[str, Any]:
    """Which guards would stop how many today: the very same question, asked of up to 1,000 people of the segment."""
    campaign = version.campaign
    try:
        people = list(segments.members(version.conditions).select_related("company").order_by("-id")[:REHEARSED])
    except conditions.ConditionError:
        people = []
    addresses: dict[int, Address] = {}
    for address in Address.objects.filter(customer__in=people, channel="email").order_by("is_primary", "-pk"):
        addresses[address.customer_id] = address
    rows = [
        Outgoing(
            pk=n,
            key=f"rehearsal:{n}",
            kind=KIND,
            klass=campaign.klass,
            customer=person,
            campaign_id=campaign.pk,
            version_id=version.pk,
            subscription=campaign.subscription,
            address=addresses.get(person.pk),
            to=addresses[person.pk].shown if person.pk in addresses else "",
            due_at=now(),
            state=State.PENDING,
        )
        for n, person in enumerate(people, 1)
    ]
    found: Counter[str] = guards.tally(rows, now()) if rows else Counter()
    return {
        "asked": len(rows),
        "stopped": sum(found.values()),
        "limit": REHEARSED,
        "guards": [
            {"guard": guard, "count": found.get(guard.name, 0)} for guard in guards.REHEARSED if campaign.klass in guard.classes
        ],
    }


def helped(campaign: Campaign) -> dict[str, Any]:
    """What became of its messages, in two queries; what it prevented is not known without a comparison."""
    sent_out: QuerySet[Outgoing] = Outgoing.objects.filter(campaign_id=campaign.pk)
    states = Counter(dict(sent_out.values_list("state").annotate(n=Count("pk"))))
    reasons = list(
        sent_out.filter(state__in=(State.WITHHELD, State.CANCELLED))
        .values("reason")
        .annotate(n=Count("pk"))
        .order_by("-n", "reason")[:8]
    )
    people = Enrolment.objects.filter(campaign=campaign).aggregate(
        entered=Count("pk"),
        active=Count("pk", filter=Q(state=Enrolment.State.ACTIVE)),
        replied=Count("replied_at"),
        unsubscribed=Count("unsubscribed_at"),
    )
    return {
        **people,
        "reasons": reasons,
        "planned": states[State.PENDING] + states[State.QUEUED] + states[State.CLAIMED] + states[State.RETRY_WAIT],
        "held": states[State.HELD],
        "sent": sum(states[state] for state in GONE if state != State.UNKNOWN),
        "unknown": states[State.UNKNOWN],
        "bounced": states[State.BOUNCED],
        "failed": states[State.FAILED],
        "complained": states[State.COMPLAINED],
        "skipped": states[State.WITHHELD] + states[State.CANCELLED],
    }


def counts(helped: dict[str, Any]) -> list[tuple[str, int]]:
    """The figures with their words, those that are always of interest and those that are not nothing."""
    always = [
        (_("came in"), "entered"),
        (_("on the way"), "active"),
        (_("planned"), "planned"),
        (_("held"), "held"),
        (_("left out"), "skipped"),
        (_("sent"), "sent"),
        (_("answered"), "replied"),
        (_("said no"), "unsubscribed"),
    ]
    rare = [
        (_("came back"), "bounced"),
        (_("refused"), "failed"),
        (_("nobody knows"), "unknown"),
        (_("complained"), "complained"),
    ]
    return [(word, helped[key]) for word, key in always] + [(word, helped[key]) for word, key in rare if helped[key]]


def coming(campaign: Campaign) -> list[Outgoing]:
    """The next messages of this campaign and what holds some of them."""
    rows = Outgoing.objects.filter(campaign_id=campaign.pk, state__in=(State.PENDING, State.HELD))
    return list(rows.select_related("customer").prefetch_related("customer__addresses").order_by("due_at", "id")[:5])


def figures(campaigns: list[Campaign]) -> dict[int, dict[str, int]]:
    """Sent, waiting and answered of these campaigns, for the list: two queries for all of them."""
    ids = [campaign.pk for campaign in campaigns]
    rows = (
        Outgoing.objects.filter(campaign_id__in=ids)
        .values("campaign_id")
        .annotate(
            sent=Count("pk", filter=Q(state__in=GONE)), waiting=Count("pk", filter=Q(state__in=(State.PENDING, State.HELD)))
        )
    )
    answers = Enrolment.objects.filter(campaign__in=ids).values("campaign_id").annotate(replied=Count("replied_at"))
    found: dict[int, dict[str, int]] = {pk: {"sent": 0, "waiting": 0, "replied": 0} for pk in ids}
    for row in rows:
        found[row["campaign_id"] or 0] |= {"sent": row["sent"], "waiting": row["waiting"]}
    for answer in answers:
        found[answer["campaign_id"]]["replied"] = answer["replied"]
    return found
