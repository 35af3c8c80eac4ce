"""Which answers say a custom field (settings.USES)."""

from collections.abc import Iterator
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from helpdesk.accounts.removal import Tie, Use
from helpdesk.customers.models import FieldDefinition
from helpdesk.knowledge.models import Answer


def uses(thing: Any) -> Iterator[Use]:
    if isinstance(thing, FieldDefinition):
        for answer in Answer.objects.living().filter(body__contains=thing.key):
            if thing.is_said_in(answer.body):
                yield Use(Tie.HOLDS, _("Answer “%s”") % answer.title, reverse("answer", args=[answer.pk]))
