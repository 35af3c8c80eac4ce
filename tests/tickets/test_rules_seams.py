"""Where rules meet what else moves a ticket: hand-out, imports, time that passes, changes that follow each other quickly."""

import json
from datetime import timedelta

import pytest

from helpdesk.accounts.models import AuditEntry, Mode, Team, User
from helpdesk.customers import dispatch
from helpdesk.customers.models import Event
from helpdesk.knowledge.models import Topic
from helpdesk.lib import dates
from tests.tickets.test_rules import leaf
from tickets import assignment, changes, intake, replies, rules
from tickets.models import Rule, RuleMeeting, RuleRun, RuleTimer, Ticket
from tickets.rules import judge, keeping, portable, why
from tickets.rules.keeping import Wording

pytestmark = pytest.mark.django_db


def test_a_rule_that_takes_back_what_is_handed_out_ends_at_ten(rule, ben, support, ana, omar, drain):
    support.team.members.set([ana, omar])
    Team.objects.filter(pk=support.team.pk).update(mode=Mode.ROUND_ROBIN)
    rule("update", {"all": []}, happened=["ticket.assigned"], assignee="nobody")
    ticket = intake.open_ticket(ben, "x", intake.Words("Please."), channel="form", team=support.team)
    for _round in range(4):
        try:
            drain()
            break
        except pytest.fail.Exception:  # a chain of ten takes more rounds than one drain has
            continue
    assert max(RuleMeeting.objects.values_list("depth", flat=True)) >= 10 and RuleRun.objects.count() <= 10
    ticket.refresh_from_db()
    assert ticket.assignee is not None
    with dates.moved(by=timedelta(hours=2)):  # another day it is another chain
        ticket.assign(None, by=omar)
        assert Event.objects.filter(kind="ticket.assigned").count() < 30


def test_what_is_imported_fires_nothing_by_what_follows_from_it(rule, ben, support, ana, drain):
    support.team.members.set([ana])
    Team.objects.filter(pk=support.team.pk).update(mode=Mode.ROUND_ROBIN)
    rule("update", {"all": []}, happened=["ticket.assigned"], add_tags=["assigned"])
    rule("time", {"all": []}, since="opened", minutes=60, add_tags=["late"])
    with intake.imported():
        words = intake.Words("Please.", at=dates.now() - timedelta(minutes=30))
        ticket = intake.open_ticket(ben, "x", words, channel="form", team=support.team)
    drain()
    with dates.moved(by=timedelta(hours=2)):
        replies.note(ticket, "Moved", by=ana)
        drain()
    ticket.refresh_from_db()
    assert ticket.assignee == ana and ticket.tags == []
    ticket.assign(None, by=ana)  # what happens here from now on meets them
    drain()
    ticket.refresh_from_db()
    assert ticket.tags == ["assigned"]


def test_a_time_that_was_over_before_the_rule_began_is_left_alone(rule, ticket, ana, drain):
    drain()
    with dates.moved(by=timedelta(days=30)):
        rule("time", {"all": [leaf("open", "is", True)]}, since="opened", minutes=60, add_tags=["late"])
        replies.note(ticket, "hm", by=ana)
        drain()
    ticket.refresh_from_db()
    assert ticket.tags == []


def test_a_time_rule_is_asked_again_when_time_alone_makes_it_true(rule, ticket, drain):
    rule("time", {"all": [leaf("opened", "older_than", {"days": 2})]}, since="opened", minutes=60, add_tags=["late"])
    drain()
    for hours, tags in ((2, []), (47, []), (48.1, ["late"]), (100, ["late"])):
        with dates.moved(by=timedelta(hours=hours)):
            drain()
        ticket.refresh_from_db()
        assert ticket.tags == tags, hours
    assert RuleRun.objects.count() == 1 and not RuleTimer.objects.exists()


def test_a_change_is_judged_as_it_left_the_ticket(rule, ticket, ana, drain):
    """Whatever followed before the rules had a look."""
    drain()
    rule("update", {"all": [leaf("priority", "changed_to", "urgent"), leaf("status", "is", "new")]}, add_tags=["hot"])
    rule("update", {"all": [leaf("tags", "added", "hot"), leaf("status", "is", "new")]}, name="second", add_tags=["wrong"])
    changes.change(ticket, {"priority": "urgent"}, by=ana)
    changes.change(ticket, {"status": "pending"}, by=ana)
    drain()
    ticket.refresh_from_db()
    assert ticket.tags == ["hot"] and ticket.status == "pending"
    first = RuleMeeting.objects.filter(changes__has_key="priority").get()
    assert first.facts["status"] == "new"


def test_a_file_never_binds_to_what_happens_to_have_the_same_id(mia, ana, omar):
    topic = Topic.objects.create(name="Cards", slug="cards")
    branch = {"field": "topic_branch", "op": "any_of", "value": [topic.pk]}
    wrote = {"field": "message", "op": "has", "where": {"field": "author", "op": "is", "value": ana.pk}}
    for name, tree in (("branch", branch), ("wrote", wrote)):
        keeping.save(Rule(kind="update"), Wording(name, tree, {"add_tags": ["x"]}), by=mia)
    told = portable.exported()
    assert [each["conditions"].get("value") for each in told["rules"]] == [["Cards"], None]
    assert told["rules"][1]["conditions"]["where"]["value"] == "Ana Kowalczyk"
    text = json.dumps(told)
    assert portable.take_in(text, by=mia).changed == []
    Topic.objects.filter(pk=topic.pk).update(name="Something else")
    with pytest.raises(portable.Unreadable, match="Cards"):
        portable.take_in(text, by=mia)
    keeping.save(
        Rule(kind="update"), Wording("whose", {"field": "assignee", "op": "is", "value": omar.pk}, {"add_tags": ["x"]}), by=mia
    )
    User.objects.filter(pk=omar.pk).update(is_active=False)
    gone = json.dumps({**portable.exported(), "rules": portable.exported()["rules"][2:]})
    User.objects.filter(pk=omar.pk).update(is_active=True, name="Another")
    with pytest.raises(portable.Unreadable, match=f"number {omar.pk} was gone"):
        portable.take_in(gone, by=mia)


