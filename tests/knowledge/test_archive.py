"""A topic is archived and brought back: nobody can choose it meanwhile, and what has it keeps it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from helpdesk.accounts.models import AuditEntry, User
from helpdesk.customers.models import Customer
from helpdesk.knowledge.models import Answer, Topic
from helpdesk.lib.dates import now
from outreach.forms import CampaignForm
from outreach.models import Campaign
from tickets.form_forms import FormForm
from tickets.forms import SubmitForm
from tickets.intake.opening import Words, open_ticket
from tickets.models import RuleKind, Ticket, TicketForm
from tickets.rule_forms import RuleForm
from tickets.rules.actions import ACTIONS, Trouble
from tickets.rules.keeping import Wording
from tickets.serializers import ChangesIn, TicketIn
from tickets.skills import SkillForm

Browser = Callable[[User], Client]


@pytest.fixture
def money(db: None) -> Topic:
    return Topic.objects.create(slug="money", name="Money")


def ids(field: Any) -> set[str]:
    return {str(getattr(value, "value", value)) for value, _label in field.choices}


def test_it_is_archived_once_and_brought_back(browser: Browser, mia: User, ana: User, money: Topic) -> None:
    where = f"/knowledge/topics/{money.pk}/"
    assert browser(ana).post(f"{where}archive/").status_code == 403
    page = browser(mia)
    for _ in range(2):
        html = page.post(f"{where}archive/", follow=True).content.decode()
    assert "nobody can choose it any more" in html and f"{where}restore/" in html and f"{where}archive/" not in html
    for _ in range(2):
        html = page.post(f"{where}restore/", follow=True).content.decode()
    assert "nobody can choose it any more" not in html and Topic.objects.get().archived_at is None
    assert list(AuditEntry.objects.order_by("pk").values_list("action", "actor", "subject")) == [
        (f"topic.{verb}", mia.ref, money.ref) for verb in ("archived", "restored")
    ]
    assert page.get(f"{where}archive/").status_code == 405


def test_the_tree_stays_whole(browser: Browser, mia: User, money: Topic) -> None:
    cards = Topic.objects.create(slug="cards", name="Cards", parent=money)
    page = browser(mia)

    def said(topic: Topic, verb: str) -> str:
        return page.post(f"/knowledge/topics/{topic.pk}/{verb}/", follow=True).content.decode()

    assert "Move or archive those first" in said(money, "archive")
    said(cards, "archive")
    said(money, "archive")
    assert Topic.objects.living().count() == 0
    assert "Bring that back first" in said(cards, "restore")
    assert Topic.objects.living().count() == 0
    new = page.post("/knowledge/topics/new/", {"name": "Lost", "parent": money.pk})  # typed, for no list has it
    assert new.status_code == 422 and "parent" in new.context["form"].errors
    said(money, "restore")
    said(cards, "restore")
    assert Topic.objects.living().count() == 2


def test_a_ticket_keeps_what_nobody_else_can_choose(browser: Browser, ana: User, ben: Customer, money: Topic) -> None:
    old = open_ticket(ben, "Old", Words("x"), channel="form", topic=money)
    answer = Answer.objects.create(title="A", body="x", topic=money)
    money.archive(by=ana)
    money.refresh_from_db()
    new = open_ticket(ben, "New", Words("x"), channel="form", topic=money)
    page = browser(ana)
    option = ">Money</option>"
    assert option in page.get(f"/tickets/{old.number}/properties/").content.decode()
    assert option not in page.get(f"/tickets/{new.number}/properties/").content.decode()
    assert ">Money</span>" in page.get(f"/tickets/{old.number}/").content.decode()
    assert page.post(f"/tickets/{new.number}/change/", {"topic": money.pk}).status_code == 422
    page.post(f"/tickets/{old.number}/change/", {"topic": money.pk, "priority": "high"})
    assert list(Ticket.objects.order_by("pk").values_list("topic", "priority")) == [(money.pk, "high"), (None, "normal")]
    assert page.post(f"/knowledge/answers/{answer.pk}/edit/", {"title": "B", "body": "x", "topic": money.pk}).status_code == 302
    assert page.post("/knowledge/answers/new/", {"title": "C", "body": "x", "topic": money.pk}).status_code == 422
    with pytest.raises(Trouble):
        ACTIONS["topic"].do(new, money.pk, ana)  # type: ignore[arg-type]


def test_no_list_offers_it_but_to_what_has_it(money: Topic) -> None:
    here = Topic.objects.create(slug="here", name="Here")
    Topic.objects.filter(pk=money.pk).update(archived_at=now())
    rule = Wording("r", {}, {"topic": money.pk})
    fresh = [
        SubmitForm().fields["topic"],
        RuleForm(kind=RuleKind.CREATE).fields["topic"],
        FormForm().fields["topic"],
        FormForm().fields["topics"],
        SkillForm().fields["about"],
        CampaignForm().fields["topic"],
    ]
    for field in fresh:
        assert str(here.pk) in ids(field) and str(money.pk) not in ids(field)
    form = TicketForm.objects.create(slug="f", name="F", topic=money)
    form.topics.set([money, here])
    kept = [
        *(FormForm(instance=form).fields[name] for name in ("topic", "topics")),
        RuleForm(kind=RuleKind.CREATE, wording=rule).fields["topic"],
        CampaignForm(instance=Campaign(topic=money)).fields["topic"],
    ]
    for field in kept:
        assert {str(here.pk), str(money.pk)} <= ids(field)
    for body in (TicketIn, ChangesIn):
        for slug in ("money", "here"):
            said = body(data={"topic": slug})
            said.is_valid()
            assert ("topic" in said.errors) == (slug == "money")
