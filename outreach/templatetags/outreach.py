"""What outreach's templates say of their own: a campaign's state, a line of its history, a look-up by key."""

from typing import Any

from django import template
from django.forms import Form
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts.models import AuditEntry
from helpdesk.templatetags.look import badge, errors
from outreach.models import Campaign

register = template.Library()
MOODS = {Campaign.Status.RUNNING: ("good", "check"), Campaign.Status.PAUSED: ("held", "pause")}
DONE = {
    "campaign.written": _("Version %(version)s written"),
    "campaign.launched": _("Version %(version)s launched"),
    "campaign.paused": _("Paused"),
    "campaign.halted": _("Paused itself, for its text could not be written: %(reason)s"),
    "campaign.refused": _("Paused itself, for mail systems refuse it: %(reason)s"),
    "campaign.resumed": _("Went on"),
    "campaign.ended": _("Took nobody else in"),
    "campaign.cancelled": _("Cancelled"),
}


@register.simple_tag
def campaign_status(campaign: Campaign) -> SafeString:
    mood, icon = MOODS.get(Campaign.Status(campaign.status), ("", ""))
    return badge(campaign.get_status_display(), mood, icon)


@register.simple_tag
def audit_words(entry: AuditEntry) -> str:
    """What was done, in words; an action without words is named as it is."""
    return str(DONE.get(entry.action, entry.action)) % {"version": "", "reason": "", **(entry.after or {})}


@register.inclusion_tag("_errors.html")
def all_errors(forms: list[Form]) -> dict[str, Any]:
    """One summary above everything that can be wrong on a form of forms."""
    return errors(*forms)


@register.filter
def of(found: dict[Any, Any], key: Any) -> Any:
    return found.get(key)
