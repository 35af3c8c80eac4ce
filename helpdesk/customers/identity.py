"""Who is meant: finds customers by address or foreign id, and makes those we see for the first time."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection, transaction

from helpdesk.customers import timeline
from helpdesk.customers.addresses import BadAddress, canonical
from helpdesk.customers.models import Address, Customer
from helpdesk.lib.dates import now

__all__ = ["BadAddress", "by_address", "by_external_id", "canonical", "customer_for_address", "one_line"]

MAX_NAME = 200


def one_line(text: str, limit: int = MAX_NAME) -> str:
    """Foreign text as one short line without control, bidi or zero-width characters, and so without NUL."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:limit].strip()


def customer_for_address(shown: str, name: str = "", *, actor: Any = "") -> Customer:
    """The customer of this address, made on first sight; a name is taken where we know none.

    Safe to call twice at once. Raises BadAddress, a ValueError.
    """
    key = canonical(shown)
    known = Customer.objects.filter(addresses__channel="email", addresses__canonical=key).first()
    customer = known or by_address({key: shown}, {key: name}, actor=actor)[key]
    name = one_line(name)
    if name and not customer.name and Customer.objects.filter(pk=customer.pk, name="").update(name=name, updated_at=now()):
        customer.name = name
        if known:
            timeline.record("customer.updated", customer=customer.pk, actor=actor, changed={"name": ["", name]})
    return customer


@transaction.atomic
def by_address(shown: Mapping[str, str], names: Mapping[str, str] | None = None, *, actor: Any = "") -> dict[str, Customer]:
    """Customers by canonical address; ``shown`` gives each as its owner writes it. Five statements at most, for any number.

    A race for an address is settled by its constraint: the loser's customer goes before anything could refer to it.
    Addresses are inserted in order, so that two batches never wait for each other.
    """
    names = names or {}
    found = _known_addresses(shown)
    missing = sorted(set(shown) - set(found))
    if not missing:
        return found
    made = Customer.objects.bulk_create([Customer(name=one_line(names.get(key, ""))) for key in missing])
    Address.objects.bulk_create(
        [Address(customer=c, canonical=key, shown=shown[key].strip()) for c, key in zip(made, missing, strict=True)],
        ignore_conflicts=True,
    )
    found |= _known_addresses(missing)
    ours = [customer for customer, key in zip(made, missing, strict=True) if found[key].pk == customer.pk]
    if len(ours) < len(made):
        Customer.objects.filter(pk__in={c.pk for c in made} - {c.pk for c in ours}).delete()
    _announce(ours, actor)
    return found


INSERT_ONCE = """
    INSERT INTO customers_customer (external_id, name, language, zone, stage, attributes, created_at, updated_at)
    SELECT external_id, '', '', '', '', '{}', %s, %s FROM unnest(%s::text[]) AS external_id
    ON CONFLICT (external_id) DO NOTHING
    RETURNING id
"""


@transaction.atomic
def by_external_id(ids: Iterable[str], *, actor: Any = "") -> dict[str, Customer]:
    """Customers by the id that another system gives them, made where we know none. Five statements at most."""
    wanted = sorted(set(ids))
    found = {c.external_id: c for c in Customer.objects.filter(external_id__in=wanted)}
    missing = [external_id for external_id in wanted if external_id not in found]
    if missing:
        with connection.cursor() as cursor:  # the ORM cannot say which rows were new when others were not
            cursor.execute(INSERT_ONCE, [now(), now(), missing])
            ours = {pk for (pk,) in cursor.fetchall()}
        fresh = list(Customer.objects.filter(external_id__in=missing))
        found |= {c.external_id: c for c in fresh}
        _announce([c for c in fresh if c.pk in ours], actor)
    return found


def _known_addresses(keys: Iterable[str]) -> dict[str, Customer]:
    rows = Address.objects.filter(channel="email", canonical__in=list(keys)).select_related("customer")
    return {row.canonical: row.customer for row in rows}


def _announce(customers: list[Customer], actor: Any) -> None:
    ref = actor if isinstance(actor, str) else getattr(actor, "ref", "")
    timeline.record_all(
        [timeline.Fact("customer.created", c.pk, actor=ref, payload={"external_id": c.external_id}) for c in customers]
    )
