"""The API: the same verbs as the pages, within the reach of a token."""

from datetime import timedelta
from itertools import product

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from drf_spectacular.generators import SchemaGenerator

from helpdesk.accounts.models import ApiToken, Team, User
from helpdesk.customers.models import Customer, Event, FieldDefinition
from helpdesk.knowledge.models import Topic
from helpdesk.lib import dates
from helpdesk.mail.models import Outgoing
from tickets import escalation, intake, priority
from tickets.models import Clock, EscalationPath, EscalationStep, Policy, Ticket
from tickets.models.clocks import NO_HOURS

pytestmark = pytest.mark.django_db
URL = "/api/v1/tickets"
ALL = ["tickets:read", "tickets:write"]
NEW = {
    "requester": {"email": "ben@carter.example", "name": "Ben Carter"},
    "subject": "Locked out",
    "text": "The code <b>never</b> arrives.",
}


@pytest.fixture
def call(client, support):
    def make(scopes=ALL, **fields):
        _token, text = ApiToken.objects.issue("shop", scopes, **fields)

        def send(method, path="", data=None, key=""):
            headers = {"Authorization": f"Bearer {text}"} | ({"Idempotency-Key": key} if key else {})
            return getattr(client, method)(URL + path, data, content_type="application/json", headers=headers)

        return send

    return make


def test_what_opening_a_ticket_costs(call):
    send = call()
    send("post", data=NEW)  # from here on the token was used a moment ago
    with CaptureQueriesContext(connection) as asked:
        answer = send("post", data=NEW | {"requester": {"email": "new@somebody.example"}}, key="k1")
    ticket = Ticket.objects.latest("id")
    assert answer.json() == send("get", f"/{ticket.number}").json()  # what was answered is what was written
    statements = [each["sql"] for each in asked if "SAVEPOINT" not in each["sql"]]
    assert len(statements) <= 11, "\n".join(statements)


def test_a_ticket_opens_once_for_one_key(call):
    send = call()
    first, second = send("post", data=NEW, key="k1"), send("post", data=NEW, key="k1")
    assert first.status_code == second.status_code == 201 and first.json() == second.json()
    ticket = Ticket.objects.get()
    assert first.json()["number"] == ticket.number and first.json()["email"] == "ben@carter.example"
    assert ticket.channel == "api" and "<b>" not in ticket.messages.get().html
    assert Event.objects.get(kind="ticket.opened").actor.startswith("token:")
    assert send("post", data=NEW | {"subject": "Other"}, key="k1").status_code == 422
    assert send("post", data=NEW).status_code == 201 and Ticket.objects.count() == 2


