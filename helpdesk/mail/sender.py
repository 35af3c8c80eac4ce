"""Claim, stamp, hand over, record: the only place from which mail leaves.

The stamp is committed before the first byte goes, so a crash after it leaves *unknown*, never a second copy; a crash
before it leaves a claim that lapses. A stamp holds MAIL_SENDER_STAMP messages on the campaigns' lane and one on the
replies': at most so many can become unknown by one crash.
"""

import json
import os
import re
import secrets
import socket
import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Min
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from helpdesk.customers.timeline import Fact, record_all
from helpdesk.lib.dates import now
from helpdesk.lib.rows import array
from helpdesk.live.streams import announce
from helpdesk.mail import addresses, mime, missed, planner
from helpdesk.mail.models import Attempt, Lane, Outgoing, State
from helpdesk.mail.outbox import fact, refusal
from helpdesk.mail.parsing import judged
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
            moved = planner.plan_due(lane)
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


CLAIM_ROWS = """
    UPDATE mail_outgoing SET state = 'claimed', owner = %s, lease_until = clock_timestamp() + %s
    WHERE id = ANY(ARRAY(
        SELECT id FROM mail_outgoing WHERE lane = %s AND state = 'queued' ORDER BY due_at, id LIMIT %s FOR UPDATE SKIP LOCKED
    ))
    RETURNING id, due_at
"""


def claim(lane: str, owner: str) -> list[int]:
    """Take what is queued; whoever dies now loses only the lease."""
    size = 10 if lane == Lane.REPLIES else CLAIMED_AT_ONCE
    values: list[Any] = [owner, CLAIM, lane, size]
    with connection.cursor() as cursor:
        cursor.execute(CLAIM_ROWS, values)
        return [pk for pk, _due_at in sorted(cursor.fetchall(), key=lambda row: (row[1], row[0]))]


@transaction.atomic
def stamp(ids: list[int], owner: str) -> list[Ready]:
    """Ask everything again under the customers' locks, write the text, and commit that it is about to leave."""
    at = now()
    rows = planner.lock(ids, state=State.CLAIMED, owner=owner)
    answers = planner.verdicts(rows, at)
    ready: list[Ready] = []
    stopped: list[Outgoing] = []
    texts, failed = written([row for row in rows if isinstance(answers[row.pk], Go)])
    for row in rows:
        verdict, text = answers[row.pk], texts.get(row.pk)
        if row.pk in failed:
            verdict = planner.trouble(failed[row.pk], at)
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
                verdict = planner.trouble(error, at)
        planner.apply(row, verdict, at, go=State.QUEUED)
        stopped.append(row)
    planner.save_verdicts(stopped, at)
    gone = _stamp(ready, owner, at)
    return [each for each in ready if each[0].pk in gone]


def written(rows: list[Outgoing]) -> tuple[dict[int, Content | Missing], dict[int, Exception]]:
    """Each kind's half writes its messages, one call a kind; and the errors of those that could not be written."""
    texts: dict[int, Content | Missing] = {}
    failed: dict[int, Exception] = {}
    for kind in {row.kind for row in rows}:
        render = import_string(settings.OUTBOX[kind]["render"])
        said, errors = planner.piecewise(render, [row for row in rows if row.kind == kind])
        texts, failed = texts | said, failed | errors
    return texts, failed


STAMP_ROWS = """
    WITH stamped AS (
        UPDATE mail_outgoing SET state = 'sending', sent_at = %(at)s, attempts = new.attempts, rfc_id = new.rfc_id,
                                 rendered = new.rendered, lease_until = clock_timestamp() + %(lease)s
        FROM unnest(%(ids)s::bigint[], %(attempts)s::int[], %(rfc_ids)s::text[], %(rendered)s::jsonb[])
             AS new(id, attempts, rfc_id, rendered)
        WHERE mail_outgoing.id = new.id AND state = 'claimed' AND owner = %(owner)s AND lease_until > clock_timestamp()
        RETURNING mail_outgoing.id, mail_outgoing.attempts
    )
    INSERT INTO mail_attempt (outgoing_id, number, owner, outcome, answer, started_at)
    SELECT id, attempts, %(owner)s, 'started', '', %(at)s FROM stamped RETURNING outgoing_id
"""


def _stamp(ready: list[Ready], owner: str, at: datetime) -> set[int]:
    """The messages and their attempts in one statement; returns the ids of those that are still ours."""
    if not ready:
        return set()
    lease = timedelta(seconds=2 * len(ready) * settings.MAIL_SMTP_TIMEOUT)
    said = [json.dumps({"subject": text.subject, "text": text.text, "html": text.html}) for _row, text, _raw in ready]
    rows = [row for row, _text, _raw in ready]
    values: dict[str, Any] = {
        "ids": array(row.pk for row in rows),
        "attempts": array(row.attempts for row in rows),
        "rfc_ids": array(row.rfc_id for row in rows),
        "rendered": array(said),
        "owner": owner,
        "at": at,
        "lease": lease,
    }
    with connection.cursor() as cursor:
        cursor.execute(STAMP_ROWS, values)
        return {pk for (pk,) in cursor.fetchall()}


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
        results.append((row, replace(result, refused={**text.without, **result.refused}) if text.without else result))
    return results


