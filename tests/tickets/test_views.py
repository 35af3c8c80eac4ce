"""Views that people set up: who sees them, what is in them and in which order, and what they cost."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import Q
from django.db.models.expressions import RawSQL
from django.test.utils import CaptureQueriesContext

from helpdesk.accounts.models import AuditEntry, Team
from helpdesk.customers import identity
from helpdesk.lib import dates
from tickets import intake, listing, queues
from tickets.models import Order, SavedView, Ticket

pytestmark = pytest.mark.django_db
URGENT = {"field": "priority", "op": "any_of", "value": ["urgent", "high"]}


@pytest.fixture
def several(ben, support):
    """Six tickets of every priority, the first two solved; the last waits longest."""
    at = dates.now() - timedelta(days=2)
    for n, priority in enumerate(("low", "normal", "high", "urgent", "normal", "high")):
        words = intake.Words(f"Words {n}", at=at - timedelta(hours=n))
        ticket = intake.open_ticket(ben, f"Subject {n}", words, channel="mail", mailbox=support, priority=priority)
        if n < 2:
            ticket.solve(by="")
    return list(Ticket.objects.order_by("pk"))


def numbers(page):
    return [row.subject[-1] for row in page.context["page"].rows]


def rail(page):
    """The views in a page's rail with their counts."""
    part = page.content.decode().partition('id="rail-views"')[2].partition("</ul>")[0]
    found = re.findall(r'title="([^"]+)">[^<]+</span>(?:<span class="count">([^<]+)</span>)?', part)
    return dict(found)


def save(client, address="/views/new/", **said):
    """Fill in the form of a view as one does, with one condition row at most."""
    where = said.pop("where", None)
    data = {"action": "save", "audience": "me", "covers": "live", "order": "-activity", "columns": ["status"]}
    if where:
        data |= {"c-join": "all", "c0-field": where[0], "c0-op": where[1], "c0-value": where[2]}
    return client.post(address, data | said)


def test_an_agent_writes_a_view_for_herself_alone(browser, ana, omar, several):
    answer = save(browser(ana), name=" My  urgent ones ", where=("priority", "any_of", ["urgent", "high"]))
    view = SavedView.objects.get()
    assert (view.name, view.owner, view.conditions) == ("My urgent ones", ana, {"all": [URGENT]})
    assert answer.url == f"/inbox/v{view.pk}/"
    page = browser(ana).get(answer.url)
    assert numbers(page) == ["2", "3", "5"] and page.context["count"] == "3" and rail(page)["My urgent ones"] == "3"
    assert browser(omar).get(answer.url).status_code == 404 and "My urgent ones" not in rail(browser(omar).get("/inbox/"))
    assert browser(omar).get(f"/views/{view.pk}/").status_code == 404
    ticket = Ticket.objects.get(subject="Subject 3")
    assert f'href="/inbox/v{view.pk}/"' in browser(ana).get(f"/tickets/{ticket.number}/?view=v{view.pk}").content.decode()
    assert f"/inbox/v{view.pk}/" not in browser(omar).get(f"/tickets/{ticket.number}/?view=v{view.pk}").content.decode()


def test_only_managers_share_and_a_team_sees_its_own(browser, ana, mia, noor, several):
    assert save(browser(ana), name="For all", audience="all").status_code == 422
    billing = Team.objects.get(slug="billing")
    save(browser(mia), name="For all", audience="all")
    save(browser(mia), name="Money", audience=str(billing.pk))
    assert not SavedView.objects.exclude(owner=None).exists()
    everybody, money = SavedView.objects.order_by("pk")
    assert [money.slug in queues.views_of(_request(who)) for who in (ana, mia, noor)] == [False, False, True]
    assert rail(browser(noor).get("/inbox/"))["For all"] == ""  # the view is hers, tickets of others are not
    assert rail(browser(ana).get("/inbox/"))["For all"] == "4"
    assert numbers(browser(noor).get(f"/inbox/{everybody.slug}/")) == []
    assert browser(ana).get(f"/views/{everybody.pk}/").status_code == 404
    listed = browser(mia).get("/views/").content.decode()
    assert "Money" in listed and f"/views/{money.pk}/" in listed


def _request(user):
    class Request:
        pass

    request = Request()
    request.user = user
    return request


ORDERS = {
    "-activity": "2345",
    "activity": "5432",
    "-opened": "2345",
    "opened": "5432",
    "waiting": "5324",
    "due": "5324",
    "urgency": "3254",
}


def test_each_order_page_by_page(ana, several):
    """The fourth waits on nobody, so it comes last where the longest waiting come first; two were promised something."""
    Ticket.objects.filter(subject="Subject 4").update(status="pending", waiting_since=None)
    for n, minutes in ((3, 90), (5, 30)):
        Ticket.objects.filter(subject=f"Subject {n}").update(due_at=dates.now() + timedelta(minutes=minutes))
    for order, expected in ORDERS.items():
        view = queues.of_saved(SavedView(name="x", order=order, conditions={}))
        rows, found, after = listing.rows_of(ana, view), "", ""
        while len(found) < 9:
            page = listing.page(rows, view, ana, after, size=1)
            found += page.rows[0].subject[-1]
            after = page.after
            if not after:
                break
        assert found == expected, order
    assert set(ORDERS) == set(Order.values) == set(queues.SORTED)


