"""Who is meant: finds customers by address or foreign id, and makes those we see for the first time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, connection, transaction

from helpdesk.customers import profile, timeline
from helpdesk.customers.addresses import BadAddress, canonical
from helpdesk.customers.models import Address, Customer, Event
from helpdesk.customers.profile import Profile
from helpdesk.lib.dates import now
from helpdesk.lib.text import one_line

__all__ = [
    "AddressTaken",
    "BadAddress",
    "address_for",
    "by_address",
    "by_external_id",
    "canonical",
    "change",
    "customer_for_address",
    "introduce",
    "upsert",
]


class AddressTaken(ValueError):
    """The address belongs to another customer; permanent until somebody says which of the two is right."""

    def __init__(self, address: str, customer_id: int) -> None:
        super().__init__(f"{address} belongs to another customer (id {customer_id}).")
        self.customer_id = customer_id


@dataclass
class Upserted:
    customer: Customer
    created: bool
    changed: dict[str, list[Any]] = field(default_factory=dict)  # name → [before, after]
    warnings: list[str] = field(default_factory=list)


def customer_for_address(shown: str, name: str = "", *, actor: Any = "") -> Customer:
    """The customer of this address, made on first sight; see `address_for`."""
    return address_for(shown, name, actor=actor).customer


def address_for(shown: str, name: str = "", *, actor: Any = "", told: bool = True) -> Address:
    """This address and its customer, made on first sight; a name is taken where we know none.

    Not ``told``: nobody learns of a new customer until `introduce`. Safe to call twice at once. Raises BadAddress, a
    ValueError.
    """
    key = canonical(shown)
    address = _addresses({key: shown}, {key: name}, actor, told=told)[key]
    customer, name = address.customer, one_line(name)
    if name and not customer.name and Customer.objects.filter(pk=customer.pk, name="").update(name=name, updated_at=now()):
        customer.name = name
        timeline.record("customer.updated", customer=customer.pk, actor=actor, changed={"name": ["", name]})
    return address


# The address is claimed first, under an id drawn for its customer (the foreign key is checked at commit): who loses the
# race for it inserts no customer that would have to go again.
CLAIM_ADDRESSES = """
    WITH wanted AS (
        SELECT * FROM unnest(%s::text[], %s::text[], %s::text[]) AS wanted(canonical, shown, name)
    ), claimed AS (
        INSERT INTO customers_address (customer_id, channel, canonical, shown, is_primary, reachability, reason, soft_failures,
                                       changed_at)
        SELECT nextval(pg_get_serial_sequence('customers_customer', 'id')), 'email', canonical, shown, true, 'unknown', '', '{}',
               %s FROM wanted
        ON CONFLICT (channel, canonical) DO NOTHING
        RETURNING id, customer_id, canonical
    ), made AS (
        INSERT INTO customers_customer (id, name, language, zone, stage, attributes, created_at, updated_at)
        SELECT customer_id, name, '', '', '', '{}', %s, %s FROM claimed JOIN wanted USING (canonical)
    )
    SELECT id, customer_id, canonical FROM claimed
"""


def by_address(shown: Mapping[str, str], names: Mapping[str, str] | None = None, *, actor: Any = "") -> dict[str, Customer]:
    """Customers by canonical address; ``shown`` gives each as its owner writes it. Four statements at most, for any number."""
    return {key: address.customer for key, address in _addresses(shown, names or {}, actor).items()}


@transaction.atomic(savepoint=False)
def _addresses(shown: Mapping[str, str], names: Mapping[str, str], actor: Any, *, told: bool = True) -> dict[str, Address]:
    """The addresses with their customers; claimed in order, so that two batches never wait for each other."""
    found = _known_addresses(shown)
    missing = sorted(set(shown) - set(found))
    if not missing:
        return found
    moment = now()
    written = {key: shown[key].strip() for key in missing}
    called = {key: one_line(names.get(key, "")) for key in missing}
    with connection.cursor() as cursor:
        cursor.execute(CLAIM_ADDRESSES, [missing, [*written.values()], [*called.values()], moment, moment, moment])
        for pk, customer_id, key in cursor.fetchall():
            customer = Customer(pk=customer_id, name=called[key], created_at=moment, updated_at=moment)
            address = Address(pk=pk, customer=customer, canonical=key, shown=written[key], changed_at=moment)
            customer._state.adding = address._state.adding = False
            found[key] = address
    if told:
        _announced([found[key].customer for key in missing if key in found], actor)
    return found | _known_addresses(set(missing) - set(found))  # somebody else's, claimed since we looked


INSERT_ONCE = """
    INSERT INTO customers_customer (external_id, name, language, zone, stage, attributes, created_at, updated_at)
    SELECT external_id, '', '', '', '', '{}', %s, %s FROM unnest(%s::text[]) AS external_id
    ON CONFLICT (external_id) DO NOTHING
    RETURNING id
