"""Rules: what is done by itself when a ticket comes in, changes, or waits; once, in order, never for what they did themselves."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from helpdesk.accounts.models import Notification, Team
from helpdesk.accounts.vault import seal
from helpdesk.customers import dispatch as line
from helpdesk.customers.models import Event
from helpdesk.customers.tasks import dispatch
from helpdesk.knowledge.models import Answer
from helpdesk.lib import dates
from helpdesk.mail import webhooks
from helpdesk.mail.models import Webhook, WebhookDelivery
from helpdesk.mail.models.webhooks import new_secret
from tickets import changes, intake, spam
from tickets.models import Clock, EscalationPath, EscalationStep, Policy, RuleKind, RuleMeeting, RuleRun, Ticket
from tickets.rules import tidy, timers, why
from tickets.rules.meetings import live_rules
from tickets.tasks import meet_rules

pytestmark = pytest.mark.django_db


def leaf(field, op, *value):
    return {"field": field, "op": op, **({"value": value[0]} if value else {})}


def test_a_rule_fires_once_for_what_one_form_changed(rule, ticket, ana, drain):
    drain()
    first = rule("update", {"all": [leaf("priority", "changed_to", "urgent")]}, add_tags=["hot"])
    changes.change(ticket, {"priority": "urgent", "assignee": ana, "tags": ["a"]}, by=ana)
    drain()
    ticket.refresh_from_db()
    assert ticket.tags == ["a", "hot"] and ticket.assignee == ana
    [run] = RuleRun.objects.all()
    assert run.rule == first and run.results == [{"words": "add the tags hot", "error": ""}]
    mine, its = RuleMeeting.objects.order_by("id")
    assert set(mine.happened) == {"ticket.assigned", "ticket.updated", "ticket.status_changed"}
    assert mine.changes == {
        "priority": ["normal", "urgent"], "assignee": [None, ana.pk], "tags": [[], ["a"]], "status": ["new", "open"]
    }  # fmt: skip
    assert its.began == first.pk and its.versions == [] and its.depth == 1  # its own change does not meet it
    tagged = Event.objects.filter(kind="ticket.updated").latest("id")
    assert tagged.actor == first.ref and tagged.payload["by"] == "Rule “Rule 1”"


def test_in_their_order_each_sees_what_those_before_it_did(rule, ben, support, drain):
    rule("create", {"all": [leaf("priority", "is", "urgent")]}, name="too early", add_tags=["early"])
    rule("create", {"all": [leaf("subject", "contains", "down")]}, name="outage", priority="urgent", add_tags=["outage"])
    rule(
        "create", {"all": [leaf("priority", "is", "urgent"), leaf("tags", "any_of", ["outage"])]}, name="then", add_tags=["seen"]
    )
    rule("update", {"all": [leaf("priority", "changed_to", "urgent")]}, name="after it", add_tags=["told"])
    made = intake.open_ticket(ben, "Everything is down", intake.Words("Help"), channel="form")
    drain()
    made.refresh_from_db()
    assert made.priority == "urgent" and made.tags == ["outage", "seen", "told"]
    [met] = why.explained(why.of_ticket(made).filter(kind=RuleKind.CREATE))
    assert [(each.version.name, each.fired) for each in met.verdicts] == [
        ("too early", False), ("outage", True), ("then", True)
    ]  # fmt: skip
    assert all(each.fired == each.reason.holds for each in met.verdicts)
    [against] = met.verdicts[0].because
    assert (against.words, against.was) == ("priority is Urgent", "Normal")


def test_two_rules_that_undo_each_other_end_at_ten(rule, ticket, ana, drain):
    drain()
    rule("update", {"all": [leaf("priority", "changed_to", "high")]}, name="down", priority="low")
    rule("update", {"all": [leaf("priority", "changed_to", "low")]}, name="up", priority="high")
    ticket.prioritise("high", by=ana)
    for _ in range(15):  # more rounds than drain allows: it would take this for a loop
        dispatch()
        meet_rules()
    assert RuleRun.objects.count() == 10
    last = RuleMeeting.objects.latest("id")
    assert last.depth == 10 and last.versions == [] and "that is where it ends" in last.stopped


def test_what_was_imported_meets_no_rule(rule, ben, support, drain):
    rule("create", {"all": []}, add_tags=["met"])
    with intake.imported():
        old = intake.open_ticket(ben, "From the old system", intake.Words("Hello"), channel="api")
    new = intake.open_ticket(ben, "From here", intake.Words("Hello"), channel="api")
    drain()
    assert list(Ticket.objects.filter(tags__contains=["met"])) == [new] and not RuleMeeting.objects.filter(ticket=old).exists()


def test_after_a_time_to_the_minute_and_once_for_a_moment(rule, ticket, ana, drain):
    rule("time", {"all": [leaf("assignee", "is_not_set")]}, since="opened", minutes=90, priority="high")
    rule("time", {"all": [leaf("priority", "is", "low")]}, name="never", since="opened", minutes=90, add_tags=["no"])
    drain()
    with dates.moved(by=timedelta(minutes=89)):
        drain()
        assert Ticket.objects.get().priority == "normal"
    with dates.moved(by=timedelta(minutes=90, seconds=1)):
        drain()
        assert Ticket.objects.get().priority == "high"
        ticket.prioritise("normal", by=ana)  # a change after its time: it has fired for this moment
        drain()
        assert Ticket.objects.get().priority == "normal" and RuleRun.objects.count() == 1


def test_a_time_that_is_over_fires_when_its_conditions_come_true(rule, ticket, ana, drain):
    rule("time", {"all": [leaf("priority", "is", "urgent")]}, since="opened", minutes=60, add_tags=["late"])
    with dates.moved(by=timedelta(hours=2)):
        drain()
        assert RuleMeeting.objects.count() == 0  # it is not urgent, so no time is waited for
        ticket.prioritise("urgent", by=ana)
        drain()
        assert Ticket.objects.get().tags == ["late"]


def test_a_time_counts_from_the_moment_that_holds_by_then(rule, ticket, ana, drain):
    rule("time", {"all": []}, since="last_message", minutes=60, priority="high")
    drain()
    with dates.moved(by=timedelta(minutes=50)):
        said = ticket.messages.earliest("id")
        said.at = dates.now()
        ticket.forwarded(said, by=ana)
        drain()
    with dates.moved(by=timedelta(minutes=100)):
        drain()
        assert Ticket.objects.get().priority == "normal"
    with dates.moved(by=timedelta(minutes=111)):
        drain()
        assert Ticket.objects.get().priority == "high"


def test_a_time_that_came_while_it_lay_in_spam_comes_once_it_is_none(rule, ticket, ana, drain):
    rule("time", {"all": []}, since="opened", minutes=60, priority="high")
    drain()
    spam.mark(ticket, by=ana)
    with dates.moved(by=timedelta(minutes=70)):
        drain()
        spam.clear(ticket, by=ana)
        drain()
        assert Ticket.objects.get().priority == "high"


def test_what_fired_for_a_moment_is_known_as_long_as_the_ticket_can_change(rule, ticket, ana, drain):
    rule("time", {"all": []}, since="opened", minutes=60, priority="high")
    drain()
    with dates.moved(by=timedelta(minutes=61)):
        drain()
        ticket.prioritise("normal", by=ana)
        drain()
    with dates.moved(by=timedelta(days=100)):
        tidy()
        ticket.tag(["again"], by=ana)
        drain()
        assert Ticket.objects.get().priority == "normal"
        Ticket.objects.update(status="closed")
        assert tidy() == 1


def test_times_are_planned_for_many_tickets_at_once(rule, ben, support, drain):
    says = {"field": "message", "op": "has", "at_least": 1, "where": leaf("text", "contains", "nothing like it")}
    rule("time", {"all": [says, leaf("suggestion", "is", "waiting")]}, since="opened", minutes=60, priority="high")
    with dates.moved(by=-timedelta(hours=2)):
        made = [intake.open_ticket(ben, "Hello", intake.Words("Hello"), channel="api") for _ in range(9)]
    with CaptureQueriesContext(connection) as asked:
        timers.plan([ticket.pk for ticket in made], live_rules("time"))
    assert len(asked) <= 6, [query["sql"][:90] for query in asked]


def test_people_are_told_once_and_the_count_goes_with_reading(rule, ticket, ana, mia, omar, browser, drain):
    team = Team.objects.create(name="Night", slug="night")
    team.members.add(ana, omar)
    rule("update", {"all": []}, happened=["ticket.noted"], notify={"people": [ana.pk], "team": team.pk, "words": "look here"})
    browser(mia).post(f"/tickets/{ticket.number}/compose/", {"kind": "note", "text": "hm", "seen": 0, "once": "a"})
    drain()
    assert sorted(Notification.objects.values_list("user__name", flat=True)) == [ana.name, omar.name]
    page = browser(ana).get("/notifications/").content.decode()
    assert f"#{ticket.number} Locked out: look here" in page
    browser(ana).post("/notifications/read/", {"upto": Notification.objects.get(user=ana).pk})
    ana.refresh_from_db()
    omar.refresh_from_db()
    assert (ana.unread, omar.unread) == (0, 1)


def test_nobody_is_told_of_a_ticket_that_they_may_not_read(rule, ticket, noor, ana, drain):
    drain()
    rule("update", {"all": []}, happened=["ticket.updated"], notify={"people": [noor.pk, ana.pk]})
    ticket.prioritise("high", by=ana)
    drain()
    assert [told.user for told in Notification.objects.all()] == [ana]  # noor reads the tickets of Billing, this is Support's
    ticket.move_to(noor.teams.get(), by=ana)
    drain()
    assert Notification.objects.filter(user=noor).count() == 1


def test_a_reminder_of_a_rule_is_no_last_message_that_brings_the_next(rule, ticket, ana, sink, drain):
    answer = Answer.objects.create(title="Still there?", body="Do you still need us?", updated_by=ana)
    rule("time", {"all": []}, since="last_message", minutes=60, reply=answer.pk, add_tags=["reminded"])
    drain()
    for hours in (2, 4, 8):
        with dates.moved(by=timedelta(hours=hours)):
            drain()
    assert len(sink.to("ben@carter.example")) == 1


def test_an_answer_by_a_rule_is_automatic_mail_and_ends_nobodys_waiting(rule, ticket, ana, sink, drain):
    drain()
    targets = {each: {"hours": "calendar", "first_reply": 60} for each in ("normal", "urgent")}
    Policy.objects.create(name="All", position=1, targets=targets)
    answer = Answer.objects.create(title="We are on it", body="We **are** on it.", updated_by=ana)
    rule("update", {"all": [leaf("priority", "changed_to", "urgent")]}, name="calm", reply=answer.pk)
    waiting = ticket.waiting_since
    ticket.prioritise("urgent", by=ana)
    drain()
    ticket.refresh_from_db()
    [letter] = sink.to("ben@carter.example")
    assert (
        letter.message["Auto-Submitted"] == "auto-replied"
        and letter.envelope_from == "<>"
        and "<strong>are</strong> on it" in letter.html
    )
    assert letter.message["In-Reply-To"] == "<first@carter.example>"
    assert (ticket.status, ticket.waiting_since, ticket.first_replied_at) == ("new", waiting, None)
    assert Clock.objects.get(ticket=ticket, kind="first_reply").is_open
    assert [event.actor for event in Event.objects.filter(kind="ticket.auto_replied")] == [RuleRun.objects.get().rule.ref]
    said = ticket.messages.latest("pk")
    assert (said.author, said.reason) == ("Rule “calm”", "Rule “calm”")


def test_a_note_by_a_rule_is_written_once_and_answers_nobody(rule, ticket, ana, sink, drain, monkeypatch):
    """Its worker dies in the middle, its note moves no clock, and it is none of the changes that the rule itself meets."""
    drain()
    targets = {each: {"hours": "calendar", "first_reply": 60} for each in ("normal", "urgent")}
    Policy.objects.create(name="All", position=1, targets=targets)
    answer = Answer.objects.create(title="We are on it", body="We are on it.", updated_by=ana)
    tool = Webhook.objects.create(name="On-call", url="https://oncall.example/", secret=seal(new_secret()))
    asks = {"all": [leaf("tags", "none_of", ["noted"])]}
    first = rule("update", asks, happened=["ticket.noted", "ticket.updated"], note="Look.", webhook=tool.pk, reply=answer.pk)
    rule("update", {"all": []}, happened=["ticket.noted"], add_tags=["noted"])
    rule("time", {"all": []}, since="last_message", minutes=60, note="Quiet for an hour.")
    waiting, last = ticket.waiting_since, ticket.last_message_at
    plan, written = webhooks.plan, []

    def dies_once(*args, **kwargs):
        written.append(ticket.messages.filter(kind="note").count())
        if len(written) == 1:
            raise RuntimeError
        plan(*args, **kwargs)

    monkeypatch.setattr("helpdesk.mail.webhooks.plan", dies_once)
    ticket.prioritise("urgent", by=ana)
    drain()
    assert written == [1, 1]
    note = ticket.messages.get(kind="note")
    assert (note.author, note.text) == (f"Rule “{first}”", "Look.") and len(sink.to("ben@carter.example")) == 1
    ticket.refresh_from_db()
    assert ticket.tags == ["noted"]  # the other rule met it
    assert (ticket.status, ticket.waiting_since, ticket.first_replied_at) == ("new", waiting, None)
    assert Clock.objects.get(ticket=ticket, kind="first_reply").is_open and ticket.last_message_at == last
    first.is_enabled = False
    first.save()
    for hours in (2, 4, 8):
        with dates.moved(by=timedelta(hours=hours)):
            drain()
    assert [each.text for each in ticket.messages.filter(kind="note").order_by("pk")] == ["Look.", "Quiet for an hour."]


def test_nothing_automatic_answers_a_machine_and_why_says_so(rule, ticket, ben, ana, sink, drain):
    drain()
    answer = Answer.objects.create(title="We are on it", body="We are on it.", updated_by=ana)
    rule("update", {"all": []}, happened=["ticket.updated"], reply=answer.pk)
    intake.hear(ticket, ben, intake.Words("I am away.", automatic="Auto-Submitted: auto-replied"))
    ticket.prioritise("high", by=ana)
    drain()
    [run] = RuleRun.objects.all()
    assert "nothing automatic answers it" in run.results[0]["error"] and not sink


def test_what_a_rule_names_may_be_gone_and_the_rest_is_done_all_the_same(rule, ticket, ana, drain):
    drain()
    night = Team.objects.create(name="Night", slug="night")
    rule("update", {"all": []}, team=night.pk, add_tags=["seen"])
    night.delete()
    ticket.prioritise("high", by=ana)
    drain()
    ticket.refresh_from_db()
    assert ticket.tags == ["seen"]
    assert [bool(result["error"]) for result in RuleRun.objects.get().results] == [True, False]


def test_a_rule_tells_another_tool_once(rule, ticket, ana, drain):
    drain()
    tool = Webhook.objects.create(name="On-call", url="https://oncall.example/", secret=seal(new_secret()))
    rule("update", {"all": []}, name="page them", happened=["ticket.updated"], webhook=tool.pk)
    ticket.prioritise("urgent", by=ana)
    drain()
    [row] = WebhookDelivery.objects.all()
    said = json.loads(row.body)
    assert said["type"] == "ticket.rule_fired" and said["data"]["rule"] == "page them"
    assert (said["data"]["ticket"], said["data"]["priority"]) == (ticket.number, "urgent")


def test_a_rule_escalates_and_an_event_of_a_clock_is_something_that_happened(rule, ticket, mia, drain):
    drain()
    path = EscalationPath.objects.create(name="Late")
    EscalationStep.objects.create(path=path, position=0, user=mia)
    rule("update", {"all": []}, happened=["ticket.breached"], escalate={"path": path.pk, "reason": "A deadline was missed"})
    ticket.record("ticket.breached", "", clock="first_reply")
    drain()
    ticket.refresh_from_db()
    assert (ticket.escalated_to, ticket.assignee) == ("Mia Sandoval", mia)
    assert Event.objects.get(kind="ticket.escalated").payload["reason"] == "A deadline was missed"


def test_events_of_one_change_in_two_batches_are_one_change(rule, ticket, ana, drain, monkeypatch):
    drain()
    rule("update", {"all": [leaf("tags", "added", ["x"])]}, name="soon", priority="high")
    rule("update", {"all": [leaf("status", "changed_to", "pending")]}, name="later", priority="low")
    monkeypatch.setattr(line, "BATCH", 1)
    changes.change(ticket, {"tags": ["x"], "status": "pending"}, by=ana)
    line.run_once()  # the first of its events alone
    meet_rules()
    assert [run.version.name for run in RuleRun.objects.all()] == ["soon"]
    drain()  # the other one comes: the same change meets the rules again, and what fired for it does not fire twice
    assert [run.version.name for run in RuleRun.objects.order_by("id")] == ["soon", "later"]
    met = RuleMeeting.objects.get(began=None)
    assert met.state == "done" and set(met.happened) == {"ticket.updated", "ticket.status_changed"}


def test_spam_meets_no_rule_until_it_is_none(rule, ben, support, ana, drain):
    rule("create", {"all": []}, add_tags=["met"])
    spam = intake.open_ticket(ben, "Win", intake.Words("Win", spam="X-Spam-Flag: YES"), channel="mail")
    drain()
    assert not RuleMeeting.objects.exists()
    changes.change(spam, {"status": "open"}, by=ana)
    drain()
    spam.refresh_from_db()
    assert spam.tags == ["met"]
