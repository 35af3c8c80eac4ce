"""Claim, stamp, hand over, record: the only place from which mail leaves.

The stamp is committed before the first byte goes, so a crash after it leaves *unknown*, never a second copy; a crash
before it leaves a claim that lapses. A stamp holds MAIL_SENDER_STAMP messages on the campaigns' lane and one on the
replies': at most so many can become unknown by one crash.
"""

import os
import secrets
import socket
import time
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from helpdesk.customers.timeline import record_all
from helpdesk.lib.dates import now
from helpdesk.lib.rows import update
from helpdesk.live.streams import announce
from helpdesk.mail import mime, outbox
from helpdesk.mail.models import Attempt, Lane, Outgoing, State
from helpdesk.mail.outbox import ClockTimestamp, fact
from helpdesk.mail.transports import Handover, Transport, open_transport
from helpdesk.mail.verdicts import Content, Go, Missing, Never

log = structlog.get_logger(__name__)
CLAIM = timedelta(seconds=60)
CLAIMED_AT_ONCE = 200  # rows of the campaigns' lane; stamped in portions
BUSY = 20.0  # seconds one call works before it gives the worker back
WAITS = [timedelta(minutes=m) for m in (1, 5, 15, 60, 180, 360)]
GIVE_UP = timedelta(hours=48)

Ready = tuple[Outgoing, Content, bytes]


def owner_name() -> str:
    return f"{socket.gethostname()[:30]}:{os.getpid()}:{secrets.token_hex(4)}"


def send(lane: str, *, transport: Transport | None = None) -> int:
    """Plan and send what is due on this lane, for at most BUSY seconds; returns how many rows were moved or sent."""
    owner, done, end = owner_name(), 0, time.monotonic() + BUSY
    line = transport or open_transport()
    try:
        while time.monotonic() < end:
            moved = outbox.plan_due(lane)
            claimed = claim(lane, owner)
            for portion in _portions(claimed, stamp_size(lane)):
                record(hand_over(stamp(portion, owner), line), owner)
            done += moved + len(claimed)
            if not moved and not claimed:
                break
    finally:
        if transport is None:
            line.close()
    return done


def stamp_size(lane: str) -> int:
    return 1 if lane == Lane.REPLIES else settings.MAIL_SENDER_STAMP


def _portions(ids: list[int], size: int) -> list[list[int]]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]


@transaction.atomic
def claim(lane: str, owner: str) -> list[int]:
    """Take what is queued; whoever dies now loses only the lease."""
    size = 10 if lane == Lane.REPLIES else CLAIMED_AT_ONCE
    ids = list(
        Outgoing.objects.select_for_update(skip_locked=True)
        .filter(lane=lane, state=State.QUEUED)
        .order_by("due_at", "id")
        .values_list("pk", flat=True)[:size]
    )
    Outgoing.objects.filter(pk__in=ids).update(state=State.CLAIMED, owner=owner, lease_until=ClockTimestamp() + CLAIM)
    return ids


@transaction.atomic
def stamp(ids: list[int], owner: str) -> list[Ready]:
    """Ask everything again under the customers' locks, write the text, and commit that it is about to leave."""
    at = now()
    pairs = list(Outgoing.objects.filter(pk__in=ids, state=State.CLAIMED, owner=owner).values_list("pk", "customer_id"))
    rows = outbox.lock(pairs, state=State.CLAIMED, owner=owner, lease_until__gt=ClockTimestamp())
    answers = outbox.verdicts(rows, at)
    ready: list[Ready] = []
    stopped: list[Outgoing] = []
    texts, failed = written([row for row in rows if isinstance(answers[row.pk], Go)])
    for row in rows:
        verdict, text = answers[row.pk], texts.get(row.pk)
        if row.pk in failed:
            verdict = outbox.trouble(failed[row.pk], at)
        elif isinstance(text, Missing):
            verdict = Never(text.reason)
        elif isinstance(verdict, Go) and isinstance(text, Content):
            row.attempts += 1
            row.rfc_id = mime.message_id(row)
            try:
                ready.append((row, text, mime.build(row, text)))
                continue
            except mime.HeaderInjection as error:
                verdict = Never(_("The message could not be built: a line break in %s") % error)
            except Exception as error:  # a file that cannot be read now, a broken DKIM key: not the message's fault
                log.exception("message_not_built", outgoing=row.pk)
                verdict = outbox.trouble(error, at)
        outbox.apply(row, verdict, at, go=State.QUEUED)
        stopped.append(row)
    outbox.save_verdicts(stopped, at)
    _stamp_rows([row for row, _text, _raw in ready], {row.pk: text for row, text, _raw in ready}, owner, at)
    return ready


