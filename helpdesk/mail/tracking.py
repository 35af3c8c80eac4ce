"""What a provider says became of mail of ours, by django-anymail's tracking events.

An event counts only if it names a message of ours by what only we can have signed; it goes through the same door as a
delivery report. Providers post events late, twice and in any order, so each is judged by the time at which it happened.
"""

import re
from collections import Counter
from datetime import datetime
from typing import Any

import structlog
from django.db import transaction
from django.utils.timezone import is_naive, make_aware

from helpdesk.customers import consent, reachability
from helpdesk.lib.dates import now
from helpdesk.mail import bounces, inbox, missed, outbox, threading
from helpdesk.mail.hooks import Knock, Misdirected, NotNow, events
from helpdesk.mail.models import Outgoing, State
from helpdesk.mail.parsing import judged

log = structlog.get_logger(__name__)
METADATA = "outgoing"  # under this name a provider's API carries the message's token and brings it back
SOFT = re.compile(r"soft|transient|temporary|undetermined", re.IGNORECASE)
HARD = re.compile(r"hard|permanent", re.IGNORECASE)
# Where providers say whether a failure lasts: the keys of what they post, at most two deep.
LASTING = ("event", "type", "Type", "severity", "bounceType", "bounce_type", "hard_bounce", "status")
# Why a provider does not even try: rejected, in anymail's words.
REJECTED = {"bounced": "hard", "invalid": "hard", "spam": "complaint", "unsubscribed": "unsubscribed", "timed_out": "soft"}


def heed(knock: Knock) -> str:
    """Write down what these events mean, each in its own transaction. Raises NotNow, Misdirected."""
    try:
        found = events(knock, mail=False)
    except (NotNow, Misdirected):
        raise
    except Exception as error:  # a shape that neither anymail nor we know: the provider keeps it and shows the failure
        log.exception("hook_not_read", provider=knock.provider)
        raise Misdirected("These events could not be read.") from error
    done: Counter[str] = Counter()
    for event in found:
        try:
            done[_heed(event, knock.provider)] += 1
        except (*inbox.AWAY, NotNow):
            raise
        except Exception:  # the others of its batch are not to blame
            log.exception("event_failed", provider=knock.provider, type=str(event.event_type)[:40])
            done["failed"] += 1
    log.info("provider_events", provider=knock.provider, **done)
    if done["failed"]:
        raise NotNow(f"{done['failed']} events could not be written down")
    return f"Heeded: {done['heeded']} of {len(found)}."


@transaction.atomic
def _heed(event: Any, provider: str) -> str:
    """One event: heeded; or of a kind that says nothing about delivery, or about no message of ours."""
    act = ACTS.get(str(event.event_type))
    if act is None:
        return "ignored"
    pk = threading.named(_candidates(event))
    sent = Outgoing.objects.filter(pk=pk).first() if pk is not None else None
    if sent is None:
        return "unknown"
    if sent.state == State.SENDING:
        raise NotNow("its own hand-over is not written down yet")
    act(event, sent, _when(event, sent), provider)
    return "heeded"


def _candidates(event: Any) -> list[str]:
    """Where our token may stand: in the metadata that we gave, or in our Message-ID, wherever this provider shows it."""
    posted = event.esp_event if isinstance(event.esp_event, dict) else {}
    metadata = event.metadata if isinstance(event.metadata, dict) else {}
    found = [metadata.get(METADATA), event.message_id, posted.get("smtp-id"), posted.get("message-id")]
    mail, payload = posted.get("mail"), posted.get("payload")
    if isinstance(mail, dict):  # Amazon's: all headers, of which References name other messages
        headers = mail.get("headers") or []
        found += [one.get("value") for one in headers if isinstance(one, dict) and str(one.get("name")).lower() == "message-id"]
    if isinstance(payload, dict):  # Postal's, without brackets
        message = payload.get("message") or payload.get("original_message") or {}
        found.append(message.get("message_id") if isinstance(message, dict) else None)
    return [one for one in found if isinstance(one, str)]


