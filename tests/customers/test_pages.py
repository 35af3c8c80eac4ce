"""The customers' pages, entered by people of each role."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from helpdesk.accounts.models import Reach, User
from helpdesk.customers import consent, identity, timeline
from helpdesk.customers.models import Consent, Customer, Event, FieldDefinition, Subscription, Suppression
from helpdesk.lib.dates import now
from helpdesk.mail import outbox
from helpdesk.mail.models import Class, Lane, Outgoing, State

Browser = Callable[[User], Client]


def mail(customer: Customer, key: str, *, days: float = 0, **facts: Any) -> Outgoing:
    row = Outgoing(
        key=key,
        kind="account.mail" if key == "sign-in" else "campaign.message",
        klass=Class.LIFECYCLE,
        lane=Lane.CAMPAIGNS,
        customer=customer,
        to=customer.email,
        title=key,
        due_at=now() + timedelta(days=days),
        **facts,
    )
    return outbox.plan([row])[0]


@pytest.mark.parametrize("name", ["customers", "customer-add", "customer", "customer-edit", "customer-consents", "customer-mail"])
def test_strangers_are_asked_to_sign_in(client: Client, ben: Customer, name: str) -> None:
    url = reverse(name, args=[] if name in ("customers", "customer-add") else [ben.pk])
    assert client.get(url).status_code == 302
    assert "/accounts/login" in client.get(url)["Location"]


def test_a_customer_is_found_by_name_address_and_id(browser: Browser, ana: User, ben: Customer, cleo: Customer) -> None:
    page = browser(ana)
    for words in ("carter", "CART", "ben@", "ben", "marter?"):
        html = page.get("/customers/", {"q": words}).content.decode()
        assert ("Ben Carter" in html) is (words != "marter?")
        assert "Cleo Marchetti" not in html
    assert "Nobody matches" in page.get("/customers/", {"q": "%"}).content.decode()  # a sign, not a wildcard
    assert page.get("/customers/", {"q": "a\0b", "before": "9" * 30}).status_code == 200


def test_the_list_turns_pages_and_keeps_the_words(browser: Browser, ana: User, django_assert_max_num_queries: Any) -> None:
    identity.by_address({f"person{n}@one.example": f"person{n}@one.example" for n in range(120)})
    page, seen, url = browser(ana), [], "/customers/?q=person"
    page.get(url)
    while url:
        with django_assert_max_num_queries(14):
            answer = page.get(url)
        seen += [row.pk for row in answer.context["rows"]]
        url = f"/customers/{answer.context['older']}" if answer.context["older"] else ""
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == len(set(seen)) == 120


def test_the_page_tells_what_happened_and_what_comes(browser: Browser, ana: User, ben: Customer, tips: Subscription) -> None:
    timeline.record_all(
        [
            timeline.Fact(
                "trial_ended", ben.pk, now() - timedelta(days=1), payload={"plan": "pro"}, source="billing", external_id="1"
            )
        ]
    )
    consent.withdraw(ben.pk, tips, source="link in a mail")
    gone = mail(ben, "October invoice", days=-2)
    Outgoing.objects.filter(pk=gone.pk).update(state=State.DELIVERED, sent_at=now() - timedelta(days=2))
    mail(ben, "Renewal in 30 days", days=1, state=State.HELD, reason="Held until ticket #812 is solved")
    mail(ben, "Year-end checklist", days=3)
    answer = browser(ana).get(f"/customers/{ben.pk}/")
    html = answer.content.decode()
    theirs = {line.event.kind for line in answer.context["lines"] if line.theirs}
    assert theirs == {"trial_ended", "consent.withdrawn"}
    for words in (
        "trial_ended",
        "told by billing",
        "Wants no more Product tips",
        "Became known to us",
        "October invoice",
        "delivered",
        "Held until ticket #812 is solved",
        "Year-end checklist",
        "Europe/Berlin",
        "Not allowed",
    ):
        assert words in html, words
    assert html.index("October invoice") < html.index("Renewal in 30 days") < html.index("Year-end checklist")


def test_a_kind_without_a_template_is_still_told(browser: Browser, ana: User, ben: Customer, settings: Any) -> None:
    settings.EVENT_SUBSCRIBERS = {**settings.EVENT_SUBSCRIBERS, "robot.woke": []}
    timeline.record("robot.woke", customer=ben.pk, actor=ana)
    html = browser(ana).get(f"/customers/{ben.pk}/").content.decode()
    assert "robot.woke" in html
    assert "Ana Kowalczyk" in html


def test_every_kind_of_ours_reads_as_words(browser: Browser, ana: User, ben: Customer, settings: Any) -> None:
    ours = [kind for kind in settings.EVENT_SUBSCRIBERS if kind.split(".")[0] in ("customer", "consent", "address", "mail")]
    timeline.record_all(
        [
            timeline.Fact(kind, ben.pk, payload={"name": "Tips", "changed": {"stage": ["a", "b"]}, "outgoing": 5, "title": "T"})
            for kind in ours
        ]
    )
    html = browser(ana).get(f"/customers/{ben.pk}/").content.decode()
    assert [kind for kind in ours if f"<b>{kind}</b>" in html] == []


def test_a_long_history_turns_pages_without_a_gap(browser: Browser, ana: User, ben: Customer) -> None:
    moment = now()
    timeline.record_all(
        [timeline.Fact("seen", ben.pk, moment - timedelta(hours=n // 3), source="s", external_id=str(n)) for n in range(100)]
    )
    page, seen, url = browser(ana), [], f"/customers/{ben.pk}/"
    while url:
        answer = page.get(url)
        seen += [line.event.pk for line in answer.context["lines"]]
        older = answer.context["older"]
        url = f"/customers/{ben.pk}/?before={older.replace('+', '%2B')}" if older else ""
    assert len(seen) == len(set(seen)) == Event.objects.filter(customer=ben).count()
    assert page.get(f"/customers/{ben.pk}/", {"before": "nonsense~1"}).status_code == 200


def test_the_page_costs_the_same_whatever_happened(
    browser: Browser, ana: User, ben: Customer, django_assert_max_num_queries: Any
) -> None:
    timeline.record_all([timeline.Fact("seen", ben.pk, actor=ana.ref, source="s", external_id=str(n)) for n in range(60)])
    for n in range(15):
        mail(ben, f"message {n}", days=n)
    page = browser(ana)
    page.get(f"/customers/{ben.pk}/")
    with django_assert_max_num_queries(27):
        page.get(f"/customers/{ben.pk}/")


def test_somebody_who_reads_few_tickets_finds_none_of_the_others_here(browser: Browser, ana: User, ben: Customer) -> None:
    User.objects.filter(pk=ana.pk).update(reach=Reach.TEAM)
    timeline.record("ticket.opened", customer=ben.pk, ticket=7, number=812, subject="A secret matter")
    mail(ben, "Re: A secret matter", ticket_id=7)
    html = browser(ana).get(f"/customers/{ben.pk}/").content.decode()
    assert "secret" not in html
    assert "secret" not in browser(ana).get(f"/customers/{ben.pk}/mail/").content.decode()
    assert browser(ana).get(reverse("outgoing", args=[Outgoing.objects.get().pk])).status_code == 404


def test_facts_are_edited_in_their_types(browser: Browser, ana: User, ben: Customer) -> None:
    for key, kind in (("plan", "choice"), ("seats", "number"), ("renews", "date"), ("vip", "boolean")):
        FieldDefinition.objects.create(subject="customer", key=key, label=key.title(), type=kind, choices=["free", "pro"])
    page, url = browser(ana), f"/customers/{ben.pk}/edit/"
    said = {
        "name": "Ben C.",
        "emails": "ben@new.example\nben@carter.example",
        "company": "Carter Ltd",
        "stage": "customer",
        "language": "de",
        "zone": "Europe/Paris",
        "attribute_plan": "",
        "attribute_seats": "12",
        "attribute_renews": "2027-01-31",
        "attribute_vip": "true",
    }
    assert page.post(url, said).status_code == 302
    ben.refresh_from_db()
    assert (ben.name, ben.stage, ben.zone, ben.company.name, ben.email) == (
        "Ben C.",
        "customer",
        "Europe/Paris",
        "Carter Ltd",
        "ben@new.example",
    )
    assert ben.attributes == {"seats": 12, "renews": "2027-01-31", "vip": True}
    event = Event.objects.get(kind="customer.updated")
    assert event.actor == ana.ref
    assert page.post(url, {**said, "zone": "Mars"}).status_code == 422
    assert page.post(url, {**said, "emails": "no address"}).status_code == 422


def test_wrong_attributes_are_refused_and_a_choice_taken_away_stays(browser: Browser, ana: User, ben: Customer) -> None:
    FieldDefinition.objects.create(subject="customer", key="plan", label="Plan", type="choice", choices=["free", "pro"])
    FieldDefinition.objects.create(subject="customer", key="seats", label="Seats", type="number")
    Customer.objects.filter(pk=ben.pk).update(attributes={"plan": "classic"})
    page, url = browser(ana), f"/customers/{ben.pk}/edit/"
    said = {"name": "Ben", "emails": "ben@carter.example"}
    for wrong in ({"attribute_plan": "team"}, {"attribute_seats": "many"}):
        assert page.post(url, {**said, **wrong}).status_code == 422
    assert '<option value="classic" selected>' in page.get(url).content.decode()
    assert page.post(url, {**said, "attribute_plan": "classic"}).status_code == 302
    ben.refresh_from_db()
    assert (ben.name, ben.attributes) == ("Ben", {"plan": "classic"})


def test_who_writes_while_somebody_else_saves_is_told_and_loses_nothing(
    browser: Browser, ana: User, omar: User, ben: Customer
) -> None:
    page, url = browser(ana), f"/customers/{ben.pk}/edit/"
    said = {"name": "Mine", "emails": "ben@carter.example", "seen": page.get(url).context["seen"].mark}
    identity.change(ben, identity.Profile(name="Theirs"), actor=omar)
    answer = page.post(url, said)
    html = answer.content.decode()
    assert answer.status_code == 409
    assert "Omar Haddad saved this while you were writing" in html and "just now" in html
    assert "</b>Theirs</dd>" in html and "</b>Mine</dd>" in html and 'value="Mine"' in html
    ben.refresh_from_db()
    assert ben.name == "Theirs"
    again = {**said, "seen": answer.context["seen"].mark}
    assert page.post(url, again).status_code == 302
    assert page.post(url, again).status_code == 302  # the second click says what is there already
    ben.refresh_from_db()
    assert ben.name == "Mine"


def test_an_address_that_somebody_has_is_named_beside_its_field(
    browser: Browser, ana: User, ben: Customer, cleo: Customer
) -> None:
    url = f"/customers/{ben.pk}/edit/"
    answer = browser(ana).post(url, {"name": "Ben", "emails": "cleo@marchetti.example"})
    assert answer.status_code == 422
    assert f"/customers/{cleo.pk}/" in answer.content.decode()
    added = browser(ana).post("/customers/new/", {"name": "Again", "emails": "BEN@carter.example"})
    assert added["Location"] == f"/customers/{ben.pk}/"
    assert Customer.objects.count() == 2


def test_consent_is_written_down_with_its_proof_and_once(browser: Browser, ana: User, cleo: Customer, tips: Subscription) -> None:
    page, url = browser(ana), f"/customers/{cleo.pk}/consent/"
    assert page.get(url).status_code == 405
    page.post(url, {"subscription": tips.pk, "given": "yes"})
    assert not Consent.objects.filter(customer=cleo, given=True).exists()  # no words, no consent
    for _ in range(2):
        page.post(url, {"subscription": tips.pk, "given": "yes", "wording": "On the phone: yes please"})
    row = Consent.objects.get(customer=cleo, given=True)
    assert (row.wording, row.proof) == ("On the phone: yes please", {"written_down_by": ana.ref})
    html = page.get(f"/customers/{cleo.pk}/consents/").content.decode()
    assert html.index("On the phone: yes please") < html.index("portal")


def test_only_a_manager_lifts_and_nobody_lifts_a_complaint(browser: Browser, ana: User, mia: User, ben: Customer) -> None:
    address = ben.addresses.get()
    urls = {verb: f"/customers/{ben.pk}/addresses/{address.pk}/{verb}/" for verb in ("suppress", "lift")}
    for _ in range(2):
        browser(ana).post(urls["suppress"])
    assert Event.objects.filter(kind="address.suppressed").count() == 1
    assert browser(ana).post(urls["lift"]).status_code == 403
    browser(mia).post(urls["lift"])
    assert not Suppression.objects.exists()
    consent.suppress(address.canonical, "complaint", "report")
    browser(mia).post(urls["lift"])
    assert Suppression.objects.get().reason == "complaint"


def test_a_light_agent_reads_and_changes_nothing(browser: Browser, ana: User, ben: Customer, tips: Subscription) -> None:
    User.objects.filter(pk=ana.pk).update(role="light")
    page, row = browser(ana), mail(ben, "Tips", days=1)
    assert page.get(f"/customers/{ben.pk}/").status_code == 200
    for url in (f"/customers/{ben.pk}/edit/", "/customers/new/", f"/customers/{ben.pk}/consent/", f"/outgoing/{row.pk}/hold/"):
        assert page.post(url).status_code == 403
    row.refresh_from_db()
    assert row.state == State.PENDING


@pytest.mark.parametrize("htmx", [True, False])
def test_a_message_is_held_released_and_stopped(browser: Browser, ana: User, ben: Customer, htmx: bool) -> None:
    page, row = browser(ana), mail(ben, "Tips", days=1)
    headers = {"HX-Request": "true"} if htmx else {}
    states = []
    for verb in ("hold", "hold", "release", "hold", "never", "release"):
        answer = page.post(f"/outgoing/{row.pk}/{verb}/", {"next": f"/customers/{ben.pk}/"}, headers=headers)
        row.refresh_from_db()
        states.append(row.state)
        if htmx:
            assert "data-ledger" in answer.content.decode()
        else:
            assert answer["Location"] == f"/customers/{ben.pk}/"
    assert states == ["held", "held", "pending", "held", "withheld", "withheld"]
    assert row.reason == "Ana Kowalczyk decided not to send it"
    assert page.get(f"/outgoing/{row.pk}/hold/").status_code == 405
    assert page.post(f"/outgoing/{row.pk}/explode/").status_code == 404
    away = page.post(f"/outgoing/{row.pk}/hold/", {"next": "//evil.example/"})
    assert away["Location"] == f"/outgoing/{row.pk}/"


def test_a_message_is_shown_as_it_left_and_can_run_nothing(browser: Browser, ana: User, ben: Customer) -> None:
    row = mail(ben, "Tips")
    Outgoing.objects.filter(pk=row.pk).update(
        rendered={"subject": "Hi Ben", "text": "Hello", "html": "<p>Hello<script>1</script>"}
    )
    page = browser(ana)
    assert "Hi Ben" in page.get(f"/outgoing/{row.pk}/").content.decode()
    frame = page.get(f"/outgoing/{row.pk}/body/")
    assert "sandbox" in frame["Content-Security-Policy"]
    assert "script-src" not in frame["Content-Security-Policy"]
    assert "default-src 'none'" in frame["Content-Security-Policy"]
    assert frame["X-Frame-Options"] == "SAMEORIGIN"


def test_sign_in_mail_with_its_links_is_shown_to_nobody(browser: Browser, omar: User, ben: Customer) -> None:
    row = mail(ben, "sign-in", variables={"subject": "Reset", "text": "https://…/secret-link", "html": ""})
    for path in ("", "body/"):
        assert browser(omar).get(f"/outgoing/{row.pk}/{path}").status_code == 404