"""


@transaction.atomic
def by_external_id(ids: Iterable[str], *, actor: Any = "") -> dict[str, Customer]:
    """Customers by the id that another system gives them, made where we know none. Four statements at most."""
    wanted = sorted(set(ids))
    found = _named_so(wanted)
    missing = [external_id for external_id in wanted if external_id not in found]
    if not missing:
        return found
    with connection.cursor() as cursor:  # the ORM cannot say which rows were new when others were not
        cursor.execute(INSERT_ONCE, [now(), now(), missing])
        ours = {pk for (pk,) in cursor.fetchall()}
    named = _named_so(missing)
    _announced([customer for customer in named.values() if customer.pk in ours], actor)
    return found | named


def _named_so(ids: Iterable[str]) -> dict[str, Customer]:
    return {str(customer.external_id): customer for customer in Customer.objects.filter(external_id__in=list(ids))}


@transaction.atomic
def upsert(facts: Profile, *, external_id: str | None = None, emails: Sequence[str] = (), actor: Any = "") -> Upserted:
    """Create or change one customer, known by external id or else by the first address; merges, never empties.

    A customer we know by address alone is taken over by the first external id that names this address. An address of
    anybody else raises AddressTaken. Raises BadAddress, BadPayload (both ValueErrors), and ValueError without a name.
    """
    shown = {canonical(email): email for email in emails}
    if not external_id and not shown:
        raise ValueError("A customer needs an external_id or an email.")
    if external_id:
        customer = _named(external_id, shown, actor)
    else:
        first = next(iter(shown))
        customer = by_address({first: shown[first]}, actor=actor)[first]
    return _change(customer.pk, facts, shown, created=customer.just_made, actor=actor)


@transaction.atomic
def change(customer: Customer, facts: Profile, *, emails: Sequence[str] = (), actor: Any = "") -> Upserted:
    """New facts and addresses for a customer we have before us; as `upsert` otherwise."""
    return _change(customer.pk, facts, {canonical(email): email for email in emails}, created=False, actor=actor)


def _change(pk: int, facts: Profile, shown: Mapping[str, str], *, created: bool, actor: Any) -> Upserted:
    customer = Customer.objects.select_for_update(no_key=True).get(pk=pk)
    changed = _add_addresses(customer, shown)
    more, warnings = profile.apply(customer, facts)
    changed |= more
    if changed and not created:
        timeline.record("customer.updated", customer=pk, actor=actor, changed=changed)
    return Upserted(customer, created, changed, warnings)


def _named(external_id: str, shown: Mapping[str, str], actor: Any) -> Customer:
    """The customer of this external id: known, taken over from a known address, or new."""
    if customer := Customer.objects.filter(external_id=external_id).first():
        return customer
    known = [address.customer for address in _known_addresses(shown).values()]
    nameless = sorted({c.pk for c in known if c.external_id is None})
    if nameless:
        try:
            with transaction.atomic():
                if Customer.objects.filter(pk=nameless[0], external_id=None).update(external_id=external_id, updated_at=now()):
                    changed = {"external_id": [None, external_id]}
                    timeline.record("customer.updated", customer=nameless[0], actor=actor, changed=changed)
        except IntegrityError:
            pass  # somebody made a customer of this id a moment ago: that one is meant
    return by_external_id([external_id], actor=actor)[external_id]


def _add_addresses(customer: Customer, shown: Mapping[str, str]) -> dict[str, list[Any]]:
    """Give a locked customer these addresses; the first is where we write to. Others it has stay."""
    if not shown:
        return {}
    Address.objects.bulk_create(
        [Address(customer=customer, canonical=key, shown=shown[key].strip(), is_primary=False) for key in sorted(shown)],
        ignore_conflicts=True,
    )
    rows = Address.objects.filter(channel="email", canonical__in=shown)
    for row in rows:
        if row.customer_id != customer.pk:
            raise AddressTaken(row.shown, row.customer_id)
    all_of_them = list(customer.addresses.order_by("pk"))
    primary = next(iter(shown))
    before = [a.canonical for a in all_of_them if a.is_primary]
    if before == [primary]:
        return {}
    for address in all_of_them:
        address.is_primary = address.canonical == primary
    Address.objects.bulk_update(all_of_them, ["is_primary"])
    return {"email": [before[0] if before else "", primary]}


def _known_addresses(keys: Iterable[str]) -> dict[str, Address]:
    wanted = list(keys)
    rows = Address.objects.filter(channel="email", canonical__in=wanted).select_related("customer") if wanted else ()
    return {row.canonical: row for row in rows}


def introduce(customer: Customer) -> None:
    """Record a customer who was made without a word; once."""
    if not Event.objects.filter(customer=customer.pk, kind="customer.created").exists():
        timeline.record("customer.created", customer=customer.pk, external_id=customer.external_id)


def _announced(made: Sequence[Customer], actor: Any) -> None:
    """Mark and record those that we made, not somebody else at the same moment."""
    ref = actor if isinstance(actor, str) else getattr(actor, "ref", "")
    for customer in made:
        customer.just_made = True
    timeline.record_all(
        [timeline.Fact("customer.created", c.pk, actor=ref, payload={"external_id": c.external_id}) for c in made]
    )
