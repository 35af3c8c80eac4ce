"""Which campaigns took a customer along (settings.PERSONAL_DATA)."""

from collections.abc import Iterable
from typing import Any

from helpdesk.lib.rows import plain
from outreach.models import Campaign, Enrolment


def data(customer_id: int) -> dict[str, Iterable[dict[str, Any]]]:
    """Their enrolments with what the event said, and what those campaigns are called."""
    enrolments = Enrolment.objects.filter(customer=customer_id)
    kept = {"id", "name", "klass"}
    others = [field.attname for field in Campaign._meta.concrete_fields if field.attname not in kept]
    return {
        "enrolments": plain(enrolments),
        "campaigns": plain(Campaign.objects.filter(pk__in=enrolments.values("campaign")), *others),
    }