def recipients(row: Outgoing, text: Content) -> list[str]:
    """Envelope recipients as the headers write them, the one in To first, each once; ``only`` those who still want it."""
    wanted = row.only if row.only is not None else (row.to, *text.cc, *text.bcc)
    return list(dict.fromkeys(addresses.wire(each) for each in wanted))


RECORD_ROWS = """
    WITH told AS (
        SELECT * FROM unnest(%(ids)s::bigint[], %(states)s::text[], %(reasons)s::text[], %(next)s::timestamptz[],
                             %(finished)s::timestamptz[], %(outcomes)s::text[], %(codes)s::int[], %(answers)s::text[])
                      AS told(id, state, reason, next_at, finished_at, outcome, code, answer)
    ), ours AS (
        UPDATE mail_outgoing o SET state = told.state, reason = told.reason, next_at = told.next_at,
                                   finished_at = told.finished_at, owner = '', lease_until = NULL
        FROM told WHERE o.id = told.id AND o.state = 'sending' AND o.owner = %(owner)s AND o.lease_until > clock_timestamp()
        RETURNING o.id, o.attempts
    )
    UPDATE mail_attempt SET outcome = told.outcome, code = told.code, answer = told.answer, ended_at = %(at)s
    FROM ours JOIN told USING (id)
    WHERE outgoing_id = ours.id AND number = ours.attempts
    RETURNING outgoing_id
"""
KINDS = {State.ACCEPTED: "mail.sent", State.FAILED: "mail.failed", State.UNKNOWN: "mail.unknown"}


@transaction.atomic
def record(results: list[tuple[Outgoing, Handover]], owner: str) -> None:
    """Write what the mail server said, where the row is still ours; one transaction for the whole stamp."""
    if not results:
        return
    at = now()
    tried_since = _tried_since([row.pk for row, result in results if result.outcome == "retry"])
    for row, result in results:
        judge(row, result, at, tried_since.get(row.pk, at))
    values: dict[str, Any] = {
        "ids": array(row.pk for row, _ in results),
        "states": array(row.state for row, _ in results),
        "reasons": array(row.reason for row, _ in results),
        "next": array(row.next_at for row, _ in results),
        "finished": array(row.finished_at for row, _ in results),
        "outcomes": array(result.outcome for _, result in results),
        "codes": array(result.code for _, result in results),
        "answers": array(result.answer for _, result in results),
        "owner": owner,
        "at": at,
    }
    with connection.cursor() as cursor:
        cursor.execute(RECORD_ROWS, values)
        ours = {pk for (pk,) in cursor.fetchall()}
    rows = [row for row, _ in results if row.pk in ours]
    record_all(fact(KINDS[State(row.state)], row, at=at) for row in rows if row.state in KINDS)
    record_all(_refusals(results, ours))
    for row, result in results:
        if row.pk in ours:
            _who_missed_it(row, result)
    announce(*{f"ticket:{row.ticket_id}" for row in rows if row.ticket_id})


def _who_missed_it(row: Outgoing, result: Handover) -> None:
    """Of several recipients a server may refuse some: the message names them, and those it may take later get a copy."""
    if row.copy_of_id and row.state != State.RETRY_WAIT:
        missed.tell(row, dict.fromkeys(row.only or [], None if result.outcome == "accepted" else row.reason))
    elif result.outcome == "accepted" and result.refused:
        waits = {address: _("%s; we try again") % result.refused[address] for address in result.later}
        missed.tell(row, {**result.refused, **waits})
        missed.later(row, result.later)


OUR_SIGN_IN = re.compile(r"authentication (?:credential|fail|required|unsuccessful)|(?:bad|invalid) credentials", re.IGNORECASE)


def _refusals(results: list[tuple[Outgoing, Handover]], ours: set[int]) -> list[Fact]:
    """The answers that refuse campaign mail by policy. That we could not sign in at our own mail server is none of these."""
    found = []
    for row, result in results:
        if row.campaign_id and row.pk in ours and result.outcome in ("retry", "failed") and result.code:
            answer = judged(f"{result.code} {result.answer}", (row.to,), delayed=result.outcome == "retry")
            signing_in = OUR_SIGN_IN.search(result.answer) or (result.outcome == "retry" and result.code >= 500)
            if answer.kind == "policy" and not signing_in:
                found.append(refusal(row, answer))
    return found


def _tried_since(ids: list[int]) -> dict[int, datetime]:
    """When each of these was handed over for the first time since it is due; a person's "send again" makes it due anew."""
    tries = Attempt.objects.filter(outgoing__in=ids, started_at__gte=F("outgoing__due_at")).order_by()
    return dict(tries.values_list("outgoing").annotate(first=Min("started_at"))) if ids else {}


def judge(row: Outgoing, result: Handover, at: datetime, tried_since: datetime) -> None:
    """accepted, failed, unknown, or another try: doubling waits, given up 48 hours after the first.

    The time that a guard held it does not count: it was no try.
    """
    row.owner, row.lease_until, row.reason = "", None, ""
    outcome = result.outcome
    if outcome == "retry" and at - tried_since > GIVE_UP:
        outcome = "failed"
    if outcome == "retry":
        row.state, row.reason = State.RETRY_WAIT, result.answer[:300]
        row.next_at = at + WAITS[min(row.attempts, len(WAITS)) - 1]
        return
    row.state = {"accepted": State.ACCEPTED, "failed": State.FAILED, "unknown": State.UNKNOWN}[outcome]
    row.finished_at = at
    if outcome != "accepted":
        row.reason = result.answer[:300]
