"""Suggestions of topic and team: learned from what people filed, shown with reasons, judged by people, automatic where proven."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.test import Client
from django.utils.module_loading import import_string

from helpdesk.accounts.models import AuditEntry, Team, User
from helpdesk.customers.models import Customer, Event
from helpdesk.knowledge.models import Topic
from helpdesk.lib import conditions, dates
from helpdesk.lib.dates import now
from tests.lib.queries import rows
from tickets.changes import change
from tickets.intake.opening import Words, open_ticket
from tickets.models import Classifier, Message, Suggestion, Ticket, TopicFigure, TopicTrust
from tickets.triage import learning, proof, suggesting, texts

Browser = Callable[[User], Client]
Drain = Callable[[], None]
LABELS = ("parcel", "refund", "password")
GREETINGS = ("", "hello, ", "dear all, ", "hi there, ")
LEARNED: dict[Any, Any] = {}
STRANGE = "what is the capital of portugal"


@pytest.fixture(autouse=True)
def files(settings: Any, tmp_path: Path) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}},
    }
    suggesting._loaded.cache_clear()


@pytest.fixture
def topics(db: None) -> dict[str, Topic]:
    """With ids that do not change, so that what was learned once serves all tests."""
    return {label: Topic.objects.create(pk=9001 + n, slug=label, name=label.title()) for n, label in enumerate(LABELS)}


def wrote(who: Customer, text: str, **more: Any) -> Ticket:
    return open_ticket(who, more.pop("subject", text), Words(text), channel="form", **more)


def solved(who: Customer, text: str, topic: Topic, by: Any, team: Team | None = None) -> Ticket:
    ticket = wrote(who, text)
    change(ticket, {"topic": topic, "team": team, "status": "solved"}, by=by)
    return ticket


@pytest.fixture
def past(ben: Customer, ana: User, topics: dict[str, Topic]) -> Team:
    """What was solved: the sentences of three labels in four forms, the refunds by a team of their own."""
    money = Team.objects.create(slug="money", name="Money")
    said = [(f"{greeting}{text}", label) for text, label in [*rows(holdout=False), *rows(holdout=True)] for greeting in GREETINGS]
    made = Ticket.objects.bulk_create(
        Ticket(
            pk=90_000 + n,
            subject=text,
            requester=ben,
            channel="form",
            status="solved",
            solved_at=now(),
            topic=topics[label],
            team=money if label == "refund" else None,
            decided={"topic": ana.ref},
        )
        for n, (text, label) in enumerate(said)
        if label in topics
    )
    Message.objects.bulk_create(
        Message(ticket=each, customer=ben, kind=Message.Kind.CUSTOMER, text=each.subject, at=now()) for each in made
    )
    return money


@pytest.fixture
def version(past: Team, monkeypatch: pytest.MonkeyPatch) -> Classifier:
    """Learned once in all; each test measures it on its own tickets."""
    from helpdesk.lib.learning import model as library

    def learn(said: list[str], labels: list[str], **_more: Any) -> Any:
        key = (tuple(said), tuple(labels))
        if key not in LEARNED:
            LEARNED[key] = really(said, labels)
        return LEARNED[key]

    really = library.learn
    monkeypatch.setattr(library, "learn", learn)
    learning.ask()
    learned = learning.learn()
    assert learned is not None
    learned.refresh_from_db()
    assert learned.state == "ready", learned.fault
    return learned


def of(ticket: Ticket) -> Suggestion:
    return Suggestion.objects.get(ticket=ticket)


def test_a_new_ticket_gets_a_suggestion_with_its_reason_and_one_press_accepts_it(
    version: Classifier, past: Team, browser: Browser, ana: User, ben: Customer, drain: Drain, topics: dict[str, Topic]
) -> None:
    ticket = wrote(ben, "when do i get my refund for the green lamp")
    drain()
    page = browser(ana)
    html = page.get(f"/tickets/{ticket.number}/").content.decode()
    assert "Suggested topic:" in html and "<b>Refund</b> · Money" in html and "refund" in html.split("because of")[1][:80]
    ticket.refresh_from_db()
    assert ticket.topic is None and ticket.team is None
    for _ in range(2):
        page.post(f"/tickets/{ticket.number}/suggestion/", {"topic": topics["refund"].pk})
    ticket.refresh_from_db()
    assert (ticket.topic, ticket.team) == (topics["refund"], past)
    assert (of(ticket).state, of(ticket).decided_by) == ("accepted", ana.ref)
    told = Event.objects.filter(kind="ticket.triaged", payload__ticket=ticket.pk)
    assert [event.payload["verdict"] for event in told] == ["accepted"]
    html = page.get(f"/tickets/{ticket.number}/").content.decode()
    assert "accepted the suggestion “Refund”" in html and "Suggested topic:" not in html


def test_a_correction_is_logged_by_whatever_door_it_comes(
    version: Classifier, browser: Browser, ana: User, ben: Customer, drain: Drain, topics: dict[str, Topic]
) -> None:
    first, second = wrote(ben, "please refund me the green lamp"), wrote(ben, "where is my parcel today")
    drain()
    page = browser(ana)
    assert page.post(f"/tickets/{first.number}/suggestion/", {"other": ""}).status_code == 422
    page.post(f"/tickets/{first.number}/suggestion/", {"other": topics["parcel"].pk})
    page.post(f"/tickets/{second.number}/change/", {"topic": topics["password"].pk})
    for ticket, chosen in ((first, "parcel"), (second, "password")):
        row = of(ticket)
        assert (row.state, row.chosen, row.decided_by) == ("corrected", topics[chosen], ana.ref)
    verdicts = Event.objects.filter(kind="ticket.triaged").order_by("pk")
    assert [event.payload["verdict"] for event in verdicts] == ["corrected", "corrected"]
    assert proof.proofs(95)[topics["refund"].pk].of > TopicFigure.objects.get(topic=topics["refund"]).answered_95


def test_what_is_strange_is_left_alone_and_what_is_filed_is_not_asked_about(
    version: Classifier, browser: Browser, ana: User, ben: Customer, drain: Drain, topics: dict[str, Topic]
) -> None:
    strange, filed = wrote(ben, STRANGE), wrote(ben, "please refund me", topic=topics["parcel"])
    drain()
    assert (of(strange).state, of(strange).topic, of(strange).level) == ("abstained", None, 0)
    assert "No topic suggested: not sure enough." in browser(ana).get(f"/tickets/{strange.number}/").content.decode()
    assert not Suggestion.objects.filter(ticket=filed).exists()


def test_a_version_measures_itself_on_tickets_that_it_never_saw(version: Classifier) -> None:
    found = texts.lessons()
    held = {each.ticket for each in found if each.ticket % 5 == 0}
    assert version.learned + version.held_back == len(found) and 0 < version.held_back <= len(held)
    assert version.learned == len(found) - len(held)
    assert set(version.figures) >= {"coverage_at_95", "precision_at_95", "coverage_at_99", "precision_at_99"}
    figures = TopicFigure.objects.filter(classifier=version)
    assert sum(each.held_back for each in figures) == version.held_back
    assert all(each.right_99 <= each.answered_99 <= each.answered_95 for each in figures)


def test_only_what_people_filed_is_learned(
    past: Team, ben: Customer, ana: User, topics: dict[str, Topic], monkeypatch: Any
) -> None:
    monkeypatch.setattr(texts, "FEWEST", 10)
    before = {each.ticket for each in texts.lessons()}
    machine = solved(ben, "the machine filed this", topics["parcel"], suggesting.MACHINE)
    rule = solved(ben, "a rule filed this", topics["parcel"], "rule:1")
    asked = wrote(ben, "they chose it themselves", topic=topics["parcel"])
    change(asked, {"status": "solved"}, by=ana)
    person = solved(ben, "a person filed this", topics["parcel"], ana)
    assert {each.ticket for each in texts.lessons()} - before == {person.pk} and machine.pk and rule.pk


def test_nothing_is_learned_from_too_little_and_the_page_says_so(
    browser: Browser, mia: User, ben: Customer, ana: User, topics: dict[str, Topic]
) -> None:
    page = browser(mia)
    assert "Nothing is learned yet" in page.get("/suggestions/").content.decode()
    for _ in range(2):
        page.post("/suggestions/learn/")
    assert Classifier.objects.count() == 1
    assert AuditEntry.objects.filter(action="classifier.asked", actor=mia.ref).count() == 1
    call_command("triage_learn", stdout=StringIO(), stderr=(err := StringIO()))
    assert "two topics with 25 solved tickets" in err.getvalue()
    html = page.get("/suggestions/").content.decode()
    assert "Not learned" in html and "two topics with 25 solved tickets" in html and "Mia Sandoval" in html


def proven(topic: Topic, version: Classifier, of: int = 400) -> None:
    TopicFigure.objects.filter(classifier=version, topic=topic).update(answered_95=of, right_95=of, answered_99=of, right_99=of)


def test_filing_without_asking_is_offered_only_where_proven_and_ends_by_itself(
    version: Classifier, past: Team, browser: Browser, mia: User, ana: User, ben: Customer, drain: Drain, topics: dict[str, Topic]
) -> None:
    refund, page = topics["refund"], browser(mia)
    assert "File without asking" not in page.get("/suggestions/").content.decode()
    page.post(f"/suggestions/topics/{refund.pk}/", {"automatic": "on", "least": "95"})
    assert not TopicTrust.objects.filter(automatic=True).exists()
    proven(refund, version)
    assert page.get("/suggestions/").content.decode().count("File without asking") == 1
    for _ in range(2):
        page.post(f"/suggestions/topics/{refund.pk}/", {"automatic": "on", "least": "95"})
    assert AuditEntry.objects.filter(action="topic_trust.changed").count() == 1
    ticket, other = wrote(ben, "when do i get my refund for the desk"), wrote(ben, "where is my parcel it was promised for today")
    drain()
    ticket.refresh_from_db()
    assert (ticket.topic, ticket.team, of(ticket).state) == (refund, past, "applied") and of(other).state == "offered"
    assert ticket.decided["topic"] == "machine:triage"
    html = browser(ana).get(f"/tickets/{ticket.number}/").content.decode()
    assert "Filed without asking under" in html and "filed without asking under “Refund”" in html
    change(ticket, {"status": "solved"}, by=ana)
    drain()
    assert (of(ticket).state, of(ticket).decided_by) == ("confirmed", ana.ref)

    wrong = [wrote(ben, "i want my money back it has been ten days") for _ in range(30)]
    drain()
    for ticket in wrong:
        ticket.refresh_from_db()
        assert ticket.topic == refund
        change(ticket, {"topic": topics["parcel"]}, by=ana)
    row = TopicTrust.objects.get(topic=refund)
    assert not row.automatic and "that proves" in row.stopped_because
    assert AuditEntry.objects.filter(action="topic_trust.stopped", actor="machine:triage").count() == 1
    after = wrote(ben, "i want my money back it has been ten days")
    drain()
    assert of(after).state == "offered"
    assert "Stopped by itself" in page.get("/suggestions/").content.decode()


def test_what_a_person_a_rule_or_a_tool_decided_stays(
    version: Classifier, ben: Customer, ana: User, drain: Drain, topics: dict[str, Topic]
) -> None:
    refund = topics["refund"]
    proven(refund, version)
    TopicTrust.objects.create(topic=refund, automatic=True, least=95)
    team = Team.objects.create(slug="own", name="Own")
    emptied, by_rule, moved = (wrote(ben, "i want my money back it has been ten days") for _ in range(3))
    change(emptied, {"topic": topics["parcel"]}, by=ana)
    change(emptied, {"topic": None}, by=ana)
    change(by_rule, {"topic": topics["parcel"]}, by="rule:3")
    change(moved, {"team": team}, by="token:2")
    drain()
    for ticket in (emptied, by_rule, moved):
        ticket.refresh_from_db()
    assert emptied.topic is None and by_rule.topic == topics["parcel"]
    assert moved.topic == refund and moved.team == team


def test_a_worker_that_dies_loses_no_suggestion(
    version: Classifier, ben: Customer, drain: Drain, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = wrote(ben, "when do i get my refund for the lamp")
    with monkeypatch.context() as patched:
        patched.setattr(suggesting, "_write", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            drain()
    assert of(ticket).state == "waiting"
    drain()
    assert of(ticket).state == "offered"


def test_numbers_that_were_tampered_with_are_not_used(version: Classifier, ben: Customer, drain: Drain) -> None:
    assert version.content is not None
    path = Path(default_storage.path(version.content.key))
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    suggesting._loaded.cache_clear()
    ticket = wrote(ben, "please refund me")
    drain()
    version.refresh_from_db()
    assert (version.state, of(ticket).state) == ("failed", "waiting")
    assert "cannot be read" in version.fault


def test_conditions_ask_about_suggestions(version: Classifier, ben: Customer, drain: Drain, topics: dict[str, Topic]) -> None:
    sure, strange = wrote(ben, "when do i get my refund for the lamp"), wrote(ben, STRANGE)
    drain()
    for tree, expected in (
        ({"field": "suggested_topic", "op": "is", "value": topics["refund"].pk}, {sure.pk}),
        ({"field": "suggestion", "op": "is", "value": "abstained"}, {strange.pk}),
        ({"field": "suggestion_confidence", "op": "any_of", "value": [95, 99]}, {sure.pk}),
    ):
        at = now()
        found = set(Ticket.objects.filter(conditions.to_q(tree, "ticket", at)).values_list("pk", flat=True))
        assert found == expected == {t.pk for t in Ticket.objects.all() if conditions.matches(tree, "ticket", t, at)}


def test_at_night_it_learns_once_if_anything_was_solved(
    ben: Customer, ana: User, topics: dict[str, Topic], monkeypatch: Any
) -> None:

    night = now().replace(hour=3, minute=0) + timedelta(days=1)
    with dates.moved(to=night):
        assert learning.ask_at_night() is None
        solved(ben, "where is it", topics["parcel"], ana)
        asked = learning.ask_at_night()
        assert asked is not None and learning.ask_at_night() is None
    asked.fail("tried")
    with dates.moved(to=night + timedelta(days=1)):
        assert learning.ask_at_night() is None  # nothing new
        solved(ben, "where is that", topics["parcel"], ana)
    with dates.moved(to=night + timedelta(hours=33)):
        assert learning.ask_at_night() is None  # it is noon
    with dates.moved(to=night + timedelta(days=2)):
        assert learning.ask_at_night() is not None


@pytest.mark.django_db(transaction=True)
@pytest.mark.long
def test_the_worker_has_it_learned_in_a_process_of_its_own(past: Team) -> None:
    learning.ask()
    import_string("tickets.tasks.learn")()
    [row] = Classifier.objects.all()
    assert row.state in ("ready", "failed") and row.finished_at
