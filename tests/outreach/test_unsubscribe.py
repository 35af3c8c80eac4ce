"""Saying no by the link in a message (RFC 8058): no cookie, no login, no redirect, at once; a GET changes nothing."""

from datetime import timedelta

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client

from helpdesk.customers import consent
from helpdesk.customers.models import Consent, Subscription
from helpdesk.lib import dates, signing
from helpdesk.mail.models import Outgoing, State
from outreach.models import Enrolment

pytestmark = pytest.mark.django_db


@pytest.fixture
def got(campaign, happens, drain, sink, ben, settings):
    """The letter Ben got, and one more of the same subscription that waits for him."""
    settings.BASE_URL = "https://help.nordwind.example"
    campaign(klass="lifecycle", wait=0, quiet_from=None, quiet_until=None)
    happens("order_shipped", ben, order_id="A-1")
    drain()
    campaign(name="Later", trigger_kind="order_delivered")
    happens("order_delivered", ben, order_id="A-1")
    drain()
    return sink[0]


@pytest.fixture
def link(got):
    return got.message["List-Unsubscribe"].strip("<>").removeprefix("https://help.nordwind.example")


@pytest.fixture
def program():
    """A mail program: it keeps no cookies and knows no forms."""
    return Client(enforce_csrf_checks=True)


def gets(customer, subscription):
    return (customer.pk, subscription.pk) in consent.allowed([(customer.pk, subscription.pk)])


def test_e1_the_headers_are_exactly_those_of_the_rfc(got, link):
    assert got.message["List-Unsubscribe"] == f"<https://help.nordwind.example{link}>" and link.startswith("/u/")
    assert got.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert len(got.message.get_all("List-Unsubscribe")) == 1


def test_e1_both_headers_are_signed(campaign, happens, drain, sink, ben, settings, tmp_path):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    settings.DKIM_KEY_FILE, settings.DKIM_DOMAIN = str(tmp_path / "key.pem"), "nordwind.example"
    campaign(wait=0, quiet_from=None, quiet_until=None)
    happens("order_shipped", ben, order_id="A-1")
    drain()
    raw = sink[0].raw
    names = raw.split(b"h=", 1)[1].split(b";", 1)[0].replace(b"\r\n", b"").replace(b" ", b"").lower().split(b":")
    assert {b"list-unsubscribe", b"list-unsubscribe-post"} <= set(names)
    from base64 import b64encode

    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert dkim.verify(raw, dnsfunc=lambda *_a, **_k: b"v=DKIM1; k=rsa; p=" + b64encode(public))


BODIES = [
    {"data": {"List-Unsubscribe": "One-Click"}},  # multipart
    {"data": "List-Unsubscribe=One-Click", "content_type": "application/x-www-form-urlencoded"},
]


@pytest.mark.parametrize("body", BODIES, ids=["multipart", "urlencoded"])
def test_e2_one_post_without_cookies_is_enough(program, link, body, ben, tips):
    answer = program.post(link, **body)
    assert answer.status_code == 200 and not answer.cookies and "Set-Cookie" not in answer.headers
    assert not gets(ben, tips)
    waiting = Outgoing.objects.get(title="Later")
    assert waiting.state == State.CANCELLED  # in the same transaction, before any queue ran
    assert Enrolment.objects.get(campaign__name="Later").state == Enrolment.State.LEFT
    row = Consent.objects.get(customer=ben, given=False)
    assert row.source == "one-click" and row.proof["outgoing"]


def test_e2_a_second_post_changes_nothing(program, link, ben):
    for _again in range(3):
        assert program.post(link, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert Consent.objects.filter(customer=ben).count() == 1


def test_e2_a_forged_link_is_nobodys(program, link, ben, tips):
    token = link.rpartition("/")[2]
    row = Outgoing.objects.get(title="Parcel tips")
    forged = [
        token[:-1] + ("a" if token[-1] != "a" else "b"),
        token[::-1],
        "x",
        "a" * 39,
        token + "a",
        "é" * 39,
        signing.token("outgoing", row.pk),
        signing.token("unsubscribe", row.pk + 10_000),
        "%00",
    ]
    for each in forged:
        for url in (f"/u/{each}", f"/u/{each}/choices"):
            assert program.post(url, {"List-Unsubscribe": "One-Click"}).status_code == 404, each
            assert program.get(url).status_code == 404, each
        assert program.post(f"/u/{each}/undo").status_code == 404
    assert gets(ben, tips) and not Consent.objects.exists()


def test_e3_a_hundred_gets_change_nothing(program, link, ben, tips):
    for _scan in range(100):
        page = program.get(link)
        assert page.status_code == 200 and not page.cookies
    assert page.content.decode().count("<button") == 1
    assert gets(ben, tips) and Outgoing.objects.get(title="Later").state == State.PENDING
    assert program.head(link).status_code == 200 and program.put(link).status_code == 405
    assert program.get(link + "/undo").status_code == 405


def test_e4_the_link_stands_in_both_parts_and_works_after_400_days(got, program, link, ben, tips):
    assert link in got.text and link in got.html
    with dates.moved(by=timedelta(days=400)):
        assert program.post(link, {"List-Unsubscribe": "One-Click"}).status_code == 200
        assert not gets(ben, tips)


def test_the_button_on_the_page_does_it_and_undo_takes_it_back(program, link, ben, tips):
    page = program.post(link, {"List-Unsubscribe": "One-Click"}).content.decode()
    assert "no more “Product tips”" in page and f'action="{link}/undo"' in page
    program.post(link + "/undo")
    assert gets(ben, tips)
    newest = Consent.objects.filter(customer=ben).latest("pk")
    assert newest.wording and newest.proof


def test_one_may_choose_subscription_by_subscription(program, link, ben, tips):
    news = Subscription.objects.create(slug="news", name="News", opt_in=True)
    page = program.get(link + "/choices").content.decode()
    assert page.count("checked") == 1
    answer = program.post(link + "/choices", {"subscription": [news.pk, "x", "9" * 30]})
    assert answer.status_code == 200 and not answer.cookies
    assert gets(ben, news) and not gets(ben, tips)
    program.post(link + "/choices", {})
    assert not gets(ben, news)


def test_what_was_a_test_unsubscribes_nobody(program, campaign, mia, ben, tips, drain, sink):
    from outreach import campaigns

    version = campaign()
    campaigns.test(version, 1, {"event": {"order_id": "1"}}, to=mia, once="x")
    drain()
    assert program.post(sink[0].message["List-Unsubscribe"].strip("<>").partition("/u/")[2].join(["/u/", ""])).status_code == 200
    assert not Consent.objects.exists()


def test_a_transactional_message_without_subscription_has_no_link(campaign, happens, drain, sink, ben):
    version = campaign(klass="transactional", launch=False)
    version.campaign.subscription = None
    version.campaign.save()
    from outreach import campaigns

    campaigns.launch(version, by=version.created_by)
    happens("order_shipped", ben, order_id="A-1")
    with dates.moved(by=timedelta(days=2)):
        drain()
    assert sink[0].message["List-Unsubscribe"] is None and "/u/" not in sink[0].html
