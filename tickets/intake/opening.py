"""A conversation begins, or goes on."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Func, Value
from django.utils.translation import gettext as _

from helpdesk.accounts.models import Team
from helpdesk.customers.models import Address, Customer, Event
from helpdesk.files.models import Attachment
from helpdesk.knowledge.models import Topic
from helpdesk.lib.dates import now
from helpdesk.lib.languages import coded, spoken
from helpdesk.lib.text import one_line
from helpdesk.mail.models import Mailbox, Outgoing
from tickets import clocks
from tickets.models import Channel, Message, Priority, Status, Ticket
from tickets.models.change import imported_at
from tickets.models.terms import clean_tags

MAX_SUBJECT = 250
FLOOD = 10  # messages of one address to one ticket within FLOOD_TIME, none of ours in between, that are heard as a person's
FLOOD_TIME = timedelta(minutes=10)
# A ticket names its newest message, and the first one its ticket: the id is drawn with the one row and used with the other.
NEXT_MESSAGE, THAT_MESSAGE = (Func(Value("tickets_message_id_seq"), function=name) for name in ("nextval", "currval"))
# The whole of a message that only thanks: it is kept, and what is solved stays solved.
THANKS = re.compile(
    r"(?:ok(?:ay)?|great|perfect|super|prima)?\W*(?:many |vielen |besten |herzlichen )?"
    r"(?:thanks?(?: you)?(?: (?:so|very) much| a lot)?|danke(?: ?sch(?:ö|oe)n| sehr)?|dank|merci(?: beaucoup)?|gracias|grazie"
    r"|obrigad[oa])"
    r"(?: (?:for your help|again|nochmals?))?\W*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Words:
    """What somebody said, and what came with it. ``html`` has passed the sanitiser."""

    text: str
    html: str = ""
    quote: str = ""
    attachments: Sequence[Attachment] = ()
    name: str = ""
    address: str = ""
    at: datetime | None = None
    rfc_id: str = ""
    references: Sequence[str] = ()
    incoming_id: int | None = None
    automatic: str = ""  # why we take it for automatic; "" for a person's
    spam: str = ""  # why we take it for spam
    left_out: Sequence[str] = ()  # what of it stands only in the original, in words
    verified: bool | None = None  # whether it is from whom it says; None where nobody can tell
    cc: Sequence[str] = field(default=())


def open_ticket(
    requester: Customer,
    subject: str,
    words: Words,
    *,
    channel: str,
    by: Any = "",
    address: Address | None = None,
    mailbox: Mailbox | None = None,
    team: Team | None = None,
    topic: Topic | None = None,
    priority: str = Priority.NORMAL,
    tags: Sequence[str] = (),
    attributes: dict[str, Any] | None = None,
    language: str = "",
    browsers: str = "",
    answers: Outgoing | None = None,
    follow_up_of: Ticket | None = None,
    once: str | None = None,
) -> Ticket:
    """The one way in. With ``once``, the same way in a second time, also at the same moment, gives the same ticket.

    Its language is what the caller knows, else that of the words, else the customer's, else the one that the browser asks for.
    Its clock starts with the customer's words; automatic ones and spam start none. Nothing new is filed under a topic, or
    comes to a team, that is archived, whoever named it.
    """
    topic = None if topic and topic.archived_at else topic
    team = None if team and team.archived_at else team
    at = words.at or now()
    wrote = None if words.automatic else at
    said = {"topic": topic, "team": team, "priority": "" if priority == Priority.NORMAL else priority}
    teller = by if isinstance(by, str) and by else getattr(by or requester, "ref", "")
    try:
        with transaction.atomic(savepoint=once is not None):  # whoever asks for no second look needs no way back
            mailbox = mailbox or _usual_mailbox()
            ticket = Ticket.objects.create(
                subject=one_line(subject, MAX_SUBJECT) or one_line(words.text, 80) or _("No subject"),
                requester=requester,
                channel=Channel(channel),
                address=address,
                mailbox=mailbox,
                priority=Priority(priority),
                team=team or (mailbox.team if mailbox else None),
                topic=topic or _topic(answers),
                tags=clean_tags(tags),
                attributes=attributes or {},
                decided={name: teller for name, value in said.items() if value},
                language=coded(language or _spoken(subject, words) or requester.language or browsers)[:10],
                once=once,
                outgoing_id=answers.pk if answers else None,
                campaign_id=answers.campaign_id if answers else None,
                follow_up_of=follow_up_of,
                opened_at=at,
                imported_at=imported_at(),
                status=Status.SPAM if words.spam else Status.NEW,
                waiting_since=None if words.spam else wrote,
                last_customer_message_at=wrote,
                last_message_at=at,
                last_message_id=NEXT_MESSAGE,
                said=one_line(words.text, 200),
            )
            message = _write(ticket, requester, words, at, pk=THAT_MESSAGE)
            ticket.opened(message, by=by or requester)
            if clocks.recompute([ticket.pk], fresh=True):
                ticket.refresh_from_db(fields=["due_at", "breached_at"])
            return ticket
    except IntegrityError:
        # Somebody came in the same way before us, perhaps a moment ago; theirs is committed by now.
        if once and (known := Ticket.objects.filter(once=once).first()):
            return known
        raise


def _spoken(subject: str, words: Words) -> str:
    return "" if words.spam else spoken(f"{subject}\n{words.text}")


def _usual_mailbox() -> Mailbox | None:
    return Mailbox.objects.filter(is_default=True).select_related("team").only("team__name", "team__slug").first()


def _topic(answers: Outgoing | None) -> Topic | None:
    return Topic.objects.living().filter(pk=answers.topic_id).first() if answers and answers.topic_id else None


@transaction.atomic
def hear(ticket: Ticket, author: Customer, words: Words, *, stranger: bool = False, aside: bool = False) -> Message:
    """A customer goes on with a conversation; a closed one begins another, linked back.

    A stranger is heard and marked, and never becomes requester or Cc. ``aside``: they answer what we passed on to them, which
    moves no clock of the customer's and opens nothing.
    """
    ticket.lock()
    if ticket.status == Status.CLOSED and not words.automatic and not aside:
        following = open_ticket(
            author,
            ticket.subject,
            words,
            channel=ticket.channel,
            mailbox=ticket.mailbox,
            team=ticket.team,
            topic=ticket.topic,
            follow_up_of=ticket,
            address=Address.objects.filter(customer=author, shown__iexact=words.address).first(),
        )
        return following.messages.get()
    at = words.at or now()
    if not words.automatic and _floods(ticket, words.address, at):
        words = replace(words, automatic=_("More than %d messages from this address within ten minutes") % FLOOD)
    message = _write(ticket, author, words, at, stranger=stranger)
    unheard = words.automatic or aside or ticket.status == Status.SPAM or _only_thanks(ticket, words)
    ticket.heard(message, by=author, wakes=not unheard, aside=aside and not words.automatic)
    return message


def _floods(ticket: Ticket, address: str, at: datetime) -> bool:
    """Whether this address has filled the ticket since a person of ours wrote last: another machine, or words by the dozen.

    Nobody waits unheard: the first of them made it our turn, and an answer of a person begins the count anew.
    """
    said = ticket.messages.filter(kind__in=(Message.Kind.CUSTOMER, Message.Kind.REPLY), at__gt=at - FLOOD_TIME)
    written = 0
    for kind, user, writer in said.order_by("-id").values_list("kind", "user_id", "address")[: 3 * FLOOD]:
        if kind == Message.Kind.REPLY and user:
            break
        written += bool(address) and writer.lower() == address.lower()
    return written >= FLOOD


def _only_thanks(ticket: Ticket, words: Words) -> bool:
    return ticket.status == Status.SOLVED and not words.attachments and bool(THANKS.fullmatch(words.text.strip()))


def _write(ticket: Ticket, author: Customer, words: Words, at: datetime, **fields: Any) -> Message:
    message = Message.objects.create(
        ticket=ticket,
        customer=author,
        text=words.text,
        html=words.html,
        quote=words.quote,
        kind=Message.Kind.AUTOMATIC if words.automatic else Message.Kind.CUSTOMER,
        reason=" ".join([one for one in (words.automatic or words.spam, *words.left_out) if one])[:200],
        verified=words.verified,
        name=one_line(words.name),
        address=words.address[:320],
        rfc_id=words.rfc_id[:998],
        references=[each[:998] for each in words.references][-20:],
        incoming_id=words.incoming_id,
        cc=list(words.cc)[:100],
        at=at,
        **fields,
    )
    if words.attachments:
        message.attachments.set(words.attachments)
    return message


def on_ticket_requested(events: list[Event]) -> None:
    """Somebody asks for a ticket about a customer: payload subject, text and, if known, topic, outgoing, priority, tags.

    What it takes to open them is looked up for all at once, and those that are open already are left alone. Opening is one
    by one, on purpose: it is the one way in, each has a person waiting at its end, and a batch holds at most dispatch.BATCH.
    """
    there = set(Ticket.objects.filter(once__in=[f"event:{each.pk}" for each in events]).values_list("once", flat=True))
    events = [event for event in events if f"event:{event.pk}" not in there]
    customers = Customer.objects.in_bulk([event.customer_id for event in events if event.customer_id])
    known = Address.objects.filter(customer__in=customers).order_by("customer", "-is_primary", "id").distinct("customer")
    addresses = {address.customer_id: address for address in known}
    mailbox = Mailbox.objects.filter(is_default=True).first()
    topics = Topic.objects.in_bulk([each.payload["topic"] for each in events if isinstance(each.payload.get("topic"), int)])
    sent = Outgoing.objects.in_bulk(
        [each.payload["outgoing"] for each in events if isinstance(each.payload.get("outgoing"), int)]
    )
    for event in events:
        customer = customers.get(event.customer_id or 0)
        if customer is None:
            continue  # erased since
        asked = event.payload
        open_ticket(
            customer,
            str(asked.get("subject") or ""),
            Words(str(asked.get("text") or ""), name=str(asked.get("name") or ""), at=event.occurred_at),
            channel=Channel.OUTREACH,
            by=event.actor,
            mailbox=mailbox,
            topic=topics.get(asked.get("topic")),
            answers=sent.get(asked.get("outgoing")),
            priority=asked["priority"] if asked.get("priority") in Priority.values else Priority.NORMAL,
            tags=[str(tag) for tag in asked.get("tags") or []],
            once=f"event:{event.pk}",
            address=addresses.get(customer.pk),
        )
