"""How a customer travels through a version's steps: in, on, out. Everything here writes rows and touches no network."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import CharField, Exists, OuterRef
from django.db.models.functions import Cast
from django.utils.translation import gettext as _

from helpdesk.customers.models import Address, Customer, Event
from helpdesk.customers.timeline import Fact, record_all
from helpdesk.lib.dates import now
from helpdesk.lib.rows import array, update
from helpdesk.mail import outbox
from helpdesk.mail.models import WAITING, Lane, Outgoing, State
from outreach.models import Campaign, Enrolment, EnrolmentQuerySet, Version

KIND = "campaign.message"
PLAY = "play.requested"  # somebody wants this customer to go through one campaign, whatever else starts it
BATCH = 500
LOOK_AGAIN = timedelta(hours=1)
UNSETTLED = (*WAITING, State.CLAIMED, State.SENDING)

Moves = Sequence[tuple[Enrolment, datetime]]


@dataclass(frozen=True)
class Planned:
    """The next message: its place among the steps, when it is due, and when it stops being worth sending."""

    step: int
    due_at: datetime
    too_late_at: datetime | None


def next_send(steps: list[dict[str, Any]], start: int, base: datetime) -> Planned | None:
    """The first message from place ``start`` on, its waits counted from ``base``; None when none is left."""
    due = base
    for index, step in enumerate(steps[start:], start):
        if step["do"] == "wait":
            due += timedelta(seconds=step["seconds"])
        else:
            late = step.get("too_late")
            return Planned(index, due, due + timedelta(seconds=late) if late else None)
    return None


def lock(customers: Iterable[int]) -> None:
    """Lock customers in id order before their enrolments: an entry and the exit that overtakes it meet here."""
    ids = sorted(set(customers))
    list(Customer.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True).values_list("pk"))


INSERT_ONCE = """
    INSERT INTO outreach_enrolment (campaign_id, version_id, customer_id, entry_key, event_id, properties, state, step,
                                    next_at, reason, created_at)
    SELECT %s, %s, customer, entry_key, event_id, properties, 'active', step, next_at, '', %s
    FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::jsonb[], %s::int[], %s::timestamptz[])
      AS asked(customer, entry_key, event_id, properties, step, next_at)
    ON CONFLICT (campaign_id, customer_id, entry_key) DO NOTHING
    RETURNING id, event_id
"""


def properties(event: Event) -> dict[str, Any]:
    """What texts may say of an event; of a play nothing, for it is none of those that the texts were written for."""
    return {} if event.kind == PLAY else event.payload


def enrol(version: Version, entries: dict[tuple[int, str], Event]) -> list[Enrolment]:
    """Take in customers, each once for its entry key, and plan their first messages; returns who is new.

    The caller holds the customers' locks. The ORM cannot say which rows of an ON CONFLICT were new, so SQL does.
    """
    if not entries:
        return []
    moment = now()
    courses = {key: next_send(version.steps, 0, min(event.occurred_at, moment)) for key, event in entries.items()}
    with connection.cursor() as cursor:
        cursor.execute(
            INSERT_ONCE,
            [
                version.campaign_id,
                version.pk,
                moment,
                array(c for c, _key in entries),
                array(key for _c, key in entries),
                array(event.pk for event in entries.values()),
                array(json.dumps(properties(event)) for event in entries.values()),
                array(planned.step if planned else 0 for planned in courses.values()),
                array(planned and planned.due_at for planned in courses.values()),
            ],
        )
        new = dict(cursor.fetchall())
    by_event = {event.pk: (key, event) for key, event in entries.items()}
    made: dict[tuple[int, str], Enrolment] = {}
    for pk, event_id in new.items():
        key, event = by_event[event_id]
        made[key] = Enrolment(
            pk=pk,
            campaign=version.campaign,
            version=version,
            customer_id=key[0],
            entry_key=key[1],
            event_id=event_id,
            properties=properties(event),
            created_at=moment,
        )
    record_all(
        Fact(
            "campaign.enrolled",
            e.customer_id,
            payload={
                "campaign": e.campaign_id,
                "name": version.campaign.name,
                "version": version.pk,
                "enrolment": e.pk,
                "entry_key": e.entry_key,
                "key": version.entry_key,
                "because": entries[e.customer_id, e.entry_key].kind,
            },
        )
        for e in made.values()
    )
    _set_out([(enrolment, courses[key]) for key, enrolment in made.items()], saved=True)
    return list(made.values())


def move_on(moves: Moves) -> None:
    """Each goes from its step to its next message, counted from the moment given, or to the end. Two writes in all."""
    _set_out([(e, next_send(e.version.steps, e.step + 1, base)) for e, base in moves])


def _set_out(courses: Sequence[tuple[Enrolment, Planned | None]], *, saved: bool = False) -> None:
    """Plan the messages, and end what has none. ``saved``: the rows say already where they stand."""
    rows, done = [], []
    customers = [enrolment.customer_id for enrolment, _planned in courses]
    addresses: dict[int, Address] = {}
    primary_last = Address.objects.filter(customer__in=customers, channel="email").order_by("is_primary", "-pk")
    for address in primary_last:
        addresses[address.customer_id] = address
    for enrolment, planned in courses:
        if planned is None:
            done.append(enrolment)
            continue
        enrolment.step, enrolment.next_at = planned.step, planned.due_at
        rows.append(message_for(enrolment, planned, addresses.get(enrolment.customer_id)))
    _end(done, Enrolment.State.FINISHED, "")
    update(done if saved else [e for e, _planned in courses], ["step", "next_at", "state", "reason", "finished_at"])
    outbox.plan(rows)
    record_all(finished_fact(e) for e in done)


def message_for(enrolment: Enrolment, planned: Planned, address: Address | None) -> Outgoing:
    """The ledger's row of one step for one customer. Its key makes planning twice one."""
    campaign, version = enrolment.version.campaign, enrolment.version
    sends = [index for index, _step in version.sends]
    title = campaign.name
    if len(sends) > 1:
        title = _("%(name)s, %(n)d of %(all)d") % {"name": title, "n": sends.index(planned.step) + 1, "all": len(sends)}
    return Outgoing(
        key=f"enrol:{enrolment.pk}:{planned.step}",
        kind=KIND,
        klass=campaign.klass,
        lane=Lane.CAMPAIGNS,
        customer_id=enrolment.customer_id,
        address=address,
        to=address.shown if address else "",
        mailbox_id=campaign.mailbox_id,
        subscription_id=campaign.subscription_id,
        title=title[:200],
        topic_id=campaign.topic_id,
        campaign_id=campaign.pk,
        version_id=version.pk,
        enrolment_id=enrolment.pk,
        step=str(planned.step),
        variables={"event": enrolment.properties},
        due_at=planned.due_at,
        too_late_at=planned.too_late_at,
    )