def test_a_page_address_that_is_none_is_404(browser, ana):
    ana_s = browser(ana)
    for order in ("urgency", "waiting", "due"):
        view = SavedView.objects.create(name=order, order=order, owner=ana)
        for after in ("x", "1", "5_1", "2026-13-01T00:00:00Z_1", "2026-01-01_1", "1_%00", "1_99999999999999999999"):
            assert ana_s.get(f"/inbox/{view.slug}/?after={after}").status_code == 404, (order, after)


def test_a_view_covers_open_tickets_unless_it_says_otherwise(browser, ana, several):
    ana_s = browser(ana)
    solved = {"name": "Solved ones", "where": ("status", "is", "solved")}
    answer = save(ana_s, **solved)
    assert answer.status_code == 422 and "hold solved and closed tickets too" in answer.content.decode()
    answer = save(ana_s, covers="all", order="urgency", **solved)
    assert answer.status_code == 422 and "their last message only" in answer.content.decode()
    answer = save(ana_s, covers="all", **solved)
    page = ana_s.get(answer.url)
    assert numbers(page) == ["0", "1"] and page.context["count"] == "" and rail(page)["Solved ones"] == ""
    Ticket.objects.filter(subject="Subject 0").update(status="spam")
    assert numbers(ana_s.get(answer.url)) == ["1"]


def test_all_counts_come_from_one_pass_however_many_views_there_are(browser, ana, several):
    def asked():
        with CaptureQueriesContext(connection) as found:
            browser(ana).get("/inbox/")
        return [q["sql"] for q in found]

    before = asked()
    SavedView.objects.bulk_create(SavedView(name=f"View {n}", conditions={"all": [URGENT]}) for n in range(30))
    after = asked()
    assert len(after) == len(before)
    [counting] = [sql for sql in after if "COUNT(" in sql]
    assert counting.count("FILTER (WHERE") == 36
    assert rail(browser(ana).get("/inbox/"))["View 29"] == "3"


def test_more_than_99_are_99_plus(browser, ana, ben, support):
    Ticket.objects.bulk_create(Ticket(subject="x", requester=ben, channel="mail", status="open") for _ in range(120))
    SavedView.objects.create(name="Many")
    assert rail(browser(ana).get("/inbox/"))["Many"] == "99+"


def test_a_view_of_what_is_gone_says_so_and_costs_the_others_nothing(browser, ana, mia, several):
    view = SavedView.objects.create(name="Old", conditions={"field": "attribute.gone", "op": "is_set"})
    SavedView.objects.create(name="Urgent", conditions=URGENT)
    page = browser(ana).get(f"/inbox/{view.slug}/")
    text = page.content.decode()
    assert page.status_code == 200 and "There is no field “attribute.gone” here." in text and "Edit the view" not in text
    assert rail(page)["Urgent"] == "3" and rail(page)["Old"] == ""
    assert "Edit the view" in browser(mia).get(f"/inbox/{view.slug}/").content.decode()
    for address in ("/views/", f"/views/{view.pk}/"):
        assert "There is no field “attribute.gone” here." in browser(mia).get(address).content.decode(), address
    answer = save(browser(mia), f"/views/{view.pk}/", name="Old", audience="all", source='{"field": "nope__x", "op": "is"}')
    assert answer.status_code == 422 and "There is no field “nope__x” here." in answer.content.decode()


def test_what_an_editor_says_of_it_before_it_is_saved(browser, ana, several):
    data = {"c-join": "all", "c0-field": "priority", "c0-op": "is", "c0-value": "high", "covers": "live", "action": "count"}
    part = browser(ana).post("/views/new/", data, headers={"HX-Request": "true", "HX-Target": "meant"}).content.decode()
    assert "2 tickets now" in part and "priority is High" in part and "Subject 2" in part and "<html" not in part
    page = browser(ana).post("/views/new/", data | {"action": "to-json", "name": "Kept words"}).content.decode()
    assert "Kept words" in page and "&quot;priority&quot;" in page and not SavedView.objects.exists()


def test_hidden_in_ones_own_rail_and_open_by_its_address(browser, ana, omar, several):
    SavedView.objects.create(name="Shared")
    ana_s = browser(ana)
    for slug in ("solved", SavedView.objects.get().slug):
        for _ in range(2):
            assert ana_s.post(f"/views/rail/{slug}/", {"show": "0"}).status_code == 302
    there = rail(ana_s.get("/inbox/"))
    assert "Solved" not in there and "Shared" not in there and "Waiting on us" in there
    assert "Solved" in rail(browser(omar).get("/inbox/")) and ana_s.get("/inbox/solved/").status_code == 200
    ana_s.post("/views/rail/solved/", {"show": "1"})
    assert "Solved" in rail(ana_s.get("/inbox/"))
    assert ana_s.post("/views/rail/nothing/", {"show": "0"}).status_code == 404


