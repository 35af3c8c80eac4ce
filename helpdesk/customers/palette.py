"""Customers in the palette (settings.PALETTE), by name, address or external id."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from helpdesk.customers.access import found as ids_of
from helpdesk.customers.models import Customer


def found(request: HttpRequest, text: str, most: int) -> list[dict[str, Any]]:
    """The newest whose name or address holds the text."""
    rows = Customer.objects.filter(pk__in=ids_of(text)[:most]).order_by("-pk").prefetch_related("addresses")
    return [
        {
            "icon": "people",
            "word": str(person),
            "beside": person.email if person.name else "",
            "url": reverse("customer", args=[person.pk]),
        }
        for person in rows
    ]
