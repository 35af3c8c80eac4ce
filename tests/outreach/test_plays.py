"""A rule of tickets starts a campaign for whoever wrote: once a ticket, with all that a campaign asks of anybody."""

import json

import pytest
from django.db import connection

from helpdesk.customers.models import Event
from outreach import campaigns
from outreach.models import Enrolment
from tickets import changes, intake
from tickets.models import Rule, RuleRun

pytestmark = pytest.mark.django_db

SEND = {"do": "send", "subject": "For you", "too_late": None, "fallbacks": {}, "body": "We look after it."}
LATE = {"all": [{"field": "priority", "op": "changed_to", "value": "urgent"}]}


@pytest.fixture
def lead(browser, mia):
    return browser(mia)


@pytest.fixture
def play(campaign):
    """``play("Recovery", …)``: a running campaign that holds for no ticket."""

    def make(name, **fields):
        usual = {
            "trigger_kind": "play.requested",
            "entry_key": "",
            "exit_kind": "",
            "steps": [SEND | {"subject": f"{name} for you"}],
        }
        usual |= {"quiet_from": None, "quiet_until": None}  # so that it goes at any hour
        made = campaign(name, **usual | fields).campaign
        made.holds = {}
        made.save()
        return made

    return make


@pytest.fixture
def ticket(ben, support):
    return wrote(ben, support)


def write(lead, play, **said):
    page = {"action": "save", "name": "Make good", "play": play.pk, "source": json.dumps(LATE)} | said
    assert lead.post("/rules/new/?list=update", page).status_code == 302
    rule = Rule.objects.get()
    lead.post(f"/rules/{rule.pk}/switch/", {"on": "1"})
    return rule


def wrote(who, support):
    return intake.open_ticket(who, "It broke", intake.Words("Again."), channel="form", team=support.team)


def urge(ticket, by, drain):
    """Twice urgent: what a rule starts, it starts once a ticket."""
    for priority in ("urgent", "low", "urgent"):
        changes.change(ticket, {"priority": priority}, by=by)
        drain()


def test_a_rule_starts_a_campaign_once_a_ticket(lead, browser, play, campaign, ticket, ana, support, ben, drain, sink):
    drain()
    recovery, other = play("Recovery"), play("Other")
    campaign("Parcel tips")
    offered = lead.get("/rules/new/?list=update").content.decode()
    assert "Recovery" in offered and "Other" in offered
    assert "Parcel tips" not in offered  # its texts say which parcel
    write(lead, recovery)
    urge(ticket, ana, drain)
    second = wrote(ben, support)
    drain()
    urge(second, ana, drain)
    assert sorted(e.entry_key for e in recovery.enrolments.all()) == [f"ticket #{ticket.number}", f"ticket #{second.number}"]
    assert not other.enrolments.exists()  # nobody asked for it
    assert len([letter for letter in sink.to("ben@carter.example") if letter.message["subject"] == "Recovery for you"]) == 2
    shown = browser(ana).get(f"/tickets/{ticket.number}/").content.decode()
    assert "Rule “Make good” asked for “Recovery” for them" in shown
    told = browser(ana).get(f"/customers/{ben.pk}/").content.decode()
    assert "because a rule started it" in told


def test_whoever_the_campaign_does_not_mean_or_who_said_no_is_left_alone(lead, play, support, ana, ben, cleo, drain, sink):
    nobody = {"field": "name", "op": "is", "value": "Somebody else"}
    rule = write(lead, play("Segment", conditions=nobody))
    theirs = [wrote(who, support) for who in (ben, cleo)]
    drain()
    for each in theirs:
        urge(each, ana, drain)
    lead.post(f"/rules/{rule.pk}/", {"action": "save", "name": rule.name, "play": play("Consent").pk, "source": json.dumps(LATE)})
    for each in theirs:
        urge(each, ana, drain)
    assert Event.objects.filter(kind="play.requested").count() == 6
    assert {e.campaign.name for e in Enrolment.objects.all()} == {"Consent"}
    assert [letter.message["subject"] for letter in sink.to("ben@carter.example") if "for you" in letter.message["subject"]] == [
        "Consent for you"
    ]
    assert not any("for you" in letter.message["subject"] for letter in sink.to("cleo@marchetti.example"))


def test_what_ends_the_campaign_ends_what_a_rule_started(lead, play, ticket, happens, ana, ben, drain):
    drain()
    write(lead, play("Recovery", exit_kind="all_well", steps=[{"do": "wait", "seconds": 86400}, SEND]))
    urge(ticket, ana, drain)
    assert Enrolment.objects.get().state == "active"
    happens("all_well", ben)
    drain()
    assert Enrolment.objects.get().state == "left"


def test_a_rule_says_what_it_could_not_start(lead, play, ticket, ana, mia, drain):
    drain()
    recovery = play("Recovery")
    rule = write(lead, recovery)
    campaigns.pause(recovery, by=mia)
    assert "Recovery" in lead.get(f"/rules/{rule.pk}/").content.decode()  # what it names stays chosen
    urge(ticket, ana, drain)
    assert {run.results[0]["error"] for run in RuleRun.objects.all()} == {
        "“Recovery” does not run, or needs an event of its own."
    }
    assert not Enrolment.objects.exists()


def test_it_is_taken_along_as_json_by_name(lead, play):
    rule = write(lead, play("Recovery"))
    text = lead.get("/rules/export/").content.decode()
    assert json.loads(text)["rules"][0]["actions"] == {"play": "Recovery"}
    lead.post(f"/rules/{rule.pk}/remove/")
    assert lead.post("/rules/import/", {"source": text}).status_code == 302
    assert Rule.objects.get(removed_at=None).version.actions == rule.version.actions


def test_its_texts_say_nothing_of_the_ticket_in_place_of_what_they_mean(lead, play, ticket, ana, drain, sink):
    drain()
    body = {"body": 'About {{ event.number | default: "your order" }}.'}
    write(lead, play("Recovery", trigger_kind="order_shipped", steps=[SEND | body]))
    urge(ticket, ana, drain)
    assert any("About your order." in letter.text for letter in sink.to("ben@carter.example"))


def test_one_play_that_cannot_be_asked_stops_no_other(lead, play, ticket, ana, drain):
    drain()
    write(lead, play("Recovery"))
    broken = play("Broken").live
    with connection.cursor() as cursor:  # a launched version never changes, but the fields it asks about go
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE outreach_version SET conditions = %s WHERE id = %s", ['{"field": "gone"}', broken.pk])
        cursor.execute("SET LOCAL session_replication_role = origin")
    urge(ticket, ana, drain)
    assert [each.campaign.name for each in Enrolment.objects.all()] == ["Recovery"]


def test_what_somebody_unknown_wrote_starts_nothing(lead, play, ticket, ana, drain):
    drain()
    write(lead, play("Recovery"))
    ticket.messages.update(stranger=True)
    urge(ticket, ana, drain)
    assert "starts nothing" in RuleRun.objects.first().results[0]["error"] and not Enrolment.objects.exists()


def test_a_campaign_for_rules_has_no_key_and_a_play_ends_nothing(campaign):
    for wrong in ({"entry_key": "number"}, {"exit_kind": "play.requested"}):
        with pytest.raises(campaigns.NotReady, match="once a ticket"):
            campaign("Recovery", **{"trigger_kind": "play.requested", "entry_key": "", "exit_kind": ""} | wrong)