def test_everything_about_a_ticket_can_be_said(call, ben):
    Topic.objects.create(slug="billing", name="Billing")
    said = call()(
        "post", data=NEW | {"requester": {"external_id": "ben"}, "topic": "billing", "priority": "high", "tags": ["vat"]}
    ).json()
    assert (said["requester"]["id"], said["topic"], said["priority"], said["tags"]) == (ben.pk, "billing", "high", ["vat"])


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"requester": {}}, "requester"),
        ({"requester": {"id": 1, "email": "a@b.example"}}, "requester"),
        ({"requester": {"email": "nobody"}}, "requester"),
        ({"requester": {"id": 999}}, "requester"),
        ({"subject": ""}, "subject"),
        ({"text": "x" * 50_001}, "text"),
        ({"text": "\ud800"}, "text"),
        ({"text": "\0"}, "text"),
        ({"topic": "none"}, "topic"),
        ({"status": "solved"}, "status"),
        ({"number": 1}, "number"),
        ({"requester__is_staff": True}, "requester__is_staff"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(call, wrong, field):
    answer = call()("post", data=NEW | wrong)
    assert answer.status_code == 400 and field in answer.json() and not Ticket.objects.exists()


def test_the_list_pages_by_number_and_knows_its_parameters(call, ben, support):
    for n in range(5):
        intake.open_ticket(ben, f"Ticket {n}", intake.Words("words"), channel="api", mailbox=support)
    send = call()
    first = send("get", "?limit=3").json()
    second = send("get", first["next"].partition(URL)[2]).json()
    assert [t["subject"][-1] for t in first["results"] + second["results"]] == list("43210") and second["next"] is None
    assert len(send("get", "?q=ticket&status=new").json()["results"]) == 5
    assert send("get", f"?requester={ben.pk + 1}").json()["results"] == []
    for query in ("?ordering=requester__user__password", "?limit=x", "?status=gone", "?before=-1", "?limit=9999"):
        assert send("get", query).status_code == 400, query


def test_a_list_tells_as_much_as_one_ticket_and_costs_the_same_however_many_there_are(call, ben, support, mia):
    billing, path = Topic.objects.create(slug="billing", name="Billing"), EscalationPath.objects.create(name="Loss")
    EscalationStep.objects.create(path=path, position=0, user=mia)
    Policy.objects.create(name="All", position=1, targets={"normal": {"hours": "calendar", "resolution": 60}})
    send = call()
    send("get")  # from here on the token was used a moment ago
    costs = []
    for _ in range(2):
        tickets = [
            intake.open_ticket(ben, "Charged twice", intake.Words("?"), channel="api", mailbox=support, topic=billing)
            for _ in range(2)
        ]
        with CaptureQueriesContext(connection) as asked:
            found = send("get").json()["results"]
        costs.append(len(asked))
    assert costs[0] == costs[1] <= 4
    last = tickets[-1]
    assert [each["repeat"] for each in found] == [True, True, True, False]
    assert (found[0]["escalated_at"], found[0]["escalated_to"], found[0]["priority_reasons"]) == (None, "", [])
    reasons = [{"code": "contacts", "weight": 1, "contacts": 4}, {"code": "valued", "weight": 1, "of": "customer"}]
    last.prioritise("high", by=priority.MACHINE, reasons=reasons)
    escalation.escalate(last, path, "Nobody knows", by=mia)
    said = send("get", f"/{last.number}").json()
    assert said == send("get").json()["results"][0] and said["priority_reasons"] == reasons
    assert (said["repeat"], said["escalated_to"], said["escalation_reason"]) == (True, "Mia Sandoval", "Nobody knows")


def test_what_a_ticket_has_may_be_sent_back_where_nobody_can_choose_it_any_more(call, ticket, ana):
    team, topic = Team.objects.create(slug="old", name="Old"), Topic.objects.create(slug="fax", name="Fax")
    other = Team.objects.create(slug="older", name="Older")
    shelf = FieldDefinition.objects.create(subject="ticket", key="shelf", label="Shelf", type="text")
    Ticket.objects.filter(pk=ticket.pk).update(team=team, topic=topic, assignee=ana, attributes={"shelf": "B"})
    for each in (team, other, shelf):
        each.put_away()
    topic.archive(by=ana)
    User.objects.filter(pk=ana.pk).update(is_active=False)
    send, own = call(), {"team": "old", "topic": "fax", "assignee": ana.email, "attributes": {"shelf": "B"}}
    said = send("patch", f"/{ticket.number}", own | {"priority": "high"})
    assert said.status_code == 200 and said.json().items() >= (own | {"priority": "high"}).items()
    assert "team" in send("patch", f"/{ticket.number}", {"team": "older"}).json()
    Ticket.objects.filter(pk=ticket.pk).update(team=None, topic=None, assignee=None, attributes={})
    for name, value in own.items():
        answer = send("patch", f"/{ticket.number}", {name: value})
        assert answer.status_code == 400 and name in answer.json()


def test_change_is_idempotent_and_takes_what_is_named(call, ticket, ana):
    send = call()
    for _ in range(2):
        said = send("patch", f"/{ticket.number}", {"status": "hold", "assignee": "ana@nordwind.example", "priority": "urgent"})
        assert said.status_code == 200 and (said.json()["status"], said.json()["assignee"]) == ("hold", "ana@nordwind.example")
    assert (
        Event.objects.filter(kind__in=["ticket.assigned", "ticket.updated", "ticket.status_changed"]).count() == 4
    )  # given to somebody it is open, then on hold
    for field in ("number", "requester", "campaign_id", "is_staff", "assignee__email"):
        assert send("patch", f"/{ticket.number}", {field: 1}).status_code == 400
    ticket.refresh_from_db()
    ticket.close(by=ana)
    assert send("patch", f"/{ticket.number}", {"priority": "low"}).status_code == 409


def test_replies_leave_and_notes_do_not(call, ticket, drain, sink):
    send = call()
    assert send("post", f"/{ticket.number}/messages", {"kind": "note", "text": "Looked up"}).status_code == 201
    said = send("post", f"/{ticket.number}/messages", {"kind": "reply", "text": "Try again", "status": "solved"}, "r1")
    again = send("post", f"/{ticket.number}/messages", {"kind": "reply", "text": "Try again", "status": "solved"}, "r1")
    assert said.status_code == 201 and said.json()["author"] == "shop" and again.json() == said.json()
    drain()
    assert [mail.recipients for mail in sink] == [["ben@carter.example"]] and Outgoing.objects.count() == 1
    kinds = [m["kind"] for m in send("get", f"/{ticket.number}/messages").json()["results"]]
    assert kinds == ["reply", "note", "customer"]


def test_a_reply_that_missed_something_is_a_409_with_it(call, ticket, ben):
    seen = ticket.last_message_id
    intake.hear(ticket, ben, intake.Words("Works now"))
    answer = call()("post", f"/{ticket.number}/messages", {"kind": "reply", "text": "Try", "seen": seen})
    assert answer.status_code == 409 and answer.json()["messages"][0]["text"] == "Works now" and not Outgoing.objects.exists()


@pytest.mark.parametrize(
    "wrong", [{"kind": "customer"}, {"text": ""}, {"cc": ["nobody"]}, {"from": "ceo@nordwind.example"}, {"once": "x"}]
)
def test_a_wrong_message_is_a_400(call, ticket, wrong):
    data = {"kind": "reply", "text": "Try"} | wrong
    assert call()("post", f"/{ticket.number}/messages", data).status_code == 400 and ticket.messages.count() == 1


def test_a_teams_token_sees_its_team_and_gives_nothing_away(call, ticket):
    billing = Team.objects.create(slug="billing", name="Billing")
    theirs, ours = call(team=billing), call(team=ticket.team)
    assert theirs("get").json()["results"] == [] and len(ours("get").json()["results"]) == 1
    for method, path, data in (
        ("get", "", None),
        ("patch", "", {"status": "solved"}),
        ("get", "/messages", None),
        ("post", "/messages", {"kind": "note", "text": "x"}),
    ):
        assert theirs(method, f"/{ticket.number}{path}", data).status_code == 404
    assert ours("patch", f"/{ticket.number}", {"team": "billing"}).status_code == 400
    made = theirs("post", data=NEW).json()
    assert made["team"] == "billing" and len(ours("get").json()["results"]) == 1


def test_doors(call, client, ticket):
    at = f"{URL}/{ticket.number}"
    assert [client.get(path).status_code for path in (URL, at, at + "/messages")] == [401] * 3
    reading = call(["tickets:read"])
    assert reading("get").status_code == 200 and reading("post", data=NEW).status_code == 403
    assert reading("patch", f"/{ticket.number}", {"status": "solved"}).status_code == 403
    assert call(["customers:read", "customers:write"])("get").status_code == 403
    assert call()("delete", f"/{ticket.number}").status_code == 405 and call()("put", f"/{ticket.number}").status_code == 405
    assert call(expires_at=dates.now() - timedelta(seconds=1))("get").status_code == 401


def test_a_customers_text_is_not_markup_whoever_sends_it(call):
    call()("post", data=NEW | {"text": "<img src=x onerror=alert(1)> [x](javascript:alert(1))"})
    html = Ticket.objects.get().messages.get().html
    assert "<img" not in html and "href" not in html and Customer.objects.count() == 1


def test_the_schema_knows_every_state_of_a_clock(db):
    at = dates.now()
    times, idle = [None, at - timedelta(hours=2), at + timedelta(hours=2)], ["", "pending", NO_HOURS]
    states = {Clock(due_at=due, ended_at=end, idle=still).state for due, end, still in product(times, [None, at], idle)}
    schemas = SchemaGenerator().get_schema(request=None, public=True)["components"]["schemas"]
    named = schemas["ClockOut"]["properties"]["state"]["$ref"].rpartition("/")[2]
    assert set(schemas[named]["enum"]) == states == {"running", "late", "paused", "stuck", "met", "missed"}
