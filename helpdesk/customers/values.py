"""What a text may say of a customer: `{{ customer.first_name }}`, `{{ company.name }}`."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection

from helpdesk.customers.models import Customer
from helpdesk.lib.rows import array

Values = dict[str, Any]


# what texts say of somebody or something by these names is ours, whatever their attributes are called
OURS = {
    "customer": ("name", "first_name", "email", "language", "stage"),
    "company": ("name",),
    "ticket": ("number", "subject", "topic", "opened"),
}


def of_these(customers: Iterable[int]) -> dict[int, Values]:
    """What messages may say about these customers; their own attributes lie beside the built-in ones."""
    return of(Customer.objects.select_related("company").in_bulk(set(customers)))


PRIMARY = """
    SELECT DISTINCT ON (customer_id) customer_id, shown FROM customers_address
    WHERE customer_id = ANY(%s::bigint[]) AND channel = 'email' ORDER BY customer_id, is_primary DESC, id
"""


def of(customers: Mapping[int, Customer]) -> dict[int, Values]:
    """The same of customers that are at hand, with their companies: one query, for the addresses we write to."""
    if not customers:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(PRIMARY, [array(customers)])
        emails = dict(cursor.fetchall())
    found = {}
    for customer in customers.values():
        company = customer.company
        found[customer.pk] = {
            "customer": {
                **customer.attributes,
                "name": customer.name,
                "first_name": first_name(customer.name),
                "email": emails.get(customer.pk, ""),
                "language": customer.language,
                "stage": customer.stage,
            },
            "company": {**company.attributes, "name": company.name} if company else {},
            "zone": customer.zone or (company.zone if company else ""),
        }
    return found


def first_name(name: str) -> str:
    """The first word of "Ben Carter"; of "Carter, Ben" the first after the comma."""
    last, comma, first = name.partition(",")
    words = (first if comma else last).split()
    return words[0] if words else ""