def written(rows: list[Outgoing]) -> tuple[dict[int, Content | Missing], dict[int, Exception]]:
    """Each kind's half writes its messages, one call a kind; and the errors of those that could not be written."""
    texts: dict[int, Content | Missing] = {}
    failed: dict[int, Exception] = {}
    for kind in {row.kind for row in rows}:
        said, errors = outbox.piecewise(import_string(settings.OUTBOX[kind]["render"]), [row for row in rows if row.kind == kind])
        texts, failed = texts | said, failed | errors
    return texts, failed


def _stamp_rows(rows: list[Outgoing], texts: dict[int, Content], owner: str, at: datetime) -> None:
    lease = timedelta(seconds=2 * max(1, len(rows)) * settings.MAIL_SMTP_TIMEOUT)
    for row in rows:
        text = texts[row.pk]
        row.state, row.sent_at = State.SENDING, at
        row.rendered = {"subject": text.subject, "text": text.text, "html": text.html}
    update(rows, ["state", "sent_at", "attempts", "rfc_id", "rendered"])
    Outgoing.objects.filter(pk__in=[row.pk for row in rows]).update(lease_until=ClockTimestamp() + lease)
    Attempt.objects.bulk_create(Attempt(outgoing=row, number=row.attempts, owner=owner, started_at=at) for row in rows)


def hand_over(ready: list[Ready], line: Transport) -> list[tuple[Outgoing, Handover]]:
    """The network, outside any transaction. What a transport did not foresee leaves one message unknown, not its stamp."""
    results = []
    for row, text, raw in ready:
        try:
            result = line.send(mime.return_path(row, text), recipients(row, text), raw)
        except Exception as error:
            log.exception("transport_failed", outgoing=row.pk)
            line.close()
            result = Handover("unknown", answer=f"{type(error).__name__}: {error}"[:500])
        results.append((row, result))
    return results


def recipients(row: Outgoing, text: Content) -> list[str]:
    """Envelope recipients, the customer first, each once."""
    return list(dict.fromkeys([row.to, *text.cc]))


@transaction.atomic
def record(results: list[tuple[Outgoing, Handover]], owner: str) -> None:
    """Write what the mail server said, where the row is still ours; one transaction for the whole stamp."""
    at = now()
    ours = set(
        Outgoing.objects.select_for_update()
        .filter(pk__in=[row.pk for row, _ in results], state=State.SENDING, owner=owner, lease_until__gt=ClockTimestamp())
        .values_list("pk", flat=True)
    )
    rows = [(row, result) for row, result in results if row.pk in ours]
    for row, result in rows:
        judge(row, result, at)
    update([row for row, _ in rows], ["state", "reason", "next_at", "owner", "lease_until", "finished_at"])
    tries = {(t.outgoing_id, t.number): t for t in Attempt.objects.filter(outgoing__in=ours, outcome=Attempt.Outcome.STARTED)}
    for row, result in rows:
        attempt = tries[row.pk, row.attempts]
        attempt.outcome, attempt.code, attempt.answer, attempt.ended_at = result.outcome, result.code, result.answer, at
    update(tries.values(), ["outcome", "code", "answer", "ended_at"])
    kinds = {State.ACCEPTED: "mail.sent", State.FAILED: "mail.failed", State.UNKNOWN: "mail.unknown"}
    record_all(fact(kinds[State(row.state)], row, at=at) for row, _ in rows if row.state in kinds)
    announce(*{f"ticket:{row.ticket_id}" for row, _ in rows if row.ticket_id})


def judge(row: Outgoing, result: Handover, at: datetime) -> None:
    """accepted, failed, unknown, or another try: doubling waits, given up after 48 hours."""
    row.owner, row.lease_until, row.reason = "", None, ""
    outcome = result.outcome
    if outcome == "retry" and at - row.due_at > GIVE_UP:
        outcome = "failed"
    if outcome == "retry":
        row.state, row.reason = State.RETRY_WAIT, result.answer[:300]
        row.next_at = at + WAITS[min(row.attempts, len(WAITS)) - 1]
        return
    row.state = {"accepted": State.ACCEPTED, "failed": State.FAILED, "unknown": State.UNKNOWN}[outcome]
    row.finished_at = at
    if outcome != "accepted":
        row.reason = result.answer[:300]
    elif result.refused:
        row.reason = (_("Not to %s") % result.refused)[:300]
