"""What names a field or a team among segments, and who has a value in a field (settings.USES)."""

from collections.abc import Iterator
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from helpdesk.accounts.removal import Count, Tie, Use
from helpdesk.customers.models import Company, Customer, FieldDefinition, Segment
from helpdesk.lib import conditions

Subject = FieldDefinition.Subject


def uses(thing: Any) -> Iterator[Use]:
    for segment in Segment.objects.all():
        if conditions.names(segment.conditions, "customer", thing.ref):
            yield Use(Tie.HOLDS, _("Segment “%s”") % segment, reverse("segment", args=[segment.pk]))
    if isinstance(thing, FieldDefinition):
        if (
            thing.subject == Subject.CUSTOMER
            and (found := Count.of(Customer.objects.filter(attributes__has_key=thing.key))).number
        ):
            yield Use(Tie.KEEPS, _("Customers with a value in it: %s. They keep it, unseen.") % found.shown)
        if thing.subject == Subject.COMPANY and (found := Count.of(Company.objects.filter(attributes__has_key=thing.key))).number:
            yield Use(Tie.KEEPS, _("Companies with a value in it: %s. They keep it, unseen.") % found.shown)
