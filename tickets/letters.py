"""How replies and confirmations leave: what may stop them, and what they say (settings.OUTBOX)."""

import re
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import F, Window
from django.db.models.functions import RowNumber
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from helpdesk.customers.addresses import BadAddress, canonical
from helpdesk.customers.consent import suppression_of
from helpdesk.customers.models import Address, Suppression
from helpdesk.files.models import Attachment, Scan
from helpdesk.lib.dates import now, zone
from helpdesk.mail import addresses, outbox, threading
from helpdesk.mail.models import GONE, WAITING, Class, Lane, Outgoing, State
from helpdesk.mail.verdicts import GO, Content, Hold, Missing, Never, Verdict
from tickets import attachments
from tickets.models import Message, Ticket

CONFIRMATION = "ticket.confirmation"
SCANNED_BY = timedelta(seconds=20)  # then a reply asks again whether its files were scanned
ONCE_A_DAY = timedelta(hours=24)
THREAD = 20  # messages back that a References header names
MAX_QUOTE = 5_000  # characters of theirs under our reply
MARKS = re.compile(r"\A(?:(?:re|aw|antw|sv|vs|rif|odp|res|fwd?|wg|tr)(?:\[\d+\])?:\s*)+", re.IGNORECASE)
PICTURE = re.compile(r"!\[([^\]\n]*)\]\(cid:[^)\s]*\)")
BANNED = {Suppression.Reason.LEGAL, Suppression.Reason.MANUAL}  # an opt-out or a complaint is about what they did not ask for


def guard(rows: list[Outgoing], at: datetime) -> dict[int, Verdict]:
    """An answer goes unless it was taken back, its address is known not to work, or people decided it gets nothing.

    Its files go when the virus scanner has seen them.
    """
    there = set(Message.objects.filter(pk__in=[row.message_id for row in rows]).values_list("pk", flat=True))
    stopped = banned(address for row in rows for address in _asked_first(row))
    held = attachments.held(row.message_id for row in rows)
    return {row.pk: scanned(held.get(row.message_id or 0), at) or _answer(row, there, stopped) for row in rows}


def _asked_first(row: Outgoing) -> list[str]:
    """Without whom it need not go: the one in To, or of a copy the one whom it is for."""
    return row.only or [row.to]


def banned(everybody: Iterable[str]) -> dict[str, str]:
    """Those of whom people decided that they get nothing, and why, in words."""
    names: dict[str, str] = {}
    for address in everybody:
        with suppress(BadAddress):  # what is no address was never suppressed
            names[address] = canonical(address)
    found = {name: row for name, row in suppression_of(set(names.values())).items() if row.reason in BANNED}
    return {address: found[name].get_reason_display() for address, name in names.items() if name in found}


def scanned(held: Attachment | None, at: datetime) -> Verdict | None:
    """What waits for the virus scanner waits, what it holds never goes; None where nothing stands in the way."""
    if held is None:
        return None
    reason = f"{held.name}: {held.blob.why_held}"
    return Never(reason) if held.blob.scan == Scan.HELD else Hold(reason, until=at + SCANNED_BY)


def _answer(row: Outgoing, there: set[int], stopped: dict[str, str]) -> Verdict:
    if row.message_id not in there:
        return Never(_("The reply was taken back"))
    if why := next((stopped[address] for address in _asked_first(row) if address in stopped), ""):
        return Never(_("This address gets no mail: %s") % why)
    # With an attempt behind it, a person read why it bounced and sent it again all the same: their choice.
    if row.address and row.address.reachability == Address.Reachability.UNREACHABLE and not row.attempts:
        return Never(_("%(address)s does not work: %(reason)s") % {"address": row.to, "reason": row.address.reason})
    return GO


