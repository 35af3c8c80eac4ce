"""One ticket as a page shows it: messages, what happened between them, how our replies fared, and whom we wrote to first."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from helpdesk.accounts.models import User
from helpdesk.customers import history
from helpdesk.customers.history import names_of
from helpdesk.customers.models import Event
from helpdesk.lib.dates import now
from helpdesk.lib.html import remote_pictures, sanitize
from helpdesk.mail.models import Outgoing, State
from tickets import attachments
from tickets.forwards import PASSED_ON
from tickets.models import Draft, Message, ReadMark, Status, Ticket

SHOWN = 50  # messages; older ones by a link
SHOWN_EVENTS = 200
ON_PAPER = 500  # messages
FAR = 200  # pictures of one message that are fetched from elsewhere
AT_ONCE = timedelta(minutes=10)  # what happened within this shares a line
SAME_TIME = timedelta(minutes=1)  # and what happened within this, a time
EVENTS = [
    "ticket.assigned",
    "ticket.status_changed",
    "ticket.solved",
    "ticket.reopened",
    "ticket.closed",
    "ticket.updated",
    "ticket.escalated",
    "ticket.unsent",
    "ticket.marked_spam",
    "ticket.cleared_of_spam",
    "ticket.triaged",
    "play.requested",
]


STATUS_EVENTS = ("ticket.status_changed", "ticket.solved", "ticket.reopened")


@dataclass
class Line:
    """A message, or several small things that happened one after the other."""

    at: datetime
    message: Message | None = None
    events: list[Event] = field(default_factory=list)

    @property
    def moments(self) -> list[list[Event]]:
        """Its events, those together that are told under one time: that of the first."""
        told: list[list[Event]] = []
        for event in self.events:
            if told and event.occurred_at - told[-1][0].occurred_at < SAME_TIME:
                told[-1].append(event)
            else:
                told.append([event])
        return told


@dataclass
class Conversation:
    ticket: Ticket
    lines: list[Line]
    wrote_first: Outgoing | None
    draft: Draft | None
    earlier: int | None  # show what is before this message
    last: int  # the newest message shown: what a reply has seen
    offered: list[Message]  # what may be passed on, the newest of theirs first


def load(ticket: Ticket, reader: User, *, before: int | None = None, pictures: Collection[int] = ()) -> Conversation:
    """At most five queries for a page of fifty messages of a ticket by `ticket_for`; marks it read as far as it is shown.

    ``pictures`` are the messages whose pictures from elsewhere the reader asked for, for this showing.
    """
    found = ticket.messages.select_related("user", "customer").prefetch_related("attachments__blob").order_by("-pk")
    if before:
        found = found.filter(pk__lt=before)
    messages = list(found[: SHOWN + 1])
    earlier = messages[SHOWN - 1].pk if len(messages) > SHOWN else None
    messages = messages[:SHOWN][::-1]
    last = messages[-1].pk if messages and not before else ticket.last_message_id or 0
    ours = [m.outgoing_id for m in messages if m.outgoing_id]
    sent = Outgoing.objects.in_bulk([pk for pk in [*ours, ticket.outgoing_id] if pk])
    asked = {address.lower() for m in messages if m.kind == Message.Kind.FORWARD for address in (m.to, *m.cc)}
    for message in messages:
        dress(message, message.pk in pictures)
        message.was_asked = message.stranger and message.address.lower() in asked  # type: ignore[attr-defined]
        message.delivery = sent.get(message.outgoing_id or 0)  # type: ignore[attr-defined]
        message.delivery_words = delivery(message.delivery)  # type: ignore[attr-defined]
    if not before and getattr(ticket, "read_to", None) != last:
        ReadMark.objects.bulk_create(
            [ReadMark(ticket=ticket, user=reader, message_id=last)],
            update_conflicts=True,
            unique_fields=["ticket", "user"],
            update_fields=["message_id"],
        )
    return Conversation(
        ticket,
        _woven(messages, _events(ticket, reader, messages, earlier, before)),
        None if earlier else sent.get(ticket.outgoing_id or 0),
        ticket.begun,
        earlier,
        last,
        sorted((m for m in messages if m.kind in PASSED_ON), key=lambda m: (m.is_ours, -m.pk)),
    )


def on_paper(ticket: Ticket, *, notes: bool) -> list[Message]:
    """What was said, oldest first, the newest ON_PAPER of it; the team's notes only if asked for. Three queries."""
    found = ticket.messages.select_related("user", "customer").prefetch_related("attachments__blob").order_by("-pk")
    if not notes:
        found = found.exclude(kind=Message.Kind.NOTE)
    said = list(found[:ON_PAPER])[::-1]
    for message in said:
        dress(message, False)
    return said


def dress(message: Message, pictures: bool) -> None:
    """What of a message is shown: its words, with pictures from elsewhere only when asked, and the files beside them."""
    named = remote_pictures(message.html)
    message.far = len(named)  # type: ignore[attr-defined]
    message.far_shown = bool(named) and pictures  # type: ignore[attr-defined]
    message.files = attachments.listed(message)  # type: ignore[attr-defined]
    message.shown = message.html  # type: ignore[attr-defined]
    if named and pictures:
        ours = {address: reverse("ticket-far-picture", args=[message.pk, n]) for n, address in enumerate(named[:FAR])}
        came = attachments.images(message.attachments.all())
        message.shown = sanitize(message.html, images=came, remote=lambda address: ours.get(address, ""))  # type: ignore[attr-defined]


