"""What a customer allowed, subscription by subscription, and the addresses that get nothing more."""

import hmac
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from helpdesk.customers import timeline
from helpdesk.customers.addresses import BadAddress, canonical
from helpdesk.customers.models import Address, Consent, Customer, Subscription, Suppression
from helpdesk.lib.dates import now
from helpdesk.lib.rows import array

Reason = Suppression.Reason
# A stronger reason replaces a weaker one; the first two are the customer's own word and no employee's to take back.
STRENGTH = [Reason.COMPLAINT, Reason.OPT_OUT, Reason.LEGAL, Reason.MANUAL]
BY_CUSTOMER = {Reason.OPT_OUT}
BY_STAFF = {Reason.LEGAL, Reason.MANUAL}


class NeverLifted(PermissionError):
    """Staff tried to lift what a customer said; permanent."""


def give(
    customer_id: int,
    subscription: Subscription | int | str,
    *,
    source: str,
    wording: str = "",
    proof: dict[str, Any] | None = None,
    basis: str = Consent.Basis.CONSENT,
    expires_at: datetime | None = None,
    actor: Any = "",
) -> Consent | None:
    """Record that a customer allows a subscription; nothing, and None, when that is the state already."""
    return _change(
        customer_id,
        subscription,
        True,
        source=source,
        wording=wording,
        proof=proof or {},
        basis=basis,
        expires_at=expires_at,
        actor=actor,
    )


def withdraw(
    customer_id: int,
    subscription: Subscription | int | str,
    *,
    source: str,
    wording: str = "",
    proof: dict[str, Any] | None = None,
    actor: Any = "",
) -> Consent | None:
    """Record that a customer wants no more of a subscription; nothing, and None, when that is the state already."""
    return _change(customer_id, subscription, False, source=source, wording=wording, proof=proof or {}, actor=actor)


@transaction.atomic
def _change(customer_id: int, subscription: Subscription | int | str, given: bool, *, actor: Any, **facts: Any) -> Consent | None:
    """The customer's lock comes first, as in the stamp: after this commits no message under the old state is stamped."""
    customer = Customer.objects.select_for_update(no_key=True).only("pk").get(pk=customer_id)
    wanted = _subscription(subscription)
    newest = Consent.objects.filter(customer=customer, subscription=wanted).order_by("-id").first()
    if newest and newest.given == given and newest.expires_at == facts.get("expires_at"):
        return None
    row = Consent.objects.create(customer=customer, subscription=wanted, given=given, at=now(), **facts)
    timeline.record(
        "consent.given" if given else "consent.withdrawn",
        customer=customer_id,
        actor=actor,
        at=row.at,
        subscription=wanted.slug,
        subscription_id=wanted.pk,
        name=wanted.name,
        source=row.source,
        consent=row.pk,
    )
    return row


def _subscription(wanted: Subscription | int | str) -> Subscription:
    if isinstance(wanted, Subscription):
        return wanted
    return Subscription.objects.get(slug=wanted) if isinstance(wanted, str) else Subscription.objects.get(pk=wanted)


# The newest row counts. "No" is no; no row, or one that ran out, leaves what the subscription itself says.
ALLOWED = """
    SELECT asked.customer, asked.subscription
    FROM unnest(%s::bigint[], %s::bigint[]) AS asked(customer, subscription)
    JOIN customers_subscription s ON s.id = asked.subscription
    LEFT JOIN LATERAL (
        SELECT given, expires_at FROM customers_consent c
        WHERE c.customer_id = asked.customer AND c.subscription_id = asked.subscription
        ORDER BY c.id DESC LIMIT 1
    ) newest ON true
    WHERE CASE WHEN newest.given IS FALSE THEN false
               WHEN NOT s.opt_in THEN true
               ELSE coalesce(newest.given AND (newest.expires_at IS NULL OR newest.expires_at > %s), false) END
"""


def allowed(pairs: Iterable[tuple[int, int]], at: datetime | None = None) -> set[tuple[int, int]]:
    """Which of these (customer id, subscription id) may get mail at that time, in one query."""
    asked = sorted(set(pairs))
    if not asked:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(ALLOWED, [array(c for c, _ in asked), array(s for _, s in asked), at or now()])
        return set(cursor.fetchall())


def digest(address: str, key: str | None = None) -> str:
    """A keyed hash of a canonical address (HMAC-SHA256): it stays after an erasure and tells nobody the address."""
    return hmac.digest(_own_key(key or _keys()[0]), address.encode(), "sha256").hex()


@lru_cache(maxsize=16)
def _own_key(key: str) -> bytes:
    return hmac.digest(key.encode(), b"helpdesk.customers.suppression", "sha256")


def _keys() -> list[str]:
    """The first hashes, all are looked up, so that keys can change without forgetting anybody."""
    return list(settings.TOKEN_KEYS)


SUPPRESSED = "SELECT digest FROM customers_suppression WHERE channel = 'email' AND digest = ANY(%s::text[])"


def suppressed(addresses: Iterable[str]) -> set[str]:
    """Which of these get nothing more, as canonical addresses, in one query. What is no address is left out."""
    digests: dict[str, str] = {}
    for address in addresses:
        try:
            key = canonical(address)
        except BadAddress:
            continue
        digests |= {digest(key, secret): key for secret in _keys()}
    if not digests:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(SUPPRESSED, [array(digests)])
        return {digests[found] for (found,) in cursor.fetchall()}


@transaction.atomic
def suppress(address: str, reason: str, source: str, *, actor: Any = "") -> bool:
    """This address gets nothing more; True if that, or a stronger reason for it, is new. Raises BadAddress."""
    key = canonical(address)
    owner = Address.objects.filter(channel="email", canonical=key).values_list("customer_id", flat=True).first()
    if owner:
        Customer.objects.select_for_update(no_key=True).only("pk").filter(pk=owner).first()
    moment = now()
    row, new = Suppression.objects.select_for_update().get_or_create(
        channel="email", digest=digest(key), defaults={"reason": reason, "source": source, "at": moment}
    )
    if not new:
        if STRENGTH.index(Reason(reason)) >= STRENGTH.index(Reason(row.reason)):
            return False
        Suppression.objects.filter(pk=row.pk).update(reason=reason, source=source, at=moment)
    if owner:
        timeline.record("address.suppressed", customer=owner, actor=actor, at=moment, address=key, reason=reason, source=source)
    return True


@transaction.atomic
def lift(address: str, *, source: str, actor: Any = "", by_customer: bool = False) -> bool:
    """Take a suppression back; True if there was one.

    A person here may lift what was set here, a customer what they asked for themselves; a complaint stays for ever.
    Raises NeverLifted, BadAddress.
    """
    key = canonical(address)
    rows = list(Suppression.objects.select_for_update().filter(channel="email", digest__in=[digest(key, k) for k in _keys()]))
    if any(row.reason not in (BY_CUSTOMER if by_customer else BY_STAFF) for row in rows):
        raise NeverLifted("This address asked for no more mail or complained. Only its owner can change that.")
    Suppression.objects.filter(pk__in=[row.pk for row in rows]).delete()
    owner = Address.objects.filter(channel="email", canonical=key).values_list("customer_id", flat=True).first()
    if rows and owner:
        timeline.record("address.released", customer=owner, actor=actor, address=key, source=source)
    return bool(rows)


def suppression_of(addresses: Iterable[str]) -> dict[str, Suppression]:
    """Why and since when, by canonical address: for the customer's page."""
    digests = {digest(key, secret): key for key in addresses for secret in _keys()}
    return {digests[row.digest]: row for row in Suppression.objects.filter(channel="email", digest__in=digests)}