def leave(enrolments: EnrolmentQuerySet, *, state: str, reason: str, by: object = "") -> int:
    """Take these out: what of theirs still waits is cancelled. The caller holds the customers' locks where it can race."""
    chosen = list(enrolments.active().select_for_update(of=("self",)).select_related("campaign", "version"))
    _end(chosen, state, reason)
    update(chosen, ["state", "reason", "finished_at", "next_at"])
    record_all(finished_fact(enrolment) for enrolment in chosen)
    outbox.cancel(Outgoing.objects.filter(enrolment_id__in=[e.pk for e in chosen]), reason=reason, by=by)
    return len(chosen)


def _end(enrolments: Iterable[Enrolment], state: str, reason: str) -> None:
    for enrolment in enrolments:
        enrolment.state, enrolment.reason, enrolment.next_at, enrolment.finished_at = state, reason[:300], None, now()


def finished_fact(enrolment: Enrolment) -> Fact:
    return Fact(
        "campaign.finished",
        enrolment.customer_id,
        payload={
            "campaign": enrolment.campaign_id,
            "name": enrolment.campaign.name,
            "enrolment": enrolment.pk,
            "entry_key": enrolment.entry_key,
            "key": enrolment.version.entry_key,
            "state": enrolment.state,
            "reason": enrolment.reason,
        },
    )


def settled(messages: dict[int, tuple[str, datetime]]) -> int:
    """Messages that left, or never will, by enrolment: (step, when). Whoever stands at that step moves on."""
    standing = (
        Enrolment.objects.active()
        .filter(pk__in=messages)
        .select_related("version__campaign", "campaign")
        .select_for_update(of=("self",))
    )
    moves = [(e, messages[e.pk][1]) for e in standing if str(e.step) == messages[e.pk][0]]
    move_on(moves)
    return len(moves)


@transaction.atomic
def sweep() -> int:
    """Move on whose message is settled although no event said so, a batch at a time; returns how many were looked at."""
    moment = now()
    due = list(
        Enrolment.objects.active().filter(next_at__lte=moment).order_by("next_at", "id").values_list("pk", "customer_id")[:BATCH]
    )
    lock(customer for _pk, customer in due)
    ids = [pk for pk, _customer in due]
    waiting = Outgoing.objects.filter(enrolment_id=OuterRef("pk"), step=Cast(OuterRef("step"), CharField()), state__in=UNSETTLED)
    Enrolment.objects.active().filter(Exists(waiting), pk__in=ids).update(next_at=moment + LOOK_AGAIN)
    stuck = set(Enrolment.objects.active().filter(pk__in=ids, next_at__lte=moment).values_list("pk", flat=True))
    by_enrolment: dict[int, list[Outgoing]] = defaultdict(list)
    for row in Outgoing.objects.filter(enrolment_id__in=stuck).order_by("id"):
        by_enrolment[row.enrolment_id or 0].append(row)
    settled({pk: (rows[-1].step, rows[-1].sent_at or rows[-1].finished_at or moment) for pk, rows in by_enrolment.items()})
    return len(due)


@transaction.atomic
def wind_up() -> int:
    """End a batch of those who are still under way in cancelled campaigns; returns how many. Their guard says no already."""
    under_way = Enrolment.objects.active().filter(campaign=OuterRef("pk"))
    cancelled = Campaign.objects.filter(Exists(under_way), status=Campaign.Status.CANCELLED).first()
    if cancelled is None:
        return 0
    batch = dict(Enrolment.objects.active().filter(campaign=cancelled).values_list("pk", "customer_id")[:BATCH])
    lock(batch.values())
    return leave(Enrolment.objects.filter(pk__in=batch), state=Enrolment.State.CANCELLED, reason=_("The campaign was cancelled"))
