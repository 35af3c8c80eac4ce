"""Subscriptions and custom fields, set up by those who may."""

from collections.abc import Callable

import pytest
from django.test import Client

from helpdesk.accounts.models import AuditEntry, User
from helpdesk.customers.models import Customer, FieldDefinition, Subscription
from helpdesk.mail.models import Mailbox
from tickets import intake

Browser = Callable[[User], Client]


def test_a_subscription_is_added_and_changed_but_keeps_its_short_name(browser: Browser, mia: User) -> None:
    page = browser(mia)
    said = {"name": "Product news", "description": "Monthly", "opt_in": "on"}
    assert page.post("/subscriptions/new/", said).status_code == 302
    assert page.post("/subscriptions/new/", said).status_code == 422  # the second click
    news = Subscription.objects.get()
    assert (news.slug, news.opt_in) == ("product-news", True)
    for _ in range(2):
        assert page.post(f"/subscriptions/{news.pk}/", {"name": "News", "slug": "other"}).status_code == 302
    news.refresh_from_db()
    assert (news.name, news.slug, news.opt_in) == ("News", "product-news", False)
    assert AuditEntry.objects.count() == 2
    assert page.post("/subscriptions/new/", {"name": "支払い"}).status_code == 422
    assert "News" in page.get("/subscriptions/").content.decode()


def test_two_who_set_up_the_same_thing_are_told_and_its_password_is_told_nobody(
    browser: Browser, omar: User, mia: User, tips: Subscription, support: Mailbox
) -> None:
    mias, url = browser(mia), f"/subscriptions/{tips.pk}/"
    said = {"name": "Mine", "description": "", "seen": mias.get(url).context["seen"].mark}
    assert browser(omar).post(url, {**said, "name": "Theirs"}).status_code == 302
    asked = mias.post(url, said)
    html = asked.content.decode()
    assert asked.status_code == 409 and "Omar Haddad saved this while you were writing" in html
    assert "</b>Theirs</dd>" in html and "</b>Mine</dd>" in html and 'value="Mine"' in html
    for _twice in range(2):
        assert mias.post(url, {**said, "seen": asked.context["seen"].mark}).status_code == 302
    tips.refresh_from_db()
    assert tips.name == "Mine"
    omars, url = browser(omar), f"/mailboxes/{support.pk}/"
    box = {"name": "One", "address": support.address, "imap_port": "993", "imap_folder": "INBOX", "password": "s3cret-word"}
    box["seen"] = omars.get(url).context["seen"].mark
    assert omars.post(url, {**box, "name": "Other", "signature": "Yours"}).status_code == 302
    asked = omars.post(url, box)
    assert asked.status_code == 409 and "</b>Other</dd>" in asked.content.decode() and "s3cret" not in asked.content.decode()


def test_the_type_of_a_ticket_is_a_field_that_is_offered_until_it_is_there(
    browser: Browser, omar: User, ana: User, ben: Customer, support: Mailbox
) -> None:
    page = browser(omar)
    offer = 'href="/fields/new/?like=type"'
    assert offer in page.get("/fields/").content.decode()
    form = page.get("/fields/new/?like=type").context["form"]
    said = {name: form[name].value() for name in ("subject", "label", "key", "type", "options")}
    assert page.post("/fields/new/?like=type", said).status_code == 302
    assert offer not in page.get("/fields/").content.decode()
    kept = FieldDefinition.objects.get()
    assert (kept.subject, kept.key, kept.choices) == ("ticket", "type", ["Question", "Problem", "Incident", "Task"])
    for n, kind in enumerate(kept.choices):
        intake.open_ticket(ben, f"Number {n}", intake.Words("Hello"), channel="mail", mailbox=support, attributes={"type": kind})
    found = browser(ana).get("/inbox/", {"q": "type:problem,task"}).content.decode()
    assert [n for n in range(4) if f"Number {n}" in found] == [1, 3]


def test_a_field_has_a_type_and_a_key_for_good(browser: Browser, omar: User) -> None:
    page = browser(omar)
    said = {"subject": "customer", "label": "Plan", "key": "plan", "type": "choice", "options": "free\n pro \n\nfree"}
    assert page.post("/fields/new/", {**said, "options": ""}).status_code == 422
    assert page.post("/fields/new/", said).status_code == 302
    assert page.post("/fields/new/", said).status_code == 422
    plan = FieldDefinition.objects.get()
    assert plan.choices == ["free", "pro"]
    for _ in range(2):
        page.post(f"/fields/{plan.pk}/", {**said, "key": "x", "type": "number", "label": "Their plan", "options": "a\nb"})
    plan.refresh_from_db()
    assert (plan.label, plan.key, plan.type, plan.choices) == ("Their plan", "plan", "choice", ["a", "b"])
    assert [entry.after["choices"] for entry in AuditEntry.objects.order_by("pk")] == [["free", "pro"], ["a", "b"]]
    assert "Their plan" in page.get("/fields/").content.decode()


@pytest.mark.parametrize("url", ["/fields/", "/fields/new/", "/subscriptions/", "/subscriptions/new/"])
def test_who_may_enter(browser: Browser, client: Client, ana: User, mia: User, url: str) -> None:
    assert client.get(url).status_code == 302
    assert browser(ana).get(url).status_code == 403
    assert browser(mia).get(url).status_code == (403 if url.startswith("/fields") else 200)
