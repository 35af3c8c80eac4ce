"""What names a field or a team among campaigns: their audiences, what holds them, their texts (settings.USES)."""

import json
from collections.abc import Iterator
from typing import Any

from django.db.models import Prefetch
from django.urls import reverse
from django.utils.translation import gettext as _

from helpdesk.accounts.removal import Tie, Use
from helpdesk.customers.models import FieldDefinition
from helpdesk.lib import conditions
from outreach.models import Campaign, Version


def uses(thing: Any) -> Iterator[Use]:
    """A campaign that is over, and a wording that another took the place of, is history; people on their way keep theirs."""
    if not conditions.may_name(thing.ref):
        return
    read = Version.objects.only("campaign", "number", "launched_at", "conditions", "steps")
    for campaign in Campaign.objects.only("name", "status", "holds").prefetch_related(Prefetch("versions", read)):
        versions = sorted(campaign.versions.all(), key=lambda version: version.number, reverse=True)
        current = [version for version in versions if version.launched_at is None]
        current += [version for version in versions if version.launched_at][:1]
        holds = conditions.names(campaign.holds, "customer", thing.ref)
        words, url = _("Campaign “%s”") % campaign, reverse("campaign", args=[campaign.pk])
        if not campaign.is_over and (holds or any(_names(version, thing) for version in current)):
            yield Use(Tie.HOLDS, words, url)
        elif holds or any(_names(version, thing) for version in versions):
            yield Use(Tie.KEEPS, words, url)


def _names(version: Version, thing: Any) -> bool:
    if conditions.names(version.conditions, "customer", thing.ref):
        return True
    return isinstance(thing, FieldDefinition) and thing.is_said_in(json.dumps(version.steps))
