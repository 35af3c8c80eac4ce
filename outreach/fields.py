"""What conditions can ask about outreach: which campaigns a customer is or was in, and what they got."""

from django.utils.translation import gettext_lazy as _

from helpdesk.customers.models import Customer
from helpdesk.lib.conditions import Field, register
from helpdesk.mail.models import GONE, Class, Outgoing
from outreach.journeys import KIND
from outreach.models import Campaign, Enrolment


def _campaigns() -> list[tuple[int, str]]:
    return list(Campaign.objects.newest().values_list("pk", "name")[:500])


def _messages(customer: Customer) -> list[Outgoing]:
    return list(Outgoing.objects.filter(customer=customer, kind=KIND, state__in=GONE))


register(
    "customer",
    Field(
        "enrolment",
        _("way through a campaign"),
        "relation",
        subject="enrolment",
        q=Enrolment.objects.all,
        link="customer",
        value=lambda customer: Enrolment.objects.filter(customer=customer),
        plural=_("ways through campaigns"),
    ),
    Field(
        "outreach",
        _("message from a campaign"),
        "relation",
        subject="outreach",
        q=lambda: Outgoing.objects.filter(kind=KIND, state__in=GONE),
        link="customer",
        value=_messages,
        plural=_("messages from campaigns"),
    ),
)
register("ticket", Field("campaign", _("campaign"), "choice", q="campaign_id", choices=_campaigns, group=_("Ticket")))
register(
    "enrolment",
    Field("campaign", _("campaign"), "choice", q="campaign_id", choices=_campaigns),
    Field("state", _("state"), "choice", q="state", choices=Enrolment.State.choices),
    Field("since", _("since"), "date", q="created_at"),
)
register(
    "outreach",
    Field("campaign", _("campaign"), "choice", q="campaign_id", choices=_campaigns),
    Field("kind", _("kind of message"), "choice", q="klass", choices=Class.choices),
    Field("sent", _("sent"), "date", q="sent_at"),
)
