"""When mail systems refuse a campaign by their policy, it pauses itself: going on would cost the sender's good name.

What that is, is in docs/decisions/0012: at least one refusal for every fifty messages handed over since it went on, within
seven days. So a wrong SPF record stops it at the first answer, and one odd receiver among a million stops nothing.
"""

from datetime import datetime, timedelta

from django.utils.translation import ngettext

from helpdesk.accounts.models import AuditEntry
from helpdesk.customers.models import Event
from helpdesk.lib.dates import now
from helpdesk.mail.models import GONE, Outgoing, State
from outreach.models import Campaign

KIND = "mail.refused"
ONE_IN = 50
WITHIN = timedelta(days=7)
HANDED_OVER = (*GONE, State.FAILED, State.RETRY_WAIT)


def on_refused(events: list[Event]) -> None:
    """Pause those of the running campaigns of which too much is refused."""
    last = {event.payload["campaign"]: str(event.payload.get("reason", "")) for event in sorted(events, key=lambda e: e.pk)}
    for campaign in Campaign.objects.running().filter(pk__in=last):
        since = _went_on(campaign)
        refused = _refused(campaign, since)
        if refused and _handed_over(campaign, since, most=ONE_IN * refused) <= ONE_IN * refused:
            words = ngettext("one message, with “%(answer)s”", "%(n)d messages, lastly with “%(answer)s”", refused)
            campaign.halt(words % {"n": refused, "answer": last[campaign.pk]}, action="campaign.refused")


def _went_on(campaign: Campaign) -> datetime:
    """When a person last let it run, or seven days ago: what came before does not count again."""
    went = AuditEntry.objects.filter(subject=campaign.subject, action__in=("campaign.launched", "campaign.resumed"))
    return max([now() - WITHIN, *went.values_list("at", flat=True)[:1]])


def _refused(campaign: Campaign, since: datetime) -> int:
    """How many of its messages that left since then were refused."""
    told = Event.objects.filter(customer=None, kind=KIND, occurred_at__gte=since, payload__campaign=campaign.pk)
    ids = set(told.values_list("payload__outgoing", flat=True))
    return Outgoing.objects.filter(pk__in=ids, sent_at__gte=since).count()


def _handed_over(campaign: Campaign, since: datetime, *, most: int) -> int:
    """How many of its messages left since then, counted no further than one above ``most``."""
    rows = Outgoing.objects.filter(campaign_id=campaign.pk, state__in=HANDED_OVER, sent_at__gte=since)
    return rows.order_by()[: most + 1].count()
