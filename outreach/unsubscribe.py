"""Saying no, and choosing, by the link in a message: no login, no cookie, effective in one transaction (RFC 8058)."""

from collections.abc import Iterable
from typing import Any

from django.db import transaction

from helpdesk.customers import consent
from helpdesk.customers.models import Subscription
from helpdesk.lib import signing
from helpdesk.lib.dates import now
from helpdesk.mail.models import Outgoing
from outreach import triggers
from outreach.messages import UNSUBSCRIBE
from outreach.models import Enrolment


def message_of(token: str) -> Outgoing | None:
    """The message whose link this is; None for anything we did not sign. Links never expire."""
    pk = signing.read(UNSUBSCRIBE, token)
    rows = Outgoing.objects.select_related("subscription", "customer")
    return rows.filter(pk=pk, subscription__isnull=False).first() if pk is not None else None


@transaction.atomic
def leave(message: Outgoing, *, source: str) -> None:
    """No more of this message's subscription: the consent is withdrawn and what waits is taken back, together."""
    if message.customer_id and message.subscription_id:
        triggers.withdraw(message.subscription_id, {message.customer_id})
        Enrolment.objects.filter(pk=message.enrolment_id or 0, unsubscribed_at=None).update(unsubscribed_at=now())
        consent.withdraw(message.customer_id, message.subscription_id, **_said(message, source))


@transaction.atomic
def choose(message: Outgoing, wanted: Iterable[int], *, wording: str) -> None:
    """Exactly these subscriptions, and none of the others; only what differs is written down."""
    if not message.customer_id:
        return
    chosen = set(wanted)
    for subscription, getting in choices(message):
        if subscription.pk in chosen and not getting:
            consent.give(message.customer_id, subscription, **_said(message, "preferences", wording))
        if subscription.pk not in chosen and getting:
            triggers.withdraw(subscription.pk, {message.customer_id})
            consent.withdraw(message.customer_id, subscription, **_said(message, "preferences", wording))


def _said(message: Outgoing, source: str, wording: str = "") -> dict[str, Any]:
    """The proof: by the link of this very message, from the customer, in these words."""
    return {
        "source": source,
        "wording": wording,
        "proof": {"outgoing": message.pk},
        "actor": f"customer:{message.customer_id}",
    }


def choices(message: Outgoing) -> list[tuple[Subscription, bool]]:
    """Every subscription, and whether this customer gets it now."""
    every = list(Subscription.objects.all())
    if not message.customer_id:
        return [(subscription, False) for subscription in every]
    allowed = consent.allowed((message.customer_id, subscription.pk) for subscription in every)
    return [(subscription, (message.customer_id, subscription.pk) in allowed) for subscription in every]
