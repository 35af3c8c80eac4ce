"""Campaigns in the palette (settings.PALETTE), for whoever may open one."""

from typing import Any

from django.db.models import Q
from django.urls import reverse

from helpdesk.accounts.access import AGENTS, StaffRequest
from outreach.models import Campaign


def found(request: StaffRequest, text: str, most: int) -> list[dict[str, Any]]:
    """The newest whose name holds every word."""
    if not request.user.has_role(*AGENTS):
        return []
    every = Q()
    for word in text.split():
        every &= Q(name__icontains=word)
    return [
        {
            "icon": "out",
            "word": campaign.name,
            "beside": campaign.get_status_display(),
            "url": reverse("campaign", args=[campaign.pk]),
        }
        for campaign in Campaign.objects.filter(every).newest()[:most]
    ]