def _when(event: Any, sent: Outgoing) -> datetime:
    """When it happened; of an event without a time, when the message left, so that its second copy is the same."""
    at = event.timestamp
    if not isinstance(at, datetime):
        return sent.sent_at or sent.created_at
    return min(make_aware(at) if is_naive(at) else at, now())


def _reason(event: Any) -> str:
    return str(event.mta_response or event.description or event.reject_reason or event.event_type)


def _report(
    event: Any, sent: Outgoing, at: datetime, *, kind: str = "", lasting: bool | None = None, delayed: bool = False
) -> None:
    recipients = (event.recipient,) if isinstance(event.recipient, str) else ()
    bounces.apply(judged(_reason(event), recipients, kind=kind, lasting=lasting, delayed=delayed), sent, at=at)


def _delivered(event: Any, sent: Outgoing, at: datetime, provider: str) -> None:
    address = event.recipient if isinstance(event.recipient, str) else sent.to
    if _to_its_customer(event, sent):
        outbox.delivered(sent.pk, at=at)
    elif sent.missed:
        missed.tell(sent, {one: None for one in sent.missed if bounces.same(one, address)})
    if any(bounces.same(address, one) for one in (sent.to, *sent.cc)):
        reachability.worked(address, at=at)


def _bounced(event: Any, sent: Outgoing, at: datetime, provider: str) -> None:
    _report(event, sent, at, lasting=_lasting(event))


def _rejected(event: Any, sent: Outgoing, at: datetime, provider: str) -> None:
    """It was not even tried: the provider knows this recipient, or refuses us."""
    kind = REJECTED.get(str(event.reject_reason), "")
    if kind == "unsubscribed":
        _unsubscribed(event, sent, at, provider)
    _report(event, sent, at, kind={"unsubscribed": "message", "": "policy"}.get(kind, kind), lasting=kind != "soft")


def _failed(event: Any, sent: Outgoing, at: datetime, provider: str) -> None:
    _report(event, sent, at, kind="" if judged(_reason(event), ()).status else "message", lasting=True)


def _deferred(event: Any, sent: Outgoing, at: datetime, provider: str) -> None:
    _report(event, sent, at, delayed=True)


def _complained(event: Any, sent: Outgoing, at: datetime, provider: str) -> None:
    _report(event, sent, at, kind="complaint")


def _unsubscribed(event: Any, sent: Outgoing, at: datetime, provider: str) -> None:
    """No more of this message's subscription; of a message without one there is nothing to say no to."""
    if sent.customer_id and sent.subscription_id and _to_its_customer(event, sent):
        proof = {"outgoing": sent.pk, "provider": provider}
        actor = f"customer:{sent.customer_id}"
        consent.withdraw(sent.customer_id, sent.subscription_id, source="provider", proof=proof, actor=actor)


ACTS = {
    "delivered": _delivered,
    "bounced": _bounced,
    "rejected": _rejected,
    "failed": _failed,
    "deferred": _deferred,
    "complained": _complained,
    "unsubscribed": _unsubscribed,
}


def _to_its_customer(event: Any, sent: Outgoing) -> bool:
    """Whether it is about the customer, and not about somebody in Cc."""
    return not isinstance(event.recipient, str) or bounces.same(event.recipient, sent.to)


def _lasting(event: Any) -> bool | None:
    """Whether the provider calls it permanent; None if it does not say."""
    posted = event.esp_event if isinstance(event.esp_event, dict) else {}
    inner = [value for value in posted.values() if isinstance(value, dict)]
    inner += [value for one in inner for value in one.values() if isinstance(value, dict)]
    for one in (posted, *inner[:50]):
        for key in LASTING:
            value = one.get(key)
            if key == "hard_bounce" and isinstance(value, bool):
                return value
            if isinstance(value, str) and (SOFT.search(value) or HARD.search(value)):
                return not SOFT.search(value)
    return None
