"""What names a field or a team among incidents (settings.USES)."""

from collections.abc import Iterator
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from helpdesk.accounts.removal import Tie, Use
from helpdesk.incidents.models import Incident
from helpdesk.lib import conditions


def uses(thing: Any) -> Iterator[Use]:
    for incident in Incident.objects.all():
        if conditions.names(incident.conditions, "customer", thing.ref):
            words, url = _("Incident “%s”") % incident, reverse("incident", args=[incident.pk])
            yield Use(Tie.HOLDS if incident.is_open else Tie.KEEPS, words, url)
