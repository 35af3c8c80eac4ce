"""What events do here: customers enter campaigns, leave them, move on, and are waited for no longer.

Every function takes a batch, writes rows in the dispatching transaction and is safe to run twice.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from helpdesk.customers import segments, timeline
from helpdesk.customers.models import Address, Event
from helpdesk.customers.timeline import Fact, record_all
from helpdesk.lib.dates import now
from helpdesk.mail import outbox
from helpdesk.mail.models import Outgoing, State
from outreach import journeys
from outreach.journeys import PLAY
from outreach.models import Campaign, Enrolment, Version

log = structlog.get_logger(__name__)
Key = tuple[int, str]  # customer, entry key


def on_events(events: list[Event]) -> None:
    """Out first, then in: an exit in the same batch as its entry wins, whichever comes first."""
    events = [event for event in events if event.customer_id and not _from_another(event)]
    kinds = {event.kind for event in events}
    entering = list(taking_in(kinds, {event.payload.get("campaign") for event in events if event.kind == PLAY}))
    leaving = list(Version.objects.filter(launched_at__isnull=False, exit_kind__in=kinds))
    concerned = {version.trigger_kind for version in entering} | {version.exit_kind for version in leaving} | {PLAY}
    journeys.lock(event.customer_id for event in events if event.kind in concerned and event.customer_id)
    for version in leaving:
        _take_out(version, [event for event in events if event.kind == version.exit_kind])
    for version in entering:
        journeys.enrol(version, entries(version, [event for event in events if _starts(version, event)]))


def _starts(version: Version, event: Event) -> bool:
    if event.kind == PLAY:
        return not version.entry_key and event.payload.get("campaign") == version.campaign_id
    return event.kind == version.trigger_kind


def _from_another(event: Event) -> bool:
    """A machine's words, or a stranger's on the customer's ticket: no automatic mail answers them (RFC 3834, section 2)."""
    return event.kind.startswith("ticket.") and bool(event.payload.get("automatic") or event.payload.get("stranger"))


def starts_something(kind: str) -> bool:
    """Whether an event of this kind comes to ``on_events``: all from outside, and some of our own."""
    table = settings.EVENT_SUBSCRIBERS
    return "outreach.triggers.on_events" in table.get(kind, table[timeline.EXTERNAL])


def starters() -> list[str]:
    """The kinds to offer as what starts or ends a campaign."""
    return [kind for kind in timeline.kinds() if starts_something(kind)]


def taking_in(kinds: set[str], asked: Collection[Any] = ()) -> QuerySet[Version]:
    """The newest launched version of each running campaign, if one of these kinds starts it or it is one of those asked for."""
    newer = Version.objects.filter(campaign=OuterRef("campaign"), launched_at__isnull=False, number__gt=OuterRef("number"))
    wanted = Q(trigger_kind__in=kinds - {PLAY})
    if pks := [pk for pk in asked if isinstance(pk, int)]:
        wanted |= Q(campaign__in=pks)
    return Version.objects.filter(
        wanted, ~Exists(newer), launched_at__isnull=False, campaign__status=Campaign.Status.RUNNING
    ).select_related("campaign")


def entries(version: Version, events: list[Event]) -> dict[Key, Event]:
    """Who enters by these events: young enough, with a key, in the segment, and not taken out already."""
    oldest = timedelta(hours=settings.MAX_EVENT_AGE_HOURS)
    found: dict[Key, Event] = {}
    keyless = 0
    for event in events:
        key = f"ticket #{event.payload.get('number')}" if event.kind == PLAY else entry_key(version.entry_key, event.payload)
        if event.received_at - event.occurred_at > oldest:
            continue
        if key is None:
            keyless += 1
            continue
        found.setdefault((event.customer_id or 0, key), event)
    if keyless:
        log.warning("events_without_entry_key", version=version.pk, path=version.entry_key, events=keyless)
    if not found:
        return {}
    inside = segments.among(version.conditions, {customer for customer, _key in found})
    gone = _gone_already(version, found)
    return {key: event for key, event in found.items() if key[0] in inside and key not in gone}


def entry_key(path: str, payload: dict[str, Any]) -> str | None:
    """What tells two enrolments of one customer apart, such as the order's id; None when the event lacks it."""
    if not path:
        return ""
    value: Any = payload
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        return None
    return str(value)[:200]


def _gone_already(version: Version, found: dict[Key, Event]) -> set[Key]:
    """Entries whose exit came first. With a key it holds for good; without one only for what happened before it."""
    if not version.exit_kind or not found:
        return set()
    exits: dict[Key, Event] = {}
    for event in Event.objects.filter(customer__in={customer for customer, _key in found}, kind=version.exit_kind):
        key = entry_key(version.entry_key, event.payload)
        if key is None:
            continue
        known = exits.get((event.customer_id or 0, key))
        if known is None or known.occurred_at < event.occurred_at:
            exits[event.customer_id or 0, key] = event
    left = {key: exits.get(key if version.entry_key else (key[0], "")) for key in found}
    return {key for key, out in left.items() if out and (version.entry_key or out.occurred_at >= found[key].occurred_at)}


