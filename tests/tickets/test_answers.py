"""Texts that we answer with, filled in: by an agent's Insert, and by a rule, whose answer nobody reads before it leaves."""

from datetime import UTC, datetime

import pytest

from helpdesk.accounts.models import User
from helpdesk.customers import identity
from helpdesk.customers.models import FieldDefinition
from helpdesk.customers.profile import CompanyFacts, Profile
from helpdesk.knowledge.models import Answer
from tickets import intake
from tickets.models import Draft, Message, Rule, RuleRun, Ticket
from tickets.rules import keeping
from tickets.rules.keeping import Wording

pytestmark = pytest.mark.django_db
BODY = "Hello {{ customer.first_name | default: 'there' }},\n\nthis is #{{ ticket.number }}, {{ agent.name }}."


@pytest.fixture
def ticket(ben, support):
    return intake.open_ticket(ben, "Bread", intake.Words("Hello"), channel="mail", mailbox=support)


def replying(text, mia):
    answer = Answer.objects.create(title="Got it", body=text, updated_by=mia)
    rule = Rule(kind="create")
    keeping.switch(keeping.save(rule, Wording("Say so", {}, {"reply": answer.pk}), by=mia), True, by=mia)


def test_what_is_inserted_names_them_and_their_ticket(browser, ana, ticket):
    answer = Answer.objects.create(title="Hello", body=BODY, updated_by=ana)
    page, wanted = browser(ana), f"Hello Ben,\n\nthis is #{ticket.number}, Ana Kowalczyk."
    assert wanted in page.get(f"/tickets/{ticket.number}/answers/").content.decode()
    for _twice in range(2):
        assert page.post(f"/tickets/{ticket.number}/insert/", {"answer": answer.pk}).status_code == 302
    assert Draft.objects.get().text == wanted


def test_a_time_in_it_is_the_readers_and_names_its_zone_whoever_inserts_it(browser, ana, ticket):
    User.objects.filter(pk=ana.pk).update(zone="Asia/Tokyo")
    Ticket.objects.filter(pk=ticket.pk).update(opened_at=datetime(2026, 11, 23, 9, 30, tzinfo=UTC))
    answer = Answer.objects.create(title="Since", body="Since {{ ticket.opened | date: 'moment' }}", updated_by=ana)
    browser(ana).post(f"/tickets/{ticket.number}/insert/", {"answer": answer.pk})
    assert Draft.objects.get().text == "Since Nov. 23, 2026, 10:30 a.m. CET"


def test_what_is_not_known_is_left_for_the_author_to_see(browser, ana, ticket):
    answer = Answer.objects.create(title="Hello", body="Your plan {{ customer.shoe_size }}", updated_by=ana)
    browser(ana).post(f"/tickets/{ticket.number}/insert/", {"answer": answer.pk})
    assert Draft.objects.get().text == "Your plan {{ customer.shoe_size }}"


def test_a_rules_answer_is_filled_in_for_each(ben, cleo, mia, support, drain):
    FieldDefinition.objects.create(subject="company", key="renews", label="Renews", type="date")
    facts = CompanyFacts("Carter", attributes={"renews": "2027-01-31"})
    identity.change(ben, Profile(company=facts, language="de"), actor="test")
    body = "Hallo {{ customer.name }}, #{{ ticket.number }}{% if company.renews %} bis {{ company.renews | date }}{% endif %}."
    replying(body, mia)
    for who in (ben, cleo):
        intake.open_ticket(who, "Bread", intake.Words("Hello"), channel="mail", mailbox=support)
    drain()
    first, second = Ticket.objects.order_by("pk")
    texts = Message.objects.exclude(kind="customer").order_by("ticket").values_list("text", flat=True)
    assert list(texts) == [f"Hallo Ben Carter, #{first.number} bis 31. Januar 2027.", f"Hallo Cleo Marchetti, #{second.number}."]


def test_a_rule_says_nothing_where_something_is_not_known(ben, mia, support, drain):
    replying("Your plan is {{ customer.shoe_size }}.", mia)
    intake.open_ticket(ben, "Bread", intake.Words("Hello"), channel="mail", mailbox=support)
    drain()
    assert "needs what is not known: customer.shoe_size" in RuleRun.objects.get().results[0]["error"]
    assert Message.objects.count() == 1


def test_a_name_is_no_markup_and_no_address_to_click(ben, mia, support, drain):
    """Whoever fills in the form names the one who gets the mail."""
    identity.change(ben, Profile(name="[Win](https://evil.example) **now** <b>www.evil.example"), actor="test")
    replying("Hello {{ customer.name }}: {{ ticket.subject }}", mia)
    intake.open_ticket(ben, "http://evil.example/a `b`", intake.Words("Hello"), channel="mail", mailbox=support)
    drain()
    said = Message.objects.exclude(kind="customer").get()
    assert said.text == "Hello now: b" and "evil" not in said.html


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{{ settings.SECRET_KEY }}", "knows nothing called “settings”"),
        ("{{ customer.name | evil }}", "no filter “evil”"),
        ("{% if customer.name %}", "if"),
        ("{{ event.order_id }}", "it knows agent, company, customer, ticket, workspace"),
    ],
)
def test_what_is_none_of_the_language_is_refused_beside_it(browser, ana, body, words):
    answer = browser(ana).post("/knowledge/answers/new/", {"title": "Hello", "body": body})
    assert answer.status_code == 422 and words in answer.content.decode() and not Answer.objects.exists()
