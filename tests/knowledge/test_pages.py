"""Topics and answers, written, found, put away and brought back."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from helpdesk.accounts.models import AuditEntry, User
from helpdesk.knowledge.models import Answer, Topic

Browser = Callable[[User], Client]


@pytest.fixture
def billing(db: None) -> Topic:
    top = Topic.objects.create(slug="billing", name="Billing")
    Topic.objects.create(slug="cards", name="Cards", parent=top)
    return top


def test_an_answer_is_written_changed_archived_and_brought_back(browser: Browser, ana: User, billing: Topic) -> None:
    page = browser(ana)
    said = {"title": "Card declined", "topic": billing.pk, "body": "Please **check** <script>alert(1)</script> the date."}
    where = page.post("/knowledge/answers/new/", said)["Location"]
    assert page.post("/knowledge/answers/new/", said)["Location"] == where  # the second of two clicks
    assert Answer.objects.count() == 1
    html = page.get(where).content.decode()
    assert "<strong>check</strong>" in html
    assert "<script>alert" not in html
    for _ in range(2):
        page.post(f"{where}edit/", {**said, "title": "Card was declined"})
    for _ in range(2):
        page.post(f"{where}archive/")
    assert "Card was declined" not in page.get("/knowledge/").content.decode()
    assert "Card was declined" in page.get("/knowledge/?archived").content.decode()
    for _ in range(2):
        page.post(f"{where}restore/")
    assert "Card was declined" in page.get("/knowledge/").content.decode()
    assert list(AuditEntry.objects.order_by("pk").values_list("action", flat=True)) == [
        "answer.added",
        "answer.changed",
        "answer.archived",
        "answer.restored",
    ]
    assert page.get(f"{where}archive/").status_code == 405


def test_two_who_write_at_once_are_told(browser: Browser, ana: User, omar: User) -> None:
    answer = Answer.objects.create(title="A", body="old")
    seen = browser(ana).get(f"/knowledge/answers/{answer.pk}/edit/").context["seen"].mark
    browser(omar).post(f"/knowledge/answers/{answer.pk}/edit/", {"title": "A", "body": "theirs"})
    mine = browser(ana).post(f"/knowledge/answers/{answer.pk}/edit/", {"title": "A", "body": "mine", "seen": seen})
    html = mine.content.decode()
    assert mine.status_code == 409 and "Omar Haddad saved this while you were writing" in html
    assert "</b>theirs</dd>" in html and "</b>mine</dd>" in html and ">\nmine</textarea>" in html
    answer.refresh_from_db()
    assert answer.body == "theirs"
    on_purpose = {"title": "A", "body": "mine", "seen": mine.context["seen"].mark}
    for _twice in range(2):
        assert browser(ana).post(f"/knowledge/answers/{answer.pk}/edit/", on_purpose).status_code == 302
    answer.refresh_from_db()
    assert answer.body == "mine"


def test_a_topic_holds_the_answers_of_all_below_it(browser: Browser, ana: User, billing: Topic) -> None:
    Answer.objects.create(title="Deep one", body="x", topic=Topic.objects.get(slug="cards"))
    Answer.objects.create(title="Another", body="x")
    html = browser(ana).get(f"/knowledge/?topic={billing.pk}").content.decode()
    assert "Deep one" in html
    assert "Another" not in html
    assert "Deep one" in browser(ana).get("/knowledge/?q=DEEP").content.decode()
    assert browser(ana).get("/knowledge/?q=a%00b&topic=x").status_code == 200


def test_the_tree_has_no_circles(browser: Browser, mia: User, billing: Topic) -> None:
    cards = Topic.objects.get(slug="cards")
    for parent in (billing.pk, cards.pk):
        assert browser(mia).post(f"/knowledge/topics/{billing.pk}/", {"name": "Billing", "parent": parent}).status_code == 422
    assert [(t.name, t.depth) for t in Topic.objects.tree()] == [("Billing", 0), ("Cards", 1)]


def test_topics_of_any_script_get_short_names_of_their_own(browser: Browser, mia: User) -> None:
    for name in ("Zahlung", "Zahlung!", "支払い", "请求"):
        assert browser(mia).post("/knowledge/topics/new/", {"name": name, "is_public": "on"}).status_code == 302
        assert browser(mia).post("/knowledge/topics/new/", {"name": name, "is_public": "on"}).status_code == 422
    assert sorted(Topic.objects.values_list("slug", flat=True)) == ["topic", "topic-2", "zahlung", "zahlung-2"]


def test_who_may_do_what(browser: Browser, client: Client, ana: User, billing: Topic) -> None:
    answer = Answer.objects.create(title="A", body="x")
    assert client.get("/knowledge/").status_code == 302
    assert browser(ana).get("/knowledge/topics/new/").status_code == 403
    assert browser(ana).post(f"/knowledge/topics/{billing.pk}/", {"name": "X"}).status_code == 403
    User.objects.filter(pk=ana.pk).update(role="light")
    assert browser(ana).get(f"/knowledge/answers/{answer.pk}/").status_code == 200
    for path in ("new/", f"{answer.pk}/edit/", f"{answer.pk}/archive/", f"{answer.pk}/restore/"):
        assert browser(ana).post(f"/knowledge/answers/{path}", {"title": "B", "body": "y"}).status_code == 403


def test_the_list_costs_the_same_whatever_its_length(
    browser: Browser, ana: User, billing: Topic, django_assert_max_num_queries: Any
) -> None:
    Answer.objects.bulk_create([Answer(title=f"Answer {n}", body="x", topic=billing, updated_by=ana) for n in range(60)])
    page = browser(ana)
    page.get("/knowledge/")
    with django_assert_max_num_queries(12):
        assert page.get("/knowledge/").content.decode().count("Answer ") >= 60