def _take_out(version: Version, events: list[Event]) -> None:
    """End the enrolments that these events name; without an entry key, those that began before the event."""
    named: dict[Key, Event] = {}
    for event in sorted(events, key=lambda event: event.occurred_at):
        key = entry_key(version.entry_key, event.payload)
        if key is not None:
            named[event.customer_id or 0, key] = event
    there = Enrolment.objects.active().filter(version=version, customer__in={customer for customer, _key in named})
    ids = [e.pk for e in there if (e.customer_id, e.entry_key if version.entry_key else "") in named]
    journeys.leave(
        Enrolment.objects.filter(pk__in=ids), state=Enrolment.State.LEFT, reason=_("“%s” happened") % version.exit_kind
    )


def on_sent(events: list[Event]) -> None:
    """A message of ours left, or never will: its customer moves on to the next step. A person's no ends the journey."""
    rows = Outgoing.objects.filter(pk__in=_named(events, "outgoing"), kind=journeys.KIND, enrolment_id__isnull=False)
    by_enrolment = {row.enrolment_id or 0: row for row in rows.order_by("id")}
    journeys.lock(row.customer_id for row in by_enrolment.values() if row.customer_id)
    taken_back = [pk for pk, row in by_enrolment.items() if row.state == State.CANCELLED]
    journeys.leave(Enrolment.objects.filter(pk__in=taken_back), state=Enrolment.State.CANCELLED, reason=_("Taken back"))
    journeys.settled(
        {
            pk: (row.step, row.sent_at or row.finished_at or now())
            for pk, row in by_enrolment.items()
            if row.state not in journeys.UNSETTLED
        }
    )


def on_bounced(events: list[Event]) -> None:
    """Who cannot be reached any more leaves what bounced; a passing trouble changes nothing."""
    rows = Outgoing.objects.filter(
        pk__in=_named(events, "outgoing"),
        kind=journeys.KIND,
        enrolment_id__isnull=False,
        address__reachability=Address.Reachability.UNREACHABLE,
    )
    enrolments = list(rows.values_list("enrolment_id", "customer_id"))
    journeys.lock(customer for _pk, customer in enrolments if customer)
    journeys.leave(
        Enrolment.objects.filter(pk__in=[pk for pk, _customer in enrolments]),
        state=Enrolment.State.LEFT,
        reason=_("The address does not work"),
    )


def on_consent_withdrawn(events: list[Event]) -> None:
    """Nothing of a subscription waits for a customer who left it."""
    by_subscription: dict[int, set[int]] = defaultdict(set)
    for event in events:
        if event.customer_id and (subscription := event.payload.get("subscription_id")):
            by_subscription[subscription].add(event.customer_id)
    for subscription, customers in by_subscription.items():
        withdraw(subscription, customers)


def withdraw(subscription: int, customers: set[int]) -> None:
    """End what of this subscription is under way for these customers, and take back what waits."""
    journeys.lock(customers)
    reason = _("They said no to these messages")
    journeys.leave(
        Enrolment.objects.filter(campaign__subscription=subscription, customer__in=customers),
        state=Enrolment.State.LEFT,
        reason=reason,
    )
    outbox.cancel(Outgoing.objects.filter(subscription=subscription, customer__in=customers), reason=reason, by="")


def on_replied(events: list[Event]) -> None:
    """A ticket began as the answer to a message of ours: counted, and said on the timeline, once an enrolment."""
    answered = {pk: event for event in events if isinstance(pk := event.payload.get("outgoing"), int)}
    rows = Outgoing.objects.filter(pk__in=answered, kind=journeys.KIND, enrolment_id__isnull=False)
    by_enrolment = {row.enrolment_id or 0: answered[row.pk] for row in rows}
    journeys.lock(event.customer_id for event in by_enrolment.values() if event.customer_id)
    first = list(Enrolment.objects.filter(pk__in=by_enrolment, replied_at=None).select_related("campaign"))
    for enrolment in first:
        enrolment.replied_at = by_enrolment[enrolment.pk].occurred_at
    Enrolment.objects.bulk_update(first, ["replied_at"], batch_size=journeys.BATCH)
    record_all(
        Fact(
            "campaign.replied",
            enrolment.customer_id,
            enrolment.replied_at,
            payload={
                "campaign": enrolment.campaign_id,
                "name": enrolment.campaign.name,
                "enrolment": enrolment.pk,
                "ticket": by_enrolment[enrolment.pk].payload.get("ticket"),
                "number": by_enrolment[enrolment.pk].payload.get("number"),
            },
        )
        for enrolment in first
    )


def release_holds(events: list[Event]) -> None:
    """A ticket was solved: whoever is held by no other one is asked about again."""
    customers = {event.customer_id for event in events if event.customer_id}
    journeys.lock(customers)  # a hold that is being decided is written by then, and seen; one after it sees the ticket solved
    held = Outgoing.objects.filter(state=State.HELD, hold_for__in=[f"customer:{pk}:tickets" for pk in customers])
    by_campaign: dict[int, set[int]] = defaultdict(set)
    for campaign_id, customer_id in held.values_list("campaign_id", "customer_id"):
        by_campaign[campaign_id or 0].add(customer_id or 0)
    free: set[int] = set()
    for campaign in Campaign.objects.filter(pk__in=by_campaign):
        waiting = by_campaign[campaign.pk]
        free |= waiting - segments.among(campaign.holds, waiting) if campaign.holds else waiting
    outbox.release_for(f"customer:{pk}:tickets" for pk in free)


def _named(events: list[Event], name: str) -> list[int]:
    return [event.payload[name] for event in events if isinstance(event.payload.get(name), int)]