def test_removed_with_the_way_back_and_written_down(browser, mia, ana):
    save(browser(mia), name="First", audience="all")
    view = SavedView.objects.get()
    save(browser(mia), f"/views/{view.pk}/", name="Renamed", audience="all")
    assert browser(ana).post(f"/views/{view.pk}/remove/").status_code == 404
    for _ in range(2):
        browser(mia).post(f"/views/{view.pk}/remove/")
    assert (
        browser(mia).get(f"/inbox/{view.slug}/").status_code == 404 and browser(mia).get(f"/views/{view.pk}/").status_code == 404
    )
    for _ in range(2):
        browser(mia).post(f"/views/{view.pk}/restore/")
    assert browser(ana).get(f"/inbox/{view.slug}/").status_code == 200
    told = [(each.action, each.before and each.before["name"]) for each in AuditEntry.objects.order_by("pk")]
    assert told == [("view.added", None), ("view.changed", "First"), ("view.removed", "Renamed"), ("view.restored", None)]
    browser(mia).post(f"/views/{view.pk}/remove/")
    save(browser(mia), name="Renamed", audience="all")
    page = browser(mia).post(f"/views/{view.pk}/restore/", follow=True).content.decode()
    assert "Another view is called “Renamed” by now" in page
    assert save(browser(mia), name="Renamed", audience="all").status_code == 422


def test_the_order_in_the_rail_said_twice_is_the_same(browser, mia, ana):
    for name in "ABC":
        save(browser(mia), name=name, audience="all")
    save(browser(ana), name="Mine")
    third = SavedView.objects.get(name="C")
    for _ in range(2):
        browser(mia).post(f"/views/{third.pk}/place/", {"place": "0"})
    there = [name for name in rail(browser(ana).get("/inbox/")) if name in ("A", "B", "C", "Mine")]
    assert there == ["C", "A", "B", "Mine"]
    assert AuditEntry.objects.filter(action="view.moved").count() == 1
    assert browser(mia).post(f"/views/{third.pk}/place/", {"place": "x"}).status_code == 404


def test_its_rows_tell_what_it_says(browser, ana, several, support):
    identity.change(several[0].requester, identity.Profile(company="Acme"))
    answer = save(browser(ana), name="Told", columns=["company", "team", "opened"])
    page = browser(ana).get(answer.url).content.decode()
    row = page.partition("data-list")[2].partition("</ol>")[0]
    assert "<dt>Company</dt><dd>Acme</dd>" in row and "<dt>Team</dt><dd>Support</dd>" in row and "<dt>Opened</dt>" in row
    assert "Words 2" not in row and 'class="tags"' not in row
    assert "Words 2" in browser(ana).get("/inbox/open/").content.decode()
    with CaptureQueriesContext(connection) as four:
        browser(ana).get(answer.url)
    Ticket.objects.filter(subject__in=("Subject 3", "Subject 4")).update(status="solved")
    with CaptureQueriesContext(connection) as two:
        browser(ana).get(answer.url)
    assert len(four) == len(two)


def test_solved_in_a_view_goes_on_to_the_next_of_it(browser, ana, several):
    answer = save(browser(ana), name="Urgent", order="urgency", where=("priority", "any_of", ["urgent", "high"]))
    slug = answer.url.split("/")[2]
    first = Ticket.objects.get(subject="Subject 3")
    where = browser(ana).post(f"/tickets/{first.number}/change/?view={slug}", {"status": "solved", "next": "1"}).url
    assert where == f"/tickets/{Ticket.objects.get(subject='Subject 2').number}/?view={slug}"


def test_a_view_that_takes_too_long_says_so_and_holds_up_no_answer(ana, several, monkeypatch):
    monkeypatch.setattr(listing, "PATIENCE", 50)
    slow = Q(number__gte=RawSQL("(SELECT 0 FROM pg_sleep(2))", []))
    view = queues.View("v1", "Slow", lambda user: slow, counted=False, saved=SavedView())
    with pytest.raises(listing.NoRows, match="too long"):
        listing.page(listing.rows_of(ana, view), view, ana)
    assert listing.following(ana, view, Ticket.objects.earliest("pk")) is None


def test_the_page_of_views_asks_for_choices_once(browser, mia, several):
    tree = {"all": [{"field": "team", "op": "any_of", "value": [Team.objects.first().pk]}]}
    page, asked = browser(mia), []
    for name in ("One", "Two"):
        SavedView.objects.create(name=name, conditions=tree)
        with CaptureQueriesContext(connection) as found:
            page.get("/views/")
        asked.append(len(found))
    assert asked[0] == asked[1]
