"""Mail systems that refuse a campaign by their policy pause it; one odd receiver does not, and no address is blamed."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from helpdesk.accounts.models import AuditEntry, User
from helpdesk.customers.models import Address, Customer, Event
from helpdesk.lib import dates
from helpdesk.mail import inbox
from helpdesk.mail.models import Mailbox, Outgoing
from outreach import campaigns
from outreach.models import Campaign, Version
from tests.conftest import Sink
from tests.mail import posted
from tests.mail.test_hooks import ago, failed
from tests.mail.test_reports import dsn
from tests.mail.test_reports import failed as group

pytestmark = pytest.mark.django_db
Make = Callable[..., Version]


@pytest.fixture
def under_way(campaign: Make, happens: Any, ben: Customer, drain: Callable[[], None]) -> Callable[..., Outgoing]:
    """``under_way("550 5.7.1 …")``: a campaign whose first message meets this answer of the mail system."""

    def go(answer: str, sink: Sink) -> Outgoing:
        campaign(wait=0, quiet_from=None, quiet_until=None)
        sink.answer = lambda _recipient: answer
        happens("order_shipped", ben, order_id="A-1")
        drain()
        return Outgoing.objects.get()

    return go


def words(campaign: Campaign) -> str:
    entry = AuditEntry.objects.filter(subject=campaign.subject, action="campaign.refused").first()
    return entry.after["reason"] if entry else ""


@pytest.mark.parametrize(
    "answer", ["550 5.7.1 Rejected: our policy", "421 4.7.28 Too much unsolicited mail", "554 blocked using zen.example"]
)
def test_an_answer_straight_from_smtp(under_way: Any, sink: Sink, answer: str, browser: Any, mia: User, drain: Any) -> None:
    row = under_way(answer, sink)
    made = Campaign.objects.get()
    assert made.status == "paused" and answer in words(made)
    assert Address.objects.get(pk=row.address_id).reachability == "unknown"
    page = browser(mia).get(reverse("campaign", args=[made.pk])).content.decode()
    assert "mail systems refuse it" in page and answer in page
    sink.answer = lambda _recipient: "250 OK"
    browser(mia).post(reverse("campaign-resume", args=[made.pk]))
    drain()
    made.refresh_from_db()
    assert made.status == "running"  # what was said before counts no more


@pytest.mark.parametrize("answer", ["450 4.7.1 Greylisted, come back later", "550 5.1.1 No such user", "452 4.2.2 Mailbox full"])
def test_answers_about_an_address_or_the_moment_pause_nothing(under_way: Any, sink: Sink, answer: str) -> None:
    under_way(answer, sink)
    assert Campaign.objects.get().status == "running" and not Event.objects.filter(kind="mail.refused").exists()


@pytest.mark.parametrize("way", ["report", "delayed", "event"])
def test_a_report_and_a_providers_event(
    under_way: Any, sink: Sink, support: Mailbox, way: str, settings: Any, drain: Any
) -> None:
    row = under_way("250 OK", sink)
    made = Campaign.objects.get()
    assert made.status == "running"
    for _ in range(2):
        if way == "event":
            settings.ANYMAIL = posted.keys()
            post = posted.mailgun_event("failed", row.token, ago(0), **failed("permanent", "550 5.7.26 Unauthenticated"))
            Client().post("/hooks/mail/mailgun/tracking/", post.body, content_type=post.type)
        else:
            action, status = ("delayed", "4.7.26") if way == "delayed" else ("failed", "5.7.26")
            raw = dsn(group(status, "Unauthenticated", action), returned=f"Message-ID: {row.rfc_id}")
            inbox.receive(raw, support, source="pipe")
        drain()
    made.refresh_from_db()
    assert made.status == "paused" and "7.26 Unauthenticated" in words(made) and words(made).startswith("one message")
    assert Address.objects.get(pk=row.address_id).reachability == "unknown"
    assert Event.objects.filter(kind="mail.refused").count() == 1


def test_one_odd_receiver_among_many_stops_nothing_and_one_in_fifty_does(
    campaign: Make, ben: Customer, mia: User, drain: Any
) -> None:
    from helpdesk.mail import outbox
    from helpdesk.mail.parsing import judged

    version = campaign()
    made, at = version.campaign, dates.now()
    rows = Outgoing.objects.bulk_create(
        Outgoing(
            key=f"m{n}", kind="campaign.message", klass="lifecycle", lane="campaigns", customer=ben, to="ben@carter.example",
            campaign_id=made.pk, due_at=at, state="accepted", attempts=1, sent_at=at,
        )
        for n in range(101)
    )  # fmt: skip
    answer = judged("550 5.7.1 Not from you", ())

    def refuse(row: Outgoing) -> str:
        outbox.refused(row, answer)
        drain()
        made.refresh_from_db()
        return made.status

    assert refuse(rows[0]) == refuse(rows[0]) == refuse(rows[1]) == "running"
    assert refuse(rows[2]) == "paused" and words(made) == "3 messages, lastly with “550 5.7.1 Not from you”"
    with dates.moved(by=timedelta(minutes=1)):
        campaigns.resume(made, by=mia)
        assert refuse(rows[3]) == "running"  # it left before the pause