def render(rows: list[Outgoing]) -> dict[int, Content | Missing]:
    """Our words, then theirs; threaded to all that was said before. Five queries at most, whatever the number of rows."""
    messages = (
        Message.objects.filter(pk__in=[row.message_id for row in rows])
        .select_related("ticket__requester__company", "user")
        .prefetch_related("attachments")
        .in_bulk()
    )
    threads = _threads({message.ticket_id for message in messages.values()})
    stopped = banned(address for message in messages.values() for address in (*message.cc, *(message.bcc or ())))
    out: dict[int, Content | Missing] = {}
    for row in rows:
        message = messages.get(row.message_id or 0)
        if message is None:
            out[row.pk] = Missing(_("The reply was taken back"))
            continue
        before = [each for each in threads[message.ticket_id] if each["pk"] < message.pk]
        out[row.pk] = _content(row, message, before, stopped)
    return out


def _threads(tickets: set[int]) -> dict[int, list[dict[str, Any]]]:
    """The newest messages of each ticket with their Message-IDs, oldest first.

    Nobody is quoted a stranger's words, nor what somebody unconfirmed added in another's name to a ticket that was there.
    """
    newest = Window(RowNumber(), partition_by=F("ticket"), order_by=F("id").desc())
    said = (
        Message.objects.filter(ticket__in=tickets, kind__in=(Message.Kind.CUSTOMER, Message.Kind.REPLY), stranger=False)
        .exclude(verified=False, at__gt=F("ticket__opened_at"))
        .annotate(nth=newest)
        .filter(nth__lte=THREAD)
        .order_by("id")
        .values("pk", "ticket_id", "ticket__outgoing_id", "kind", "rfc_id", "outgoing_id", "text", "name", "at")
    )
    rows: list[dict[str, Any]] = [dict(row) for row in said]
    ours = {row["outgoing_id"] for row in rows} | {row["ticket__outgoing_id"] for row in rows}
    ids = dict(Outgoing.objects.filter(pk__in=ours - {None}).values_list("pk", "rfc_id"))
    threads: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        row["rfc_id"] = row["rfc_id"] or ids.get(row["outgoing_id"], "")
        row["first_id"] = ids.get(row["ticket__outgoing_id"], "")
        threads[row["ticket_id"]].append(row)
    return threads


def _content(row: Outgoing, message: Message, before: list[dict[str, Any]], stopped: dict[str, str]) -> Content:
    ticket = message.ticket
    references = list(
        dict.fromkeys([i for i in [*(each["first_id"] for each in before[:1]), *(each["rfc_id"] for each in before)] if i])
    )
    answered = next((each for each in reversed(before) if each["kind"] == Message.Kind.CUSTOMER), None)
    files = list(message.attachments.all())
    read_along = (*message.cc, *(message.bcc or ()))
    without = {each: _("gets no mail: %s") % stopped[each] for each in read_along if each in stopped}
    context = {
        "words": spoken(message.text),
        "html": attachments.outward(message.html, files),
        "ticket": ticket,
        "signature": row.mailbox.signature if row.mailbox else "",
        "marker": threading.marker(row),
        "answered": answered and {**answered, "text": answered["text"][:MAX_QUOTE]},
    }
    with translation.override(language_of(ticket)), timezone.override(zone_of(ticket)):
        text, html = (render_to_string(f"tickets/mail/reply.{kind}", context) for kind in ("txt", "html"))
    return Content(
        subject=entitled("Re", ticket.subject),
        text=text,
        html=html,
        in_reply_to=references[-1] if references else "",
        references=tuple(references),
        cc=tuple(each for each in message.cc if each not in without),
        bcc=tuple(each for each in message.bcc or () if each not in without),
        without=without,
        attachments=tuple(each.pk for each in files),
        automatic="auto-replied" if message.reason else "",  # a rule wrote it
    )


def entitled(mark: str, subject: str) -> str:
    """The subject with the mark of an answer or a forward (RFC 5322, section 3.6.5), in place of marks that it has already."""
    return f"{mark}: {MARKS.sub('', subject)}"


