"""Row 29: what a delivery report, a provider's event, a Referer or a User-Agent says is shown as text, and nothing runs."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from helpdesk.accounts.models import User
from helpdesk.customers.models import Customer
from helpdesk.lib import dates
from helpdesk.mail import inbox
from helpdesk.mail.models import Mailbox, Outgoing
from outreach.models import Campaign, Version
from tests.mail import posted
from tests.mail.test_hooks import ago, failed
from tests.mail.test_reports import dsn
from tests.mail.test_reports import failed as group

pytestmark = pytest.mark.django_db
SCRIPT = "<script>alert(29)</script>"
HEADERS = {"HTTP_REFERER": f"https://x.example/{SCRIPT}", "HTTP_USER_AGENT": SCRIPT}


def test_a_script_in_what_mail_systems_say_is_shown_as_text(
    support: Mailbox, ben: Customer, omar: User, browser: Callable[[User], Client], drain: Callable[[], None], settings: Any
) -> None:
    settings.ANYMAIL, at = posted.keys(), dates.now()
    campaign = Campaign.objects.create(name="Parcel tips", mailbox=support, status="running", klass="transactional")
    Version.objects.create(campaign=campaign, number=1, trigger_kind="order_shipped", launched_at=at)
    rows = [
        Outgoing.objects.create(
            key=f"m{n}", kind="campaign.message", klass="transactional", lane="campaigns", customer=ben, mailbox=support,
            address=ben.addresses.get(), to="ben@carter.example", due_at=at, sent_at=at, state="accepted", attempts=1,
            title=f"Parcel {n}", campaign_id=campaign.pk,
        )
        for n in range(3)
    ]  # fmt: skip
    reports = [
        dsn(group("5.1.1", f"550 5.1.1 {SCRIPT} no such user"), returned=f"Message-ID: <{rows[0].token}.1@nordwind.example>"),
        dsn(group("5.1.1", f"550 5.1.1 {SCRIPT} nobody"), returned="Message-ID: <else@nordwind.example>"),
    ]
    for raw in reports:
        inbox.receive(raw, support, source="pipe")
    words = {"client-info": {"user-agent": SCRIPT}}
    for row, answer in ((rows[1], f"550 5.7.1 {SCRIPT} our policy"), (rows[2], f"552 5.2.2 {SCRIPT} mailbox full")):
        post = posted.mailgun_event("failed", row.token, ago(1), **words, **failed("permanent", answer))
        assert Client().post("/hooks/mail/mailgun/tracking/", post.body, content_type=post.type, **HEADERS).status_code == 200
    stray = posted.mailgun(b"From: a@b.example\r\nSubject: " + SCRIPT.encode() + b"\r\n\r\n", "nobody@nordwind.example")
    assert Client().post("/hooks/mail/mailgun/inbound/", stray.body, content_type=stray.type, **HEADERS).status_code == 200
    drain()
    pages = [
        *(reverse("outgoing", args=[row.pk]) for row in rows),
        *(reverse(name, args=[ben.pk]) for name in ("customer", "customer-mail")),
        *map(reverse, ("operations", "mail-ignored", "audit")),
        reverse("campaign", args=[campaign.pk]),
    ]
    for page in pages:
        text = browser(omar).get(page, **HEADERS).content.decode()
        assert "<script>alert(29)" not in text and "&lt;script&gt;alert(29)" in text, page
    assert Campaign.objects.get().status == "paused"
