"""What costs the same in a desk of any size: the plan of a deep page, and how much a search may find."""

import json
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from helpdesk.accounts.models import Team, User
from helpdesk.customers import identity, timeline
from helpdesk.customers.models import FieldDefinition
from helpdesk.lib import dates
from tickets import intake, listing, queues, search
from tickets.models import Message, SavedView, Ticket

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def made(django_db_setup, django_db_blocker):
    """Once a module, in one transaction that is never committed; what a test does is a savepoint in it."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield _many()
        transaction.set_rollback(True)


@pytest.fixture
def many(made, db):
    """4,000 tickets of Bo's, the newest 3,000 live, and what PostgreSQL knows about them. Sia reads them, half are hers."""
    return made


def _many():
    sia = User.objects.create_user("sia@size.example", None, name="Sia", role="agent")
    bo, team = identity.customer_for_address("bo@size.example", name="Bo"), Team.objects.create(slug="size", name="Size")
    at = dates.now()
    tickets = Ticket.objects.bulk_create(
        Ticket(
            subject=f"Subject {n}, a customer",
            requester=bo,
            channel="mail",
            team=team,
            assignee=sia if n % 2 else None,
            status=("open" if n % 3 else "new") if n >= 1_000 else "solved",
            opened_at=at - timedelta(minutes=4_000 - n),
            last_message_at=at - timedelta(minutes=4_000 - n),
            waiting_since=at - timedelta(minutes=4_000 - n) if n >= 1_000 else None,
            solved_at=None if n >= 1_000 else at - timedelta(minutes=4_000 - n),
        )
        for n in range(4_000)
    )
    Message.objects.bulk_create(Message(ticket=each, kind="customer", customer=bo, text="I am a customer") for each in tickets)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return sia


def nodes(plan):
    yield plan
    for each in plan.get("Plans", ()):
        yield from nodes(each)


@pytest.mark.parametrize(
    ("slug", "index"),
    [("waiting", "ticket_waiting"), ("open", "ticket_live"), ("mine", "ticket_of_person"), ("solved", "ticket_solved")],
)
def test_a_deep_page_starts_where_the_last_one_ended(many, slug, index):
    """The cursor is a condition of the index, and nothing is read and then thrown away."""
    view = queues.VIEWS[slug]
    rows = list(listing.ordered(listing.rows_of(many, view), view))
    assert len(rows) > 60
    deep = rows[-20]
    page = listing.ordered(listing.rows_of(many, view), view, listing.cursor(deep, view))
    assert list(page) == rows[-19:]
    sql, params = page.all()[:41].query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params)
        [plan] = cursor.fetchone()[0]
    [scan] = [node for node in nodes(plan["Plan"]) if "Scan" in node["Node Type"]]
    assert scan["Node Type"] == "Index Scan" and scan["Index Name"] == index
    assert f"ROW({view.column}, id)" in scan["Index Cond"] and "Filter" not in scan
    assert scan["Shared Hit Blocks"] + scan["Shared Read Blocks"] <= 60, scan


def test_every_order_of_a_view_that_people_set_up_has_its_index(many):
    """Of those over all tickets the index is the one that leaves out spam alone."""
    ours = {
        "-activity": "ticket_live",
        "activity": "ticket_live",
        "-opened": "ticket_live_opened",
        "opened": "ticket_live_opened",
        "waiting": "ticket_live_waiting",
        "due": "ticket_live_due",
        "urgency": "ticket_live_urgency",
    }
    cases = [("live", order, index) for order, index in ours.items()]
    cases += [("all", order, "ticket_any") for order in listing.ANYWHERE]
    for covers, order, index in cases:
        view = queues.of_saved(SavedView(name="x", order=order, covers=covers, conditions={}))
        rows = list(listing.ordered(listing.rows_of(many, view), view))
        deep = rows[-20]
        page = listing.ordered(listing.rows_of(many, view), view, listing.cursor(deep, view))
        assert list(page) == rows[-19:], order
        sql, params = page.all()[:41].query.sql_with_params()
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params)
            [plan] = cursor.fetchone()[0]
        [scan] = [node for node in nodes(plan["Plan"]) if "Scan" in node["Node Type"]]
        assert scan["Node Type"] == "Index Scan" and scan["Index Name"] == index, (order, scan)
        assert "ROW(" in scan["Index Cond"] and "Filter" not in scan, (order, scan)