def test_a_rule_about_words_meets_what_fits_and_what_does_not(rule, ben, support, drain):
    rule("create", {"all": [leaf("text", "has_words", "rechnung")]}, add_tags=["invoice"])
    rule("create", {"all": [leaf("text", "has_no_words", "rechnung")]}, name="others", add_tags=["other"])
    for words in ("Meine Rechnung ist falsch.", "Hello"):
        intake.open_ticket(ben, words, intake.Words(words), channel="form")
    drain()
    assert [each.tags for each in Ticket.objects.order_by("pk")] == [["invoice"], ["other"]]
    assert set(RuleMeeting.objects.values_list("state", flat=True)) == {"done"}
    first = RuleMeeting.objects.earliest("pk")
    [met, other] = why.explained([first])[0].verdicts
    assert met.reason.holds and not other.reason.holds and "rechnung" in str(met.reason)


def test_what_cannot_be_judged_stops_no_other(rule, ben, support, drain, monkeypatch):
    rule("create", {"all": [leaf("subject", "contains", "Hello")]}, add_tags=["met"])
    made = [intake.open_ticket(ben, f"Hello {n}", intake.Words("Hello"), channel="form") for n in range(3)]
    as_of = judge.as_of

    def broken(ticket, *more):
        if ticket.pk == made[1].pk:
            raise TypeError("no")
        return as_of(ticket, *more)

    monkeypatch.setattr(judge, "as_of", broken)
    for _try in range(3):
        drain()
    assert [each.tags for each in Ticket.objects.order_by("pk")] == [["met"], [], ["met"]]
    failed = RuleMeeting.objects.get(ticket=made[1])
    assert (failed.state, failed.stopped) == ("failed", "TypeError: no")


def test_what_could_not_be_judged_is_seen_and_judged_again(rule, ben, support, drain, monkeypatch, browser, mia, ana):
    rule("create", {"all": [leaf("subject", "contains", "Hello")]}, add_tags=["met"])
    made = intake.open_ticket(ben, "Hello", intake.Words("Hello"), channel="form")
    page_of = browser(mia)
    assert "could not be judged" not in page_of.get("/rules/").content.decode()
    with monkeypatch.context() as away:
        away.setattr(judge, "as_of", lambda *_all: 1 / 0)
        for _try in range(3):
            drain()
    assert rules.health() == {"oldest_waiting_seconds": None, "failed": 1}
    page = page_of.get("/rules/").content.decode()
    assert "Some changes could not be judged" in page and f"/tickets/{made.number}/rules/" in page
    assert browser(ana).post("/rules/again/").status_code == 403
    answer = page_of.post("/rules/again/", follow=True).content.decode()
    assert "1 change meets the rules again" in answer and "could not be judged" not in answer
    drain()
    made.refresh_from_db()
    assert made.tags == ["met"] and rules.health()["failed"] == 0
    assert "the rules again" not in page_of.post("/rules/again/", follow=True).content.decode()
    assert list(AuditEntry.objects.filter(action="rules.judged_again").values_list("after", flat=True)) == [{"changes": 1}]


def test_rules_on_new_tickets_come_before_the_hand_out(rule, ben, support, ana, omar, drain):
    billing = Team.objects.create(name="Billing", slug="billing", mode=Mode.LEAST_LOADED)
    billing.members.set([omar])
    support.team.members.set([ana])
    Team.objects.filter(pk=support.team.pk).update(mode=Mode.ROUND_ROBIN)
    rule("create", {"all": [leaf("subject", "contains", "refund")]}, team=billing.pk)
    for subject in ("A refund, please", "Hello"):
        intake.open_ticket(ben, subject, intake.Words("Please."), channel="form", team=support.team)
    dispatch.run_once()
    assignment.hand_out()
    assert not Ticket.objects.filter(assignee__isnull=False).exists()
    drain()
    assert list(Ticket.objects.order_by("pk").values_list("assignee__name", flat=True)) == ["Omar Haddad", "Ana Kowalczyk"]
    assert Event.objects.filter(kind="ticket.assigned").count() == 2


def test_a_rule_that_fails_holds_no_ticket_back(rule, ben, support, ana, drain, monkeypatch):
    support.team.members.set([ana])
    Team.objects.filter(pk=support.team.pk).update(mode=Mode.ROUND_ROBIN)
    rule("create", {"all": []}, add_tags=["met"])
    monkeypatch.setattr(judge, "_meet", lambda *_: 1 / 0)
    ticket = intake.open_ticket(ben, "x", intake.Words("Please."), channel="form", team=support.team)
    drain()
    ticket.refresh_from_db()
    assert ticket.assignee == ana