def _events(ticket: Ticket, reader: User, messages: list[Message], earlier: int | None, before: int | None) -> list[Event]:
    """What happened to the ticket in the span that is shown, by the customer's timeline."""
    span = Q()
    if earlier and messages:
        span &= Q(occurred_at__gte=messages[0].at)
    if before and messages:
        span &= Q(occurred_at__lte=messages[-1].at)
    rows = Event.objects.filter(
        span, customer=ticket.requester_id, kind__in=EVENTS, payload__ticket=ticket.pk, occurred_at__gte=ticket.opened_at
    )
    events = list(rows.order_by("-occurred_at", "-id")[:SHOWN_EVENTS])[::-1]
    known = {person.ref: str(person) for person in [reader, ticket.assignee, *(m.user for m in messages)] if person}
    known[ticket.requester.ref] = ticket.who
    strangers = {event.actor for event in events} - known.keys()
    names = known | names_of(ref for ref in strangers if not ref.startswith(("customer:", "rule:")))
    for event in events:
        event.who = names.get(event.actor) or event.payload.get("by", "")  # type: ignore[attr-defined]
        event.templates = history.Line(event, "", False).templates  # type: ignore[attr-defined]
    return events


def _woven(messages: list[Message], events: list[Event]) -> list[Line]:
    """Messages and events in the order of time; what happened at once shares a line.

    A status that changed with a message, at its very moment, goes without saying.
    """
    spoken = {message.at for message in messages}
    events = [event for event in events if event.kind != "ticket.status_changed" or event.occurred_at not in spoken]
    lines = [Line(message.at, message=message) for message in messages] + [
        Line(event.occurred_at, events=[event]) for event in events
    ]
    lines.sort(key=lambda line: line.at)
    woven: list[Line] = []
    for line in lines:
        if line.events and woven and woven[-1].events and line.at - woven[-1].at < AT_ONCE:
            woven[-1].events += line.events
        else:
            woven.append(line)
    for line in woven:
        line.events = _without_undone(line.events)
    return [line for line in woven if line.message or line.events]


def _without_undone(events: list[Event]) -> list[Event]:
    """An answer taken back gives the ticket its status back: of those changes only what is left of them is told."""
    changes = [event for event in events if event.kind in STATUS_EVENTS]
    if len(changes) < 2 or not any(event.kind == "ticket.unsent" for event in events):
        return events
    last = changes[-1]
    same = changes[0].payload.get("was", Status.SOLVED) == last.payload.get("status", Status.SOLVED)
    return [event for event in events if event not in changes or (event is last and not same)]


def delivery(row: Outgoing | None) -> dict[str, Any] | None:
    """How a reply fares, in words: the mood of its badge, what it says, and what one may do about it."""
    if row is None:
        return None
    said: dict[str, Any] = {"row": row, "mood": "", "words": "", "undo": False, "retry": False, "leaves": ""}
    match row.state:
        case State.PENDING if row.due_at > now():
            seconds = (row.due_at - now()).total_seconds()  # as text: no language writes it with a comma
            said |= {"words": _("Leaves in %d s") % max(1, ceil(seconds)), "leaves": f"{seconds:.1f}", "undo": True}
        case State.PENDING | State.QUEUED:
            said |= {"words": _("About to leave"), "undo": True}
        case State.CLAIMED | State.SENDING:
            said |= {"words": _("Being handed over")}
        case State.RETRY_WAIT:
            said |= {"mood": "soon", "words": _("Their mail server asks for patience; we try again"), "undo": True}
        case State.HELD:
            said |= {"mood": "held", "words": _("Held: %s") % row.reason, "undo": True}
        case State.ACCEPTED if row.reason:  # some beside the first were refused; nothing is sent twice for their sake
            said |= {"mood": "soon", "words": _("Sent. %s") % row.reason}
        case State.ACCEPTED:
            said |= {"words": _("Sent")}
        case State.DELIVERED if row.reason:
            said |= {"words": _("Arrived. %s") % row.reason}
        case State.DELIVERED:
            said |= {"words": _("Arrived")}
        case State.COMPLAINED:
            said |= {"mood": "late", "words": _("They marked it as spam")}
        case State.UNKNOWN:
            said |= {"mood": "late", "words": _("Nobody knows whether it arrived: %s") % row.reason, "retry": True}
        case State.BOUNCED:
            said |= {"mood": "late", "words": _("Came back: %s") % row.reason, "retry": True}
        case State.FAILED:
            said |= {"mood": "late", "words": _("Was refused: %s") % row.reason, "retry": True}
        case State.WITHHELD:
            said |= {"mood": "late", "words": _("Not sent: %s") % row.reason}
        case _:
            said |= {"mood": "late", "words": _("Not sent: %s") % row.reason}
    return said
