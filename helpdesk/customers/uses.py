"""What names a field, a choice of one or a team among segments, and who has a value in a field (settings.USES)."""

from collections.abc import Iterator
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from helpdesk.accounts.removal import Count, Tie, Use
from helpdesk.customers.models import Company, Customer, FieldChoice, FieldDefinition, Segment
from helpdesk.lib import conditions

Subject = FieldDefinition.Subject


def uses(thing: Any) -> Iterator[Use]:
    for segment in Segment.objects.all():
        if conditions.names(segment.conditions, "customer", thing.ref):
            yield Use(Tie.HOLDS, _("Segment “%s”") % segment, reverse("segment", args=[segment.pk]))
    if isinstance(thing, FieldDefinition):
        yield from _having(thing, _("%(who)s with a value in it: %(n)s. They keep it, unseen."), attributes__has_key=thing.key)
    if isinstance(thing, FieldChoice):
        yield from _having(thing.field, _("%(who)s that have it: %(n)s. They keep it."), attributes__contains=thing.attributes)


def _having(field: FieldDefinition, words: str, **asked: Any) -> Iterator[Use]:
    rows, who = {
        Subject.CUSTOMER: (Customer.objects, _("Customers")),
        Subject.COMPANY: (Company.objects, _("Companies")),
    }.get(Subject(field.subject), (None, ""))
    if rows is not None and (found := Count.of(rows.filter(**asked))).number:
        yield Use(Tie.KEEPS, words % {"who": who, "n": found.shown})
