"""Where a customer stands: what they allow, which of their addresses work, and what is said about them."""

from dataclasses import dataclass
from typing import Any

from helpdesk.customers import consent, definitions
from helpdesk.customers.models import Address, Consent, Customer, Subscription, Suppression


@dataclass
class Allowance:
    """One subscription: whether it may be sent now, and the newest word on it, if there is one."""

    subscription: Subscription
    allowed: bool
    newest: Consent | None


@dataclass
class Reach:
    """One address: its own reachability, and the suppression that lies on it."""

    address: Address
    suppression: Suppression | None

    @property
    def liftable(self) -> bool:
        """Whether a person here may lift it; the customer's own word stays."""
        return self.suppression is not None and self.suppression.reason in consent.BY_STAFF


def allowances(customer: Customer) -> list[Allowance]:
    """Every subscription, in three queries."""
    subscriptions = list(Subscription.objects.all())
    newest = {
        row.subscription_id: row
        for row in Consent.objects.filter(customer=customer).order_by("subscription_id", "-id").distinct("subscription_id")
    }
    may = consent.allowed((customer.pk, subscription.pk) for subscription in subscriptions)
    return [Allowance(each, (customer.pk, each.pk) in may, newest.get(each.pk)) for each in subscriptions]


def reaches(customer: Customer) -> list[Reach]:
    """Every address, the one we write to first, in two queries at most."""
    addresses = sorted(customer.addresses.all(), key=lambda address: (not address.is_primary, address.pk))
    lying = consent.suppression_of([address.canonical for address in addresses]) if addresses else {}
    return [Reach(address, lying.get(address.canonical)) for address in addresses]


def attributes(subject: str, kept: dict[str, Any]) -> list[tuple[str, Any]]:
    """Attributes under the names people gave them, in that order; then those nobody named."""
    known = definitions.everything(subject)  # an archived one is not shown, under no name
    named = [(field.label, words) for field, words in definitions.said(subject, kept)]
    return named + sorted((key, value) for key, value in kept.items() if key not in known)
