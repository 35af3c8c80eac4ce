"""Policies, clocks and forecast as a lead and an agent see them; the same clocks in conditions and in the API."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from helpdesk.accounts.models import ApiToken, AuditEntry, Calendar, Scope, User
from helpdesk.customers.models import Customer
from helpdesk.lib import conditions, dates
from helpdesk.mail.models import Mailbox
from tests.tickets.clocks.days import at, opened, replied, targets
from tickets import clocks
from tickets.clocks import order, recounts
from tickets.clocks.forecast import forecast
from tickets.clocks.lengths import NotLength, read_length, write_length
from tickets.models import Policy, Recount, Rule, Ticket

pytestmark = pytest.mark.django_db
Browser = Callable[[User], Client]
EVERYBODY = {
    "name": "Everybody",
    "action": "save",
    "warn_minutes": "15",
    "pauses": ["pending"],
    "normal_hours": "business",
    "normal_first_reply": "1 h",
    "normal_resolution": "8 h",
    "urgent_hours": "calendar",
    "urgent_first_reply": "15 min",
    "high_hours": "business",
    "low_hours": "calendar",
    "low_resolution": "2 days",
}


@pytest.mark.parametrize(
    ("text", "minutes"), [("", None), ("30 min", 30), ("4 h", 240), ("1h30m", 90), ("1 hour 30 minutes", 90), ("2 days", 2880)]
)
def test_a_target_is_read_as_people_write_it(text: str, minutes: int | None):
    assert read_length(text, days=True) == minutes
    assert read_length(write_length(minutes), days=True) == minutes


@pytest.mark.parametrize("text", ["4", "soon", "4 h or so", "0 min", "9000 h", "-4 h"])
def test_what_says_no_length_is_refused(text: str):
    with pytest.raises(NotLength):
        read_length(text, days=True)


def test_a_policy_is_written_kept_and_counted(
    office: Calendar, support: Mailbox, ben: Customer, mia: User, browser: Browser, drain: Callable[[], None]
):
    ticket = opened(ben, dates.now() - timedelta(minutes=1))
    assert browser(mia).post("/policies/new/", EVERYBODY).status_code == 302
    policy = Policy.objects.get()
    assert policy.targets["normal"] == {"hours": "business", "first_reply": 60, "next_reply": None, "resolution": 480}
    assert policy.targets["low"]["resolution"] == 2880 and "high" not in policy.targets and not policy.is_on
    assert browser(mia).post(f"/policies/{policy.pk}/switch/", {"on": "1"}).status_code == 302
    assert "Counting clocks anew" in browser(mia).get("/clocks/recount/").content.decode()
    while recounts.run_once():
        pass
    ticket.refresh_from_db()
    assert ticket.due_at is not None and "Counting" not in browser(mia).get("/policies/").content.decode()
    page = browser(mia).post(f"/policies/{policy.pk}/", {**EVERYBODY, "name": "All"})
    policy.refresh_from_db()
    assert page.status_code == 302 and (policy.name, policy.version) == ("All", 1)  # a name is no promise
    page = browser(mia).post(f"/policies/{policy.pk}/", {**EVERYBODY, "name": "All", "warn_minutes": "20"})
    policy.refresh_from_db()
    assert page.status_code == 302 and (policy.warn_minutes, policy.version) == (20, 2)
    said = AuditEntry.objects.filter(subject=policy.ref).latest("pk")
    assert (said.action, said.before["warn_minutes"], said.after["warn_minutes"]) == ("policy.changed", 15, 20)


def test_a_mistyped_policy_is_told_before_it_counts_and_leaves_no_trace(
    policy: Policy, support: Mailbox, ben: Customer, ana: User, mia: User, browser: Browser
):
    """Four minutes instead of four hours: the trial says it; switched on all the same, nobody hears of it, and off again
    all is as it was."""
    opened(ben, at("16:30", -3))  # late already by Everybody: an hour
    waits, answered = opened(ben, at("09:00")), opened(ben, at("09:00"))
    replied(answered, ana, at("09:30"))
    lead = browser(mia)
    with dates.moved(to=at("09:40")):
        clocks.recompute(Ticket.objects.values_list("pk", flat=True))
        before = {ticket.pk: (ticket.due_at, ticket.breached_at) for ticket in Ticket.objects.all()}
        typed = {**EVERYBODY, "name": "Gold", "normal_first_reply": "4 min", "normal_resolution": ""}
        tried = lead.post("/policies/new/", {**typed, "action": "try"})
        assert tried.context["trial"].late == [waits] and tried.context["trial"].late_already == 1
        assert not Policy.objects.filter(name="Gold").exists()
        page = lead.post("/policies/new/", typed, follow=True).content.decode()
        gold = Policy.objects.get(name="Gold")
        assert not gold.is_on and "1 ticket would be late at once" in page and f"#{waits.number}" in page
        told = "3 would go by it. Without it, 3 of these go by “Everybody”. 1 of these is late already."
        assert f"Of the newest 3 open tickets, {told}" in " ".join(page.split())
        assert "Switch on…" in lead.get("/policies/").content.decode()

        def switch(on: str) -> None:
            lead.post(f"/policies/{gold.pk}/switch/", {"on": on})
            while recounts.run_once():
                pass
            waits.refresh_from_db()

        switch("1")
        clock = waits.clocks.get(kind="first_reply")
        assert waits.due_at == at("09:04") and waits.breached_at is None and (clock.state, clock.breached_at) == ("late", None)
        shown = browser(ana).get(f"/tickets/{waits.number}/").content.decode()
        assert "36 min late, which does not count: it was due before this was promised" in shown
        clocks.recompute([waits.pk])
        assert clocks.run_due() is False and not waits.clocks.exclude(breached_at=None).exists()
        switch("0")
        assert {ticket.pk: (ticket.due_at, ticket.breached_at) for ticket in Ticket.objects.all()} == before


def test_a_policy_that_is_on_shows_what_saving_it_changes_and_asks(
    policy: Policy, support: Mailbox, ben: Customer, mia: User, browser: Browser
):
    """Four minutes instead of four hours, in one that is on: nothing is saved before a second button, which is of these words."""
    waits, lead, address = opened(ben, at("09:00")), browser(mia), f"/policies/{policy.pk}/"

    def kept() -> tuple[int | None, int]:
        policy.refresh_from_db()
        return policy.targets["normal"]["first_reply"], policy.version

    with dates.moved(to=at("09:40")):
        typed = {**EVERYBODY, "normal_first_reply": "4 min"}
        asks = lead.post(address, typed)
        page = " ".join(asks.content.decode().split())
        assert asks.status_code == 409 and kept() == (60, 1)
        assert "1 ticket would be late at once" in page and f"#{waits.number}" in page and "1 would go by it" in page
        assert 'value="4 min"' in page and "Save it all the same" in page
        sure = asks.context["form"].mark
        assert f'form="policy" name="sure" value="{sure}"' in page
        lead.post(address, {**typed, "action": ""})  # any other button
        again = lead.post(address, {**typed, "action": "", "normal_first_reply": "5 min", "sure": sure})
        assert kept() == (60, 1), "agreed to four minutes, not to five"
        del typed["action"]  # the browser sends the button that was pressed
        again = lead.post(address, {**typed, "normal_first_reply": "5 min", "sure": sure})
        assert again.status_code == 409 and kept() == (60, 1)
        assert lead.post(address, {**typed, "sure": sure}).status_code == 302 and kept() == (4, 2)
        typed |= {"action": "save"}
        asks = lead.post(address, typed | {"c-join": "all", "c0-field": "tags", "c0-op": "any_of", "c0-value": "vip"})
        page = " ".join(asks.content.decode().split())
        assert asks.status_code == 409 and "0 would go by it. 1 goes by it now and would not any more." in page
        assert lead.post(address, typed | {"name": "All of them", "warn_minutes": "20"}).status_code == 302  # no promise
        order.switch(policy, False, by=mia)
        assert lead.post(address, typed | {"normal_first_reply": "6 min"}).status_code == 302 and kept()[0] == 6
        order.switch(policy, True, by=mia)
        Ticket.objects.update(status="closed")
        assert lead.post(address, typed | {"normal_first_reply": "7 min"}).status_code == 302 and kept()[0] == 7  # of nobody


def test_a_policy_is_removed_once_it_is_off_and_what_it_made_names_it_still(
    policy: Policy, office: Calendar, support: Mailbox, ben: Customer, mia: User, browser: Browser
):
    spare = Calendar.objects.create(name="Spare", zone="UTC", week=[[[540, 1020]]] * 7)
    Policy.objects.filter(pk=policy.pk).update(calendar=spare)
    kept, lead, address = opened(ben, at("09:00")), browser(mia), f"/policies/{policy.pk}/remove/"
    rule = Rule.objects.create(kind="update", name="Asks")
    asks = {"all": [{"field": "policy", "op": "is", "value": policy.pk}]}
    rule.version = rule.versions.create(number=1, name="Asks", conditions=asks)
    rule.save()
    with dates.moved(to=at("10:30")):
        clocks.run_due()
        refused = lead.post(address)
        page = refused.content.decode()
        assert refused.status_code == 409 and "It is on. Switch it off first" in page and "Rule “Asks”" in page
        order.switch(policy, False, by=mia)
        rule.version.conditions = {}
        rule.version.save()
        assert "Promises that it made: 2." in lead.get(address).content.decode()
        for _twice in range(2):
            lead.post(address)
        assert AuditEntry.objects.filter(subject=policy.ref, action="policy.archived").count() == 1
        page = lead.get(f"/tickets/{kept.number}/").content.decode()
        assert kept.clocks.get(kind="first_reply").breached_at == at("10:00") and "by “Everybody”" in page
        assert "Switch o" not in lead.get("/policies/").content.decode()
        lead.post(f"/policies/{policy.pk}/switch/", {"on": "1"})
        policy.refresh_from_db()
        assert not policy.is_on
        lead.post(f"/calendars/{spare.pk}/remove/")
        lead.post(f"/policies/{policy.pk}/restore/")
        policy.refresh_from_db()
        assert (policy.archived_at, policy.is_on, policy.calendar) == (None, False, None)
        never = Policy.objects.create(name="Never", position=2, is_on=False)
        lead.post(f"/policies/{never.pk}/remove/")
        assert not Policy.objects.filter(pk=never.pk).exists()


def test_a_promise_that_a_teams_hours_never_keep_is_told_where_it_is_made_and_where_it_stands(
    office: Calendar, support: Mailbox, ben: Customer, mia: User, browser: Browser
):
    short = Calendar.objects.create(name="Sunday minute", zone="UTC", week=[*[[]] * 6, [[0, 1]]])
    support.team.calendar = short
    support.team.save()
    answer = browser(mia).post("/policies/new/", {**EVERYBODY, "normal_resolution": "100 h"})
    assert answer.status_code == 422 and "In “Sunday minute” that takes more than ten years." in answer.content.decode()
    Policy.objects.create(name="Gold", position=1, targets=targets(first_reply=None, next_reply=None, resolution=6000))
    page = browser(mia).get("/policies/").content.decode()
    assert "“Sunday minute” has too few hours" in page and "Urgent, High, Normal, Low:" in page
    ticket = opened(ben, at("09:00"))
    assert ticket.clocks.get().state == "stuck"
    page = browser(mia).get(f"/tickets/{ticket.number}/").content.decode()
    assert "Cannot run" in page and "too few of them to ever keep it" in page


WRONG_POLICIES = [
    ({"normal_first_reply": "4"}, "id_normal_first_reply_error", "Say how long"),
    ({"normal_first_reply": "2 days"}, "id_normal_first_reply_error", "Say it in hours"),
    ({"warn_minutes": "0"}, "id_warn_minutes_error", "1 to 10080"),
    ({"name": ""}, "id_name_error", "required"),
    (
        {"source": '{"field": "breached", "op": "is", "value": true}'},
        "",
        "A policy cannot ask about",
    ),
]


def test_what_is_wrong_with_a_policy_stands_where_it_is(office: Calendar, mia: User, browser: Browser):
    for said, where, words in WRONG_POLICIES:
        answer = browser(mia).post("/policies/new/", {**EVERYBODY, **said})
        page = answer.content.decode()
        assert answer.status_code == 422 and words in page and not Policy.objects.exists()
        assert not where or words in page.partition(f'id="{where}"')[2].partition("</p>")[0]
        assert 'value="8 h"' in page


def test_business_hours_need_a_calendar_and_nothing_promised_is_no_policy(mia: User, browser: Browser):
    page = browser(mia).post("/policies/new/", EVERYBODY).content.decode()
    assert "There is no calendar yet" in page
    nothing = {name: "" if name.endswith(("reply", "resolution")) else value for name, value in EVERYBODY.items()}
    assert "Promise at least one thing" in browser(mia).post("/policies/new/", nothing).content.decode()


def test_the_list_has_an_order_that_changes_and_names_what_is_never_reached(policy: Policy, mia: User, browser: Browser):
    gone = {"field": "team", "op": "is", "value": 4711}
    below = Policy.objects.create(name="Premium", position=2, targets=targets(), conditions=gone)
    assert "“4711” is not one of the choices." in browser(mia).get("/policies/").content.decode()
    assert "Never reached: “Everybody”" in browser(mia).get("/policies/").content.decode()
    for _twice in range(2):
        browser(mia).post(f"/policies/{below.pk}/move/", {"to": "1"})
    assert list(Policy.objects.values_list("name", flat=True)) == ["Premium", "Everybody"]
    assert AuditEntry.objects.filter(action="policy.moved").count() == Recount.objects.count() == 1
    for _twice in range(2):
        browser(mia).post(f"/policies/{below.pk}/switch/", {"on": "0"})
    assert AuditEntry.objects.filter(action="policy.switched_off").count() == 1
    assert "Never reached" not in browser(mia).get("/policies/").content.decode()


def test_clocks_are_words_in_the_list_and_reasons_on_the_ticket(
    policy: Policy, support: Mailbox, ben: Customer, ana: User, browser: Browser
):
    calm, soon, late, paused = (opened(ben, at(clock)) for clock in ("11:30", "11:10", "10:30", "10:00"))
    replied(paused, ana, at("10:10"))
    with dates.moved(to=at("12:00")):
        clocks.run_due()
        clocks.recompute([paused.pk])
        page = browser(ana).get("/inbox/open/").content.decode()
        for words in ("30 min left", "breaches in 10 min", "30 min late", "paused, 7 h 50 min left"):
            assert words in page, words
        assert "First reply due Monday 23 November 2026, 12:30 UTC" in page
        due = browser(ana).get("/inbox/due/").content.decode()
        places = [due.index(f"/tickets/{ticket.number}/") for ticket in (late, soon, calm)]
        assert places == sorted(places) and f"/tickets/{paused.number}/" not in due
        one = browser(ana).get(f"/tickets/{paused.number}/").content.decode()
        assert "Met" in one and "50 min before it was due" in one
        assert "while it is Pending; 7 h 50 min left when it goes on" in one and "by “Everybody”" in one
        assert "30 min late" in browser(ana).get(f"/tickets/{late.number}/").content.decode()


def test_the_forecast_counts_what_falls_due_and_when(
    policy: Policy, support: Mailbox, ben: Customer, ana: User, mia: User, browser: Browser
):
    late, taken, _free = opened(ben, at("09:00")), opened(ben, at("15:30")), opened(ben, at("15:30"))
    Policy.objects.update(targets=targets(first_reply=120, hours="calendar"))
    alone = opened(ben, at("15:45"))
    with dates.moved(to=at("16:00")):
        taken.assign(ana, by=mia)
        clocks.recompute([late.pk, taken.pk])
        found = forecast(mia, dates.zone("UTC"))
        at_hour = {slot.at.hour: slot for slot in found.hours if slot.due}
        assert found.late == 1 and found.paused == 0
        assert (at_hour[16].due, at_hour[16].unassigned, at_hour[16].is_open) == (1, 1, True)
        assert (at_hour[17].due, at_hour[17].is_open) == (3, False) and found.alone >= 3
        assert found.days[0].at.day == 23 and alone.due_at == at("17:45")
        page = browser(mia).get("/clocks/").content.decode()
    assert "What falls due" in page and "while nobody works" in page


def test_conditions_and_tickets_agree_about_clocks(policy: Policy, support: Mailbox, ben: Customer, ana: User):
    late, soon, paused, solved = (opened(ben, at(clock)) for clock in ("09:00", "10:30", "10:40", "10:45"))
    replied(paused, ana, at("10:50"))
    replied(solved, ana, at("10:55"), status="solved")
    trees: list[dict[str, Any]] = [
        {"field": "breached", "op": "is", "value": True},
        {"field": "breached", "op": "is_not", "value": True},
        {"field": "due", "op": "within_next", "value": {"hours": 2}},
        {"field": "due", "op": "is_not_set"},
        {"field": "first_reply_due", "op": "is_set"},
        {"field": "next_reply_due", "op": "is_set"},
        {"field": "resolution_due", "op": "later_than", "value": {"hours": 1}},
        {"field": "clock_paused", "op": "is", "value": True},
        {"field": "policy", "op": "is", "value": policy.pk},
    ]
    with dates.moved(to=at("11:00")):
        clocks.recompute([late.pk, soon.pk, paused.pk, solved.pk])
        found = []
        for tree in trees:
            rows = set(Ticket.objects.filter(conditions.to_q(tree, "ticket", dates.now())))
            assert rows == {ticket for ticket in Ticket.objects.all() if conditions.matches(tree, "ticket", ticket, dates.now())}
            found.append(rows)
    assert found == [
        {late}, {soon, paused, solved}, {soon}, {paused, solved}, {late, soon}, set(), {late, soon}, {paused},
        {late, soon, paused, solved},
    ]  # fmt: skip


def test_the_api_shows_every_clock(policy: Policy, support: Mailbox, ben: Customer, ana: User, client: Client):
    ticket = opened(ben, at("09:00"))
    replied(ticket, ana, at("09:30"))
    _token, text = ApiToken.objects.issue("Reports", [Scope.TICKETS_READ], by=ana)
    with dates.moved(to=at("09:30")):
        clocks.recompute([ticket.pk])
        said = client.get(f"/api/v1/tickets/{ticket.number}", headers={"authorization": f"Bearer {text}"}).json()
    assert said["due_at"] is None and said["breached_at"] is None
    first, resolution = sorted(said["clocks"], key=lambda clock: clock["kind"])
    assert (first["kind"], first["state"], first["target"], first["policy"]) == ("first_reply", "met", 3600, "Everybody")
    assert (resolution["state"], resolution["left"]) == ("paused", 27000)