def spoken(markdown: str) -> str:
    """Our words as plain text: a picture that stands in them is named."""
    return PICTURE.sub(r"[\1]", markdown)


# --- the form's confirmation -----------------------------------------------------------------------------------------


def confirm(ticket: Ticket, address: Address) -> None:
    """Plan one short mail that says "we have it", at most one a day for an address, in the caller's transaction.

    The address is unproved and anybody may have typed it, so nothing typed is repeated.
    """
    lately = Outgoing.objects.filter(kind=CONFIRMATION, address=address, created_at__gt=now() - ONCE_A_DAY)
    if addresses.is_machine(address.canonical) or addresses.plain(address.canonical) in addresses.ours() or lately.exists():
        return
    outbox.plan(
        [
            Outgoing(
                key=f"{CONFIRMATION}:{ticket.pk}",
                kind=CONFIRMATION,
                klass=Class.TRANSACTIONAL,
                lane=Lane.REPLIES,
                customer_id=address.customer_id,
                address=address,
                to=address.shown,
                mailbox=ticket.mailbox,
                ticket_id=ticket.pk,
                title=_("Confirmation"),
                due_at=now(),
                too_late_at=now() + ONCE_A_DAY,
            )
        ]
    )


def guard_confirmation(rows: list[Outgoing], at: datetime) -> dict[int, Verdict]:
    """One a day for an address, asked again in the stamp; suppressed and unreachable addresses get none."""
    asked = {row.address_id for row in rows}
    others = (
        Outgoing.objects.filter(kind=CONFIRMATION, address__in=asked, created_at__gt=at - ONCE_A_DAY)
        .filter(state__in=[*GONE, *WAITING, State.CLAIMED])
        .values_list("address_id", "pk")
    )
    first: dict[int | None, int] = {}
    for address, pk in others.order_by("-pk"):
        first[address] = pk
    suppressed = suppression_of({row.address.canonical for row in rows if row.address})
    out: dict[int, Verdict] = {}
    for row in rows:
        if row.address is None or row.address.canonical in suppressed:
            out[row.pk] = Never(_("This address gets no mail"))
        elif row.address.reachability == Address.Reachability.UNREACHABLE:
            out[row.pk] = Never(_("%(address)s does not work: %(reason)s") % {"address": row.to, "reason": row.address.reason})
        elif first.get(row.address_id, row.pk) != row.pk:
            out[row.pk] = Never(_("This address had a confirmation within a day"))
        else:
            out[row.pk] = GO
    return out


def render_confirmation(rows: list[Outgoing]) -> dict[int, Content | Missing]:
    tickets = Ticket.objects.select_related("requester").in_bulk([row.ticket_id for row in rows if row.ticket_id])
    out: dict[int, Content | Missing] = {}
    for row in rows:
        ticket = tickets.get(row.ticket_id or 0)
        if ticket is None:
            out[row.pk] = Missing(_("The ticket is gone"))
            continue
        with translation.override(language_of(ticket)):
            parts = [
                render_to_string(f"tickets/mail/confirmation.{kind}", {"ticket": ticket, "marker": threading.marker(row)}).strip()
                for kind in ("subject.txt", "txt", "html")
            ]
        out[row.pk] = Content(subject=parts[0], text=parts[1], html=parts[2], automatic="auto-replied")
    return out


def zone_of(ticket: Ticket) -> ZoneInfo:
    """The zone the requester reads times in: theirs, else their company's, else the workspace's."""
    company = ticket.requester.company
    return zone(ticket.requester.zone, company.zone if company else None, settings.TIME_ZONE)


def language_of(ticket: Ticket) -> str:
    """The language we write in: the ticket's, else the requester's, else the workspace's."""
    wanted = ticket.language or ticket.requester.language
    try:
        return translation.get_supported_language_variant(wanted)
    except LookupError:
        return translation.get_language() or "en"