@pytest.mark.parametrize(
    ("line", "index"), [("is:breached", "ticket_breached"), ("due:<2h", "ticket_due"), ("tag:vip", "ticket_tags")]
)
def test_what_few_tickets_are_is_found_without_reading_the_others(many, line, index):
    few = [each.pk for each in Ticket.objects.order_by("pk")[1_000:4_000:100]]
    at = dates.now()
    Ticket.objects.filter(pk__in=few).update(breached_at=at, due_at=at + timedelta(hours=1), tags=["vip"])
    rows = search.find(many, line)
    sql, params = rows.order_by("-last_message_at", "-id")[:50].query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE tickets_ticket")
        cursor.execute("SET LOCAL enable_seqscan = off")  # so few rows are as quickly read whole
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
        [plan] = cursor.fetchone()[0]
    scans = [node for node in nodes(plan["Plan"]) if "Scan" in node["Node Type"]]
    assert index in [node.get("Index Name") for node in scans], scans
    assert not [node for node in scans if node["Node Type"] == "Seq Scan"], scans
    assert len(rows) == len(few)


def test_a_word_of_every_message_finds_the_newest_and_no_more(many, monkeypatch):
    monkeypatch.setattr(search, "NEWEST", 30)
    found = search.search(many, "customer").order_by("-pk")
    assert list(found) == list(Ticket.objects.order_by("-pk")[:30])
    assert list(search.search(many, "bo@size").order_by("-pk")) == list(found)


def test_what_others_may_see_takes_no_room_in_a_search(many, monkeypatch, noor):
    """The newest within her reach: the newest of all are another team's."""
    monkeypatch.setattr(search, "NEWEST", 5)
    old = Ticket.objects.order_by("pk")[500]
    Ticket.objects.filter(pk=old.pk).update(team=noor.teams.get())
    for words in ("customer", "I am", "bo@size"):
        assert [each.pk for each in search.search(noor, words)] == [old.pk], words


def test_many_requests_for_tickets_look_up_as_much_as_one(ben, support):
    def queries(count):
        people = [identity.customer_for_address(f"p{n}@many.example") for n in range(count)]
        events = [timeline.record("ticket.requested", customer=each.pk, subject="Call") for each in people]
        with CaptureQueriesContext(connection) as asked:
            intake.on_ticket_requested(events)
        assert Ticket.objects.filter(requester__in=people, address__customer__in=people).count() == count
        with CaptureQueriesContext(connection) as again:
            intake.on_ticket_requested(events)
        Ticket.objects.filter(requester__in=people).delete()
        reads = [q["sql"] for q in asked if q["sql"].startswith("SELECT")]
        return [len(reads), len(again)]

    one, two, nine = queries(1), queries(2), queries(9)
    each = two[0] - one[0]
    assert nine[0] - one[0] == 8 * each and each <= 1, "only the look that makes it idempotent"
    assert nine[1] == one[1] <= 6


def test_two_hundred_custom_fields_cost_what_none_cost(many, browser):
    """A page of a view that asks for one of them, with all on every ticket: as many queries, and found by an index."""
    asked = {"field": "attribute.f0", "op": "is", "value": "rare"}

    def seen():
        with CaptureQueriesContext(connection) as queries:
            page = browser(many).get(f"/inbox/{view.slug}/")
        return len(queries), len(page.context["page"].rows)

    FieldDefinition.objects.create(subject="ticket", key="f0", label="F0", type="choice", choices=["rare", "usual"])
    view = SavedView.objects.create(name="x", conditions=asked, covers="all", columns=["attribute.f0"])
    Ticket.objects.filter(pk=Ticket.objects.earliest("pk").pk).update(attributes={"f0": "rare"})
    before = seen()[0]
    SavedView.objects.bulk_create(SavedView(name=f"View {n}", conditions=asked) for n in range(20))
    FieldDefinition.objects.bulk_create(
        FieldDefinition(subject="ticket", key=f"f{n}", label=f"F{n}", type="choice", choices=["rare", "usual"])
        for n in range(1, 200)
    )
    Ticket.objects.update(attributes={f"f{n}": "usual" for n in range(200)})
    some = list(Ticket.objects.order_by("pk").values_list("pk", flat=True)[2_000:2_007])
    Ticket.objects.filter(pk__in=some).update(attributes={f"f{n}": "rare" for n in range(200)})
    with connection.cursor() as cursor:
        cursor.execute("SELECT gin_clean_pending_list('ticket_attributes')")  # as autovacuum does
        cursor.execute("ANALYZE tickets_ticket")
    assert seen() == (before, 7)
    rows = listing.rows_of(many, queues.of_saved(view))
    [plan] = json.loads(rows.order_by().explain(format="json"))
    indexes = {node["Index Name"] for node in nodes(plan["Plan"]) if "Index Name" in node}
    assert indexes == {"ticket_attributes"}, plan
    assert set(rows.values_list("pk", flat=True)) == set(some)
