"""What a topic's page tells: tickets opened, repeat contact once its window has closed, escalations; of it and all below."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from helpdesk.accounts.models import Team, User
from helpdesk.customers.models import Customer
from helpdesk.knowledge.models import Topic
from helpdesk.lib.dates import now
from tickets.models import Ticket

Browser = Callable[[User], Client]


@pytest.fixture
def topics(db: None) -> tuple[Topic, Topic]:
    top = Topic.objects.create(slug="money", name="Money")
    return top, Topic.objects.create(slug="cards", name="Cards", parent=top)


def wrote(who: Customer, topic: Topic, *days_ago: float, **more: Any) -> None:
    rows = [
        Ticket(subject="s", requester=who, topic=topic, channel="form", opened_at=now() - timedelta(days=n), **more)
        for n in days_ago
    ]
    Ticket.objects.bulk_create(rows)


def said(page: Client, topic: Topic) -> list[str]:
    """The three figures as they are read, of the page at the topic's address."""
    html = page.get(f"/knowledge/?topic={topic.pk}").content.decode()
    box = html.split('id="topic-numbers"')[1].split("</section>")[0]
    return [" ".join(re.sub("<[^>]+>", " ", each).split()) for each in re.findall("<dd>(.*?)</dd>", box, re.S)]


def test_a_topic_tells_its_numbers_with_what_they_are_of(
    browser: Browser, ana: User, topics: tuple[Topic, Topic], django_assert_max_num_queries: Any
) -> None:
    money, cards = topics
    crowd = Customer.objects.bulk_create([Customer(name=f"Nr {n}") for n in range(25)])
    for n, each in enumerate(crowd):
        wrote(each, money if n < 15 else cards, 20)
    for each in crowd[:5]:
        wrote(each, money, 13.1)  # 6.9 days after: again
    wrote(crowd[5], money, 12.9)  # 7.1 days after
    wrote(crowd[6], cards, 15)  # about something else
    wrote(crowd[7], money, 19, status="spam")
    wrote(crowd[8], money, 5, 1)  # again, but the window of the first has not closed
    wrote(crowd[9], money, 7.5, 1)  # again, and it has
    wrote(crowd[10], money, 38, 36.5)  # the first is older than the period
    far = Topic.objects.create(slug="far", name="Far")
    wrote(crowd[11], far, 20, 19)
    Ticket.objects.filter(requester__in=crowd[16:25], topic=cards).update(escalated_at=now())
    Ticket.objects.filter(opened_at__lt=now() - timedelta(days=30)).update(escalated_at=now())
    page = browser(ana)
    assert said(page, money) == ["36", "18 % 6 of 34", "25 % 9 of 36"]
    few = "not enough data yet: %s of 20 tickets"
    assert said(page, cards) == ["11", few % 11, few % 11]
    assert said(page, far) == ["2", few % 2, few % 2]
    with django_assert_max_num_queries(8):
        page.get(f"/knowledge/?topic={money.pk}")
    assert "topic-numbers" not in page.get("/knowledge/").content.decode()


def test_who_sees_some_tickets_is_told_of_those(browser: Browser, ana: User, ben: Customer, topics: tuple[Topic, Topic]) -> None:
    team = Team.objects.create(slug="cards", name="Cards")
    wrote(ben, topics[0], 3, 2)
    wrote(ben, topics[0], 1, team=team)
    ana.teams.add(team)
    assert said(browser(ana), topics[0])[0] == "3"
    User.objects.filter(pk=ana.pk).update(reach="team")
    assert said(browser(ana), topics[0])[0] == "1"
    assert "Only tickets that you may see" in browser(ana).get(f"/knowledge/?topic={topics[0].pk}").content.decode()
