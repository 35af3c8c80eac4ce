"""What the kernel knows of a customer (settings.PERSONAL_DATA)."""

from collections.abc import Iterable
from typing import Any

from helpdesk.customers import consent
from helpdesk.customers.models import Address, Company, Consent, Customer, Event, Subscription, Suppression
from helpdesk.lib.rows import plain


def data(customer_id: int) -> dict[str, Iterable[dict[str, Any]]]:
    """Facts, addresses, what they allowed with its proof, what is suppressed, and the timeline."""
    addresses = Address.objects.filter(customer=customer_id)
    digests = [consent.digest(canonical) for canonical in addresses.values_list("canonical", flat=True)]
    consents = Consent.objects.filter(customer=customer_id)
    return {
        "customer": plain(Customer.objects.filter(pk=customer_id)),
        "company": plain(Company.objects.filter(customers=customer_id), "attributes", "external_id"),  # its own are not theirs
        "addresses": plain(addresses),
        "consents": plain(consents),
        "subscriptions": plain(Subscription.objects.filter(pk__in=consents.values("subscription"))),
        "suppressions": plain(Suppression.objects.filter(digest__in=digests)),
        "events": plain(Event.objects.filter(customer=customer_id)),
    }
