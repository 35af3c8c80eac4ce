"""Escalation: by a button and by a rule, always for a reason, from one step of a path to the next."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from helpdesk.accounts.models import Notification, Team
from helpdesk.customers.models import Event
from helpdesk.lib import dates
from helpdesk.mail.models import Webhook, WebhookDelivery
from helpdesk.mail.models.webhooks import new_secret
from tickets import escalation, intake, replies
from tickets.models import Escalation, EscalationPath, EscalationStep, Ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def night(db, omar):
    team = Team.objects.create(name="Night", slug="night")
    team.members.add(omar)
    return team


@pytest.fixture
def tool(db):
    from helpdesk.accounts.vault import seal

    return Webhook.objects.create(name="On-call", url="https://oncall.example/in", secret=seal(new_secret()))


@pytest.fixture
def path(mia, night, tool):
    """To Mia; after half an hour to the night team; after an hour to the on-call tool."""
    made = EscalationPath.objects.create(name="Outage")
    EscalationStep.objects.create(path=made, position=0, user=mia, minutes=30)
    EscalationStep.objects.create(path=made, position=1, team=night, minutes=60)
    EscalationStep.objects.create(path=made, position=2, webhook=tool)
    return made


def press(browser, who, ticket, path, reason="They lose data", seen=0):
    return browser(who).post(f"/tickets/{ticket.number}/escalate/", {"path": path.pk, "reason": reason, "seen": seen})


def test_the_button_takes_the_first_step_once_and_everybody_sees_why(browser, ana, mia, ticket, path, drain):
    assert "Outage" in browser(ana).get(f"/tickets/{ticket.number}/escalate/").content.decode()
    for _twice in range(2):
        assert press(browser, ana, ticket, path).status_code == 302
    ticket.refresh_from_db()
    assert (ticket.assignee, ticket.escalated_to, ticket.escalation_reason, ticket.escalations) == (
        mia, "Mia Sandoval", "They lose data", 1
    )  # fmt: skip
    [event] = Event.objects.filter(kind="ticket.escalated")
    assert (event.payload["to"], event.payload["reason"], event.actor) == ("Mia Sandoval", "They lose data", ana.ref)
    [told] = Notification.objects.all()
    assert told.user == mia and "They lose data" in told.words and told.url == f"/tickets/{ticket.number}/"
    page = browser(ana).get(f"/tickets/{ticket.number}/").content.decode()
    assert "Escalated to Mia Sandoval" in page and "Ana Kowalczyk escalated it to Mia Sandoval: They lose data" in page
    listed = browser(ana).get("/inbox/open/").content.decode()
    assert "Escalated to Mia Sandoval" in listed and "<b>They lose data</b>" in listed


def test_without_a_reason_nothing_goes_anywhere(browser, ana, ticket, path):
    answer = press(browser, ana, ticket, path, reason="  ")
    assert answer.status_code == 422 and "This field is required." in answer.content.decode()
    assert not Escalation.objects.exists()


def test_what_nobody_answers_goes_on_to_the_team_and_to_the_tool(ana, omar, mia, ticket, path, night, drain):
    escalation.escalate(ticket, path, "They lose data", by=ana)
    with dates.moved(by=timedelta(minutes=29)):
        drain()
        assert Escalation.objects.count() == 1
    with dates.moved(by=timedelta(minutes=31)):
        drain()
        drain()
        ticket.refresh_from_db()
        assert ticket.team == night and ticket.escalated_to == "Night"
        assert Notification.objects.filter(user=omar).exists()
    with dates.moved(by=timedelta(minutes=92)):
        drain()
        [delivery] = WebhookDelivery.objects.all()
        assert delivery.kind == "ticket.escalated" and '"reason":"Nobody answered: Nobody answered' not in delivery.body
    with dates.moved(by=timedelta(days=2)):
        drain()
    assert [row.to for row in Escalation.objects.order_by("number")] == ["Mia Sandoval", "Night", "On-call"]


@pytest.mark.parametrize("how", ["a reply", "solved"])
def test_an_answer_or_a_solution_ends_it(how, ana, ticket, path, drain):
    escalation.escalate(ticket, path, "They lose data", by=ana)
    if how == "solved":
        ticket.solve(by=ana)
    else:
        replies.reply(ticket, "We look into it.", by=ana)
    with dates.moved(by=timedelta(hours=3)):
        drain()
    assert Escalation.objects.count() == 1


def test_a_path_that_leads_to_nobody_says_so(browser, ana, mia, ticket, path, tool, night):
    mia.is_active = False
    mia.save()
    press(browser, ana, ticket, path)
    ticket.refresh_from_db()
    assert ticket.escalated_to == "Night"  # the step of somebody who left is passed over
    press(browser, ana, ticket, path, seen=1)
    page = press(browser, ana, ticket, path, seen=2)
    assert page.status_code == 422 and "“Outage” has no further step." in page.content.decode()


def test_both_ways_to_the_next_step_wait_for_the_ticket_first(ticket, path, ana):
    """Who held an escalation and waited for its ticket would meet somebody who holds the ticket and waits for that."""
    with CaptureQueriesContext(connection) as pressed:
        escalation.escalate(ticket, path, "They lose data", by=ana)
    with dates.moved(by=timedelta(minutes=31)), CaptureQueriesContext(connection) as went_on:
        assert escalation.go_on() == 1
    for asked in (pressed, went_on):
        holds = [query["sql"] for query in asked if "FOR UPDATE" in query["sql"] or query["sql"].startswith("UPDATE")]
        assert 'FROM "tickets_ticket"' in holds[0] and "FOR UPDATE" in holds[0]
    assert Escalation.objects.count() == 2


def test_one_that_cannot_go_on_stops_no_other(ticket, path, ana, ben, monkeypatch):
    """It is tried again five minutes later, and not at once for ever."""
    second = intake.open_ticket(ben, "Second", intake.Words("It broke."), channel="form")
    for each in (ticket, second):
        escalation.escalate(each, path, "They lose data", by=ana)
    take = escalation._take

    def fail(broken, *others):
        if broken.pk == ticket.pk:
            raise RuntimeError("no")
        return take(broken, *others)

    monkeypatch.setattr(escalation, "_take", fail)
    with dates.moved(by=timedelta(minutes=31)):
        assert escalation.go_on() == 2 and escalation.go_on() == 0
    assert [each.escalations for each in Ticket.objects.order_by("pk")] == [1, 2]
    monkeypatch.undo()
    with dates.moved(by=timedelta(minutes=37)):
        assert escalation.go_on() == 1
    assert [each.escalations for each in Ticket.objects.order_by("pk")] == [2, 2]


def test_after_a_solution_a_path_begins_anew(browser, ana, ticket, path):
    press(browser, ana, ticket, path)
    press(browser, ana, ticket, path, seen=1)
    ticket.refresh_from_db()
    ticket.solve(by=ana)
    ticket.reopen(by=ana)
    press(browser, ana, ticket, path, seen=2)
    assert list(Escalation.objects.order_by("number").values_list("step", flat=True)) == [0, 1, 0]


def test_a_path_that_is_switched_off_goes_no_further(ana, ticket, path):
    escalation.escalate(ticket, path, "They lose data", by=ana)
    EscalationPath.objects.filter(pk=path.pk).update(is_enabled=False)
    with dates.moved(by=timedelta(minutes=31)):
        assert escalation.go_on() == 1 and escalation.go_on() == 0
    assert Escalation.objects.count() == 1


def test_who_is_away_is_passed_over_while_somebody_else_is_left(ana, mia, ticket, path):
    mia.away_since = dates.now()
    mia.save()
    assert escalation.escalate(ticket, path, "They lose data", by=ana).to == "Night"
    path.steps.exclude(user=mia).delete()
    second = intake.open_ticket(ticket.requester, "Second", intake.Words("It broke."), channel="form")
    assert escalation.escalate(second, path, "They lose data", by=ana).to == "Mia Sandoval"
