"""Lifecycle mail waits while a ticket is open, by the condition language alone; caps hold between two workers."""

import re
import threading
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from helpdesk.customers import identity
from helpdesk.customers.models import Event, Subscription
from helpdesk.lib import dates
from helpdesk.mail import outbox, planner
from helpdesk.mail.models import Lane, Mailbox, Outgoing, State
from outreach import campaigns
from outreach.models import Enrolment
from tests.conftest import colleague
from tickets import intake

NOON = datetime(2026, 11, 3, 11, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def noon():
    with dates.moved(to=NOON):
        yield


def opened(customer, support):
    words = intake.Words("Where is it?")
    return intake.open_ticket(customer, "Where is it?", words, channel="form", mailbox=support)


@pytest.mark.django_db
def test_held_while_a_ticket_is_open_and_sent_when_it_is_solved(campaign, happens, drain, sink, ben, support, ana):
    campaign()
    happens("order_shipped", ben, order_id="A-1")
    first, second = opened(ben, support), opened(ben, support)
    drain()
    with dates.moved(by=DAY + timedelta(minutes=1)):
        drain()
        row = Outgoing.objects.get(kind="campaign.message")
        assert row.state == State.HELD and row.reason == "Held until their open tickets are solved"
        first.solve(by=ana)
        drain()
        row.refresh_from_db()
        assert row.state == State.HELD and not sink.to("ben@carter.example")
        assert Event.objects.filter(kind="mail.held", payload__outgoing=row.pk).count() == 1  # and was not asked in vain
        second.solve(by=ana)
        drain()
    assert [got.message["Subject"] for got in sink.to("ben@carter.example")] == ["Your parcel A-1"]
    assert Enrolment.objects.get().state == Enrolment.State.FINISHED


@pytest.mark.django_db
@pytest.mark.parametrize("turn", ["pause", "cancel"])
def test_a_campaign_that_does_not_run_still_says_who_would_be_held(campaign, browser, mia, ben, cleo, support, turn):
    made, mias = campaign().campaign, browser(mia)
    opened(ben, support)

    def counted():
        page = mias.get(f"/outreach/campaigns/{made.pk}/").content.decode()
        titles = "not said yes to", "theirs is open"
        return [re.search(rf"{title}[^<]*</td>.*?number\">(\d+)<", page, re.S)[1] for title in titles]

    running = counted()
    mias.post(f"/outreach/campaigns/{made.pk}/{turn}/")
    assert running == counted() == ["1", "1"]


@pytest.mark.django_db
def test_the_reason_names_the_ticket(campaign, happens, drain, ben, support):
    campaign(wait=0)
    ticket = opened(ben, support)
    happens("order_shipped", ben, order_id="A-1")
    drain()
    assert Outgoing.objects.get(kind="campaign.message").reason == f"Held until ticket #{ticket.number} is solved"


def panel_of(browser, person, customer):
    """The card of campaigns beside a customer, its words in one line."""
    html = browser(person).get(f"/customers/{customer.pk}/").content.decode()
    card = html.partition("<h3>Campaigns</h3>")[2].partition("</section>")[0]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", card)).split())


@pytest.mark.django_db
def test_what_is_held_names_no_time_beside_the_customer(campaign, happens, drain, ben, support, browser, ana):
    campaign()
    happens("order_shipped", ben, order_id="1881")
    drain()
    coming = panel_of(browser, ana, ben)
    assert coming.startswith("Parcel tips for order_id 1881 On the way, next ") and ":" in coming
    ticket = opened(ben, support)
    with dates.moved(by=DAY + timedelta(minutes=1)):
        drain()
        assert panel_of(browser, ana, ben) == (
            f"Parcel tips for order_id 1881 On the way. Held until ticket #{ticket.number} is solved"
        )
        ticket.solve(by=ana)
        drain()
        assert panel_of(browser, ana, ben).startswith("Parcel tips for order_id 1881 Finished, ")


@pytest.mark.django_db
def test_a_solved_ticket_starts_a_campaign_of_its_own_once(campaign, drain, sink, ben, support, ana):
    campaign(
        trigger_kind="ticket.solved",
        entry_key="ticket",
        exit_kind="ticket.reopened",
        wait=3600,
        steps=[{"do": "wait", "seconds": 3600}, {"do": "send", "subject": "How is it?", "body": "x", "fallbacks": {}}],
    )
    ticket = opened(ben, support)
    ticket.solve(by=ana)
    drain()
    assert Enrolment.objects.get().entry_key == str(ticket.pk)
    ticket.reopen(by=ana)
    drain()
    assert Enrolment.objects.get().state == Enrolment.State.LEFT
    ticket.solve(by=ana)
    drain()
    assert Enrolment.objects.count() == 1 and not sink.to("ben@carter.example")


@pytest.mark.django_db
def test_never_longer_than_two_weeks(campaign, happens, drain, sink, ben, support):
    campaign(wait=0)
    opened(ben, support)
    happens("order_shipped", ben, order_id="A-1")
    drain()
    with dates.moved(by=14 * DAY + timedelta(minutes=1)):
        drain()
    row = Outgoing.objects.get(kind="campaign.message")
    assert row.state == State.WITHHELD and "Held too long" in row.reason
    assert not sink.to("ben@carter.example")


@pytest.mark.django_db
def test_a_transactional_message_does_not_wait(campaign, happens, drain, sink, ben, support):
    campaign(klass="transactional", wait=0)
    opened(ben, support)
    happens("order_shipped", ben, order_id="A-1")
    drain()
    assert len(sink.to("ben@carter.example")) == 1


@pytest.mark.django_db
def test_a_batch_costs_as_many_questions_as_one(campaign, happens, drain, tips, support, django_assert_max_num_queries):
    campaign(wait=3600)
    people = [identity.customer_for_address(f"p{n}@many.example") for n in range(30)]
    for person in people:
        happens("order_shipped", person, order_id="A-1")
    opened(people[0], support)
    drain()
    from outreach import guards

    rows = list(Outgoing.objects.filter(kind="campaign.message").select_related("customer__company", "address", "subscription"))
    with django_assert_max_num_queries(7):  # the version itself, never read before, is one
        answers = guards.ask(rows, dates.now())
    assert len(answers) == 30
    with django_assert_max_num_queries(6):
        guards.ask(rows[:1], dates.now())


@pytest.mark.django_db(transaction=True)
def test_two_workers_cannot_pass_the_same_cap(settings, sink):
    """One plans while the other is in the stamp of the same customer: only one of the two may take the last place."""
    from outreach.models import Campaign

    mia = colleague("Mia", "manager")
    tips = Subscription.objects.create(slug="tips", name="Tips", opt_in=False)
    box = Mailbox.objects.create(slug="s", name="S", address="s@nordwind.example", is_default=True)
    made = Campaign.objects.create(name="One a week", subscription=tips, mailbox=box)
    version = campaigns.draft_of(made, by=mia)
    version.trigger_kind, version.cap = "x", 1
    version.steps = [{"do": "send", "subject": "Hi", "body": "x", "fallbacks": {}}]
    version.save()
    campaigns.launch(version, by=mia)
    ben = identity.customer_for_address("ben@carter.example")
    address = ben.addresses.get()
    rows = outbox.plan(
        [
            Outgoing(
                key=f"race:{n}",
                kind="campaign.message",
                klass="lifecycle",
                lane="campaigns",
                customer=ben,
                address=address,
                to=address.shown,
                mailbox=box,
                subscription=tips,
                campaign_id=made.pk,
                version_id=version.pk,
                step="0",
                due_at=dates.now(),
            )
            for n in range(2)
        ]
    )
    first_asked, second_may_end, outcome = threading.Event(), threading.Event(), {}

    def worker(name, row, waits):
        try:
            with transaction.atomic():
                locked = planner.lock([row.pk], state=State.PENDING)
                answers = planner.verdicts(locked, dates.now())
                planner.apply(locked[0], answers[row.pk], dates.now(), go=State.QUEUED)
                if waits:
                    first_asked.set()
                    second_may_end.wait(5)  # the other is at the customer's lock by now
                planner.save_verdicts(locked, dates.now())
                outcome[name] = locked[0].state
        finally:
            connection.close()

    one = threading.Thread(target=worker, args=("one", rows[0], True))
    two = threading.Thread(target=worker, args=("two", rows[1], False))
    one.start()
    assert first_asked.wait(10)
    two.start()
    two.join(0.3)
    assert two.is_alive()  # it waits for the customer
    second_may_end.set()
    one.join(10)
    two.join(10)
    assert outcome == {"one": State.QUEUED, "two": State.HELD}


@pytest.mark.django_db
def test_a_batch_of_events_costs_as_many_statements_as_one(campaign, happens, support):
    from helpdesk.customers.tasks import dispatch

    campaign()
    people = [identity.customer_for_address(f"p{n}@many.example") for n in range(40)]
    dispatch()

    def statements(chosen, order):
        for person in chosen:
            happens("order_shipped", person, order_id=order)
        with CaptureQueriesContext(connection) as caught:
            dispatch()
        return len(caught)

    assert statements(people, "A") <= statements(people[:1], "B") + 2
    assert Enrolment.objects.count() == 41


@pytest.mark.django_db
def test_going_on_moves_no_message_in_the_request_and_the_planner_a_batch_at_a_time(
    campaign, happens, drain, sink, mia, browser, monkeypatch
):
    version = campaign()
    for n in range(7):
        happens("order_shipped", identity.customer_for_address(f"p{n}@many.example"), order_id="A-1")
    drain()
    browser(mia).post(reverse("campaign-pause", args=[version.campaign_id]))
    held = Outgoing.objects.filter(state=State.HELD, hold_for=f"campaign:{version.campaign_id}")
    with dates.moved(by=DAY + timedelta(minutes=1)):
        drain()
        assert held.count() == 7
        monkeypatch.setattr(planner, "BATCH", 3)
        with CaptureQueriesContext(connection) as caught:
            browser(mia).post(reverse("campaign-resume", args=[version.campaign_id]))
        assert not any('UPDATE "mail_outgoing"' in query["sql"] for query in caught) and held.count() == 7
        left = []
        while planner.plan_due(Lane.CAMPAIGNS):  # whoever is killed in between has moved whole batches, and the next goes on
            left.append(held.count())
        assert left[:3] == [4, 1, 0]
        drain()
    assert len(sink) == 7


@pytest.mark.django_db
def test_a_hold_that_is_written_after_the_campaign_went_on_ends_too(campaign, happens, drain, sink, ben):
    """A worker that read "paused" a moment before the button may write its hold a moment after it."""
    version = campaign(wait=0)
    happens("order_shipped", ben, order_id="A-1")
    with dates.moved(by=-DAY):
        drain()
    row = Outgoing.objects.filter(kind="campaign.message")
    row.update(state=State.HELD, hold_for=version.campaign.subject, hold_limit=dates.now() + 14 * DAY)
    drain()
    assert row.get().state == State.ACCEPTED and len(sink.to("ben@carter.example")) == 1


@pytest.mark.django_db
def test_holds_by_another_campaign_and_by_people_stay(campaign, happens, drain, ben, mia):
    one, two = campaign(), campaign(name="Others")
    happens("order_shipped", ben, order_id="A-1")
    drain()
    for version in (one, two):
        campaigns.pause(version.campaign, by=mia)
    with dates.moved(by=DAY + timedelta(minutes=1)):
        drain()
        assert Outgoing.objects.filter(state=State.HELD).count() == 2
        others = Outgoing.objects.filter(campaign_id=two.campaign_id)
        campaigns.resume(one.campaign, by=mia)
        drain()
        assert others.get().state == State.HELD and Outgoing.objects.get(campaign_id=one.campaign_id).state == State.ACCEPTED
        others.update(hold_for="person")
        campaigns.resume(two.campaign, by=mia)
        drain()
        assert others.get().state == State.HELD
