"""Repeat contact: on the ticket, in the list and in conditions; topics by their path, and all that lies below one."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from helpdesk.accounts.models import User
from helpdesk.customers.models import Customer
from helpdesk.knowledge.models import Topic
from helpdesk.lib import conditions
from helpdesk.lib.dates import now
from tickets.intake.opening import Words, open_ticket
from tickets.models import Ticket

Browser = Callable[[User], Client]


@pytest.fixture
def topics(db: None) -> tuple[Topic, Topic, Topic]:
    top = Topic.objects.create(slug="money", name="Money")
    below = Topic.objects.create(slug="cards", name="Cards", parent=top)
    return top, below, Topic.objects.create(slug="lost", name="Lost", parent=below)


def wrote(who: Customer, topic: Topic | None, days_ago: float, spam: str = "") -> Ticket:
    words = Words("Again", at=now() - timedelta(days=days_ago), spam=spam)
    return open_ticket(who, f"Asked {days_ago}", words, channel="form", topic=topic)


def chosen(tree: object) -> set[str]:
    """What SQL finds, and Python must agree."""
    at = now()
    found = set(Ticket.objects.filter(conditions.to_q(tree, "ticket", at)).values_list("subject", flat=True))
    assert found == {each.subject for each in Ticket.objects.all() if conditions.matches(tree, "ticket", each, at)}
    return found


def test_a_repeat_is_the_same_customer_and_topic_within_seven_days(
    browser: Browser, ana: User, ben: Customer, cleo: Customer, topics: tuple[Topic, Topic, Topic]
) -> None:
    money, cards, _lost = topics
    wrote(ben, money, 20)
    first = wrote(ben, money, 10)
    second = wrote(ben, money, 3.1)  # 6.9 days after the one before
    wrote(ben, cards, 2)
    wrote(cleo, money, 1.5)
    wrote(ben, None, 1)
    wrote(ben, None, 0.9)
    wrote(cleo, cards, 0.8, spam="Looks like spam")
    wrote(cleo, cards, 0.7)
    assert chosen({"field": "repeat", "op": "is", "value": True}) == {"Asked 3.1"}
    assert len(chosen({"field": "repeat", "op": "is_not", "value": True})) == Ticket.objects.count() - 1
    page = browser(ana)
    html = page.get(f"/tickets/{second.number}/").content.decode()
    assert "Repeat within 7 days" in html and f'href="/tickets/{first.number}/">{first.short}</a>' in html
    assert "Repeat within 7 days" not in page.get(f"/tickets/{first.number}/").content.decode()
    assert page.get("/inbox/open/?part=list").content.decode().count(">Repeat<") == 1


def test_what_it_repeats_is_named_only_to_who_may_see_it(
    browser: Browser, ana: User, ben: Customer, topics: tuple[Topic, Topic, Topic]
) -> None:
    first, second = wrote(ben, topics[0], 2), wrote(ben, topics[0], 1)
    Ticket.objects.filter(pk=second.pk).update(assignee=ana)
    User.objects.filter(pk=ana.pk).update(reach="assigned")
    html = browser(ana).get(f"/tickets/{second.number}/").content.decode()
    assert f"/tickets/{first.number}/" not in html


def test_a_condition_on_a_topic_may_take_in_all_below_it(ben: Customer, topics: tuple[Topic, Topic, Topic]) -> None:
    money, cards, lost = topics
    for days, topic in enumerate((money, cards, lost, None), 1):
        wrote(ben, topic, days)
    branch = {"field": "topic_branch", "op": "any_of", "value": [cards.pk]}
    assert chosen(branch) == {"Asked 2", "Asked 3"}
    assert chosen({"not": branch}) == {"Asked 1", "Asked 4"}
    assert chosen({"field": "topic_branch", "op": "is_set"}) == {"Asked 1", "Asked 2", "Asked 3"}
    assert conditions.words(branch, "ticket") == "topic or one above it has Money › Cards"


def test_topics_are_chosen_by_their_path(browser: Browser, ana: User, ben: Customer, topics: tuple[Topic, Topic, Topic]) -> None:
    ticket = wrote(ben, topics[0], 1)
    html = browser(ana).get(f"/tickets/{ticket.number}/properties/").content.decode()
    assert html.index(">Money</option>") < html.index(">Money › Cards</option>") < html.index(">Money › Cards › Lost</option>")
    browser(ana).post(f"/tickets/{ticket.number}/change/", {"topic": topics[2].pk})
    assert Ticket.objects.get(pk=ticket.pk).topic == topics[2]
    Topic.objects.filter(pk=topics[0].pk).update(parent=topics[2])  # a circle, however it came about, ends
    assert len(Topic.objects.all().by_path()) == 3
