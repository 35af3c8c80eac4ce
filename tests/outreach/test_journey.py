"""From an event to a message: who enters, who waits, what holds it, and what ends it."""

from datetime import UTC, datetime, timedelta

import pytest

from helpdesk.customers import consent
from helpdesk.customers.models import Event
from helpdesk.customers.timeline import record
from helpdesk.lib import dates
from helpdesk.mail import outbox
from helpdesk.mail.models import MailSwitch, Outgoing, State
from outreach import campaigns, journeys
from outreach.models import Enrolment

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 3, 11, 0, tzinfo=UTC)  # 12:00 in Berlin, where Ben is
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def noon():
    with dates.moved(to=NOON):
        yield


def only():
    return Outgoing.objects.get(kind="campaign.message")


def test_an_event_a_wait_and_a_message(campaign, happens, drain, sink, ben):
    campaign()
    happens("order_shipped", ben, order_id="A-1")
    drain()
    row = only()
    assert row.state == State.PENDING and abs(row.due_at - (NOON + DAY)) < timedelta(seconds=5) and not sink
    with dates.moved(by=DAY + timedelta(minutes=1)):
        drain()
    (got,) = sink
    assert got.message["Subject"] == "Your parcel A-1" and "Hello Ben" in got.text and "<strong" in got.html
    assert got.recipients == ["ben@carter.example"]
    assert Enrolment.objects.get().state == Enrolment.State.FINISHED
    kinds = list(Event.objects.of(ben.pk).values_list("kind", flat=True))
    assert {"campaign.enrolled", "mail.sent", "campaign.finished"} <= set(kinds)


def test_the_same_order_enters_once_and_another_order_again(campaign, happens, drain, ben):
    campaign()
    happens("order_shipped", ben, order_id="A-1", id="e1")
    happens("order_shipped", ben, order_id="A-1", id="e1")
    happens("order_shipped", ben, order_id="A-1", id="e2")
    drain()
    happens("order_shipped", ben, order_id="A-1", id="e3")
    happens("order_shipped", ben, order_id="A-2", id="e4")
    drain()
    assert set(Enrolment.objects.values_list("entry_key", flat=True)) == {"A-1", "A-2"}
    assert Outgoing.objects.count() == 2


def test_without_an_entry_key_once_a_customer(campaign, happens, drain, ben):
    campaign(entry_key="", steps=[{"do": "send", "subject": "Hi", "body": "x", "fallbacks": {}}])
    for number in range(3):
        happens("order_shipped", ben, order_id=f"A-{number}")
        drain()
    assert Enrolment.objects.get().entry_key == ""


@pytest.mark.parametrize("payload", [{}, {"order_id": None}, {"order_id": ""}, {"order_id": {"a": 1}}, {"order_id": True}])
def test_an_event_without_its_key_enters_nobody(campaign, happens, drain, ben, payload):
    campaign()
    happens("order_shipped", ben, **payload)
    drain()
    assert not Enrolment.objects.exists()


def test_a_key_may_lie_deeper(campaign, happens, drain, ben):
    campaign(entry_key="order.id", steps=[{"do": "send", "subject": "Hi", "body": "{{ event.order.id }}", "fallbacks": {}}])
    happens("order_shipped", ben, order={"id": 7})
    drain()
    assert Enrolment.objects.get().entry_key == "7"


@pytest.mark.parametrize(("ago", "enters"), [(timedelta(hours=23), True), (timedelta(hours=25), False)])
def test_old_news_triggers_nothing_and_late_news_counts_from_when_it_happened(campaign, happens, drain, ben, ago, enters):
    campaign(wait=3 * 24 * 3600)
    happens("order_shipped", ben, ago=ago, order_id="A-1")
    drain()
    assert Enrolment.objects.exists() == enters
    if enters:
        assert abs(only().due_at - (NOON - ago + 3 * DAY)) < timedelta(seconds=5)


def test_only_those_in_the_segment_enter(campaign, happens, drain, ben, cleo, plan):
    campaign(conditions={"field": "attribute.plan", "op": "is", "value": "pro"})
    for customer in (ben, cleo):
        happens("order_shipped", customer, order_id="A-1")
    drain()
    assert Enrolment.objects.get().customer == ben


def test_a_cancellation_takes_them_out_and_what_waits_with_them(campaign, happens, drain, sink, ben):
    campaign()
    happens("order_shipped", ben, order_id="A-1")
    happens("order_shipped", ben, order_id="A-2")
    drain()
    happens("order_cancelled", ben, order_id="A-1")
    drain()
    assert Enrolment.objects.get(entry_key="A-1").state == Enrolment.State.LEFT
    with dates.moved(by=2 * DAY):
        drain()
    assert [got.message["Subject"] for got in sink] == ["Your parcel A-2"]


@pytest.mark.parametrize("together", [True, False])
def test_a_cancellation_that_comes_first_is_honoured(campaign, happens, drain, ben, together):
    campaign()
    happens("order_cancelled", ben, order_id="A-1")
    if not together:
        drain()
    happens("order_shipped", ben, ago=timedelta(hours=2), order_id="A-1")
    happens("order_shipped", ben, order_id="A-2")
    drain()
    assert Enrolment.objects.get().entry_key == "A-2"


def test_without_a_key_only_a_later_exit_counts(campaign, happens, drain, ben):
    campaign(
        entry_key="",
        trigger_kind="trial_started",
        exit_kind="trial_converted",
        steps=[{"do": "send", "subject": "Hi", "body": "x", "fallbacks": {}}],
    )
    happens("trial_converted", ben, ago=timedelta(hours=3))
    happens("trial_started", ben, ago=timedelta(hours=1))
    drain()
    assert Enrolment.objects.count() == 1


def test_steps_follow_one_another(campaign, happens, drain, sink, ben):
    send = {"do": "send", "body": "x", "fallbacks": {}}
    campaign(
        steps=[
            {**send, "subject": "One"},
            {"do": "wait", "seconds": 3600},
            {"do": "wait", "seconds": 3600},
            {**send, "subject": "Two"},
        ],
        cap=None,
    )
    happens("order_shipped", ben, order_id="A-1")
    drain()
    assert [got.message["Subject"] for got in sink] == ["One"]
    coming = Outgoing.objects.waiting().get()
    assert coming.title == "Parcel tips, 2 of 2" and abs(coming.due_at - NOON - timedelta(hours=2)) < timedelta(minutes=1)
    with dates.moved(by=timedelta(hours=2, minutes=1)):
        drain()
    assert [got.message["Subject"] for got in sink] == ["One", "Two"]
    assert Enrolment.objects.get().state == Enrolment.State.FINISHED


def test_the_sweep_finds_whom_no_event_moved_on(campaign, happens, drain, sink, ben):
    send = {"do": "send", "body": "x", "fallbacks": {}}
    campaign(steps=[{**send, "subject": "One"}, {**send, "subject": "Two"}], cap=None)
    happens("order_shipped", ben, order_id="A-1")
    with dates.moved(by=timedelta(seconds=1)):
        from helpdesk.customers.tasks import dispatch

        dispatch()
        Outgoing.objects.update(state=State.ACCEPTED, sent_at=dates.now())
        journeys.sweep()
    assert list(Outgoing.objects.order_by("id").values_list("step", flat=True)) == ["0", "1"]


def test_held_at_night_until_the_morning_of_where_they_are(campaign, happens, drain, sink, ben):
    campaign(wait=11 * 3600)  # 23:00 in Berlin
    happens("order_shipped", ben, order_id="A-1")
    with dates.moved(by=timedelta(hours=11, minutes=1)):
        drain()
        row = only()
        opens = datetime(2026, 11, 4, 7, 0, tzinfo=UTC)
        assert row.state == State.HELD and opens <= row.hold_until < opens + timedelta(minutes=15)
        assert "night" in row.reason and "08:00" in row.reason and not sink
    with dates.moved(to=opens + timedelta(minutes=15)):
        drain()
    assert len(sink) == 1


def test_consent_withdrawn_takes_back_what_waits(campaign, happens, drain, sink, ben, tips):
    campaign()
    happens("order_shipped", ben, order_id="A-1")
    drain()
    consent.withdraw(ben.pk, tips, source="portal")
    drain()
    assert only().state == State.CANCELLED and "said no" in only().reason
    assert Enrolment.objects.get().state == Enrolment.State.LEFT


def test_consent_is_asked_again_in_the_stamp(campaign, happens, drain, sink, ben, tips):
    from helpdesk.customers.models import EventDelivery

    campaign()
    happens("order_shipped", ben, order_id="A-1")
    drain()
    consent.withdraw(ben.pk, tips, source="portal")
    EventDelivery.objects.all().delete()  # the event is lost: the guard alone must stop it
    with dates.moved(by=DAY + timedelta(minutes=1)):
        drain()
    assert only().state == State.WITHHELD and "Product tips" in only().reason and not sink


def test_a_suppressed_address_gets_nothing(campaign, happens, drain, sink, ben):
    campaign(klass="transactional")
    happens("order_shipped", ben, order_id="A-1")
    consent.suppress("BEN@carter.example", "complaint", "arf")
    with dates.moved(by=DAY + timedelta(minutes=1)):
        drain()
    assert only().state == State.WITHHELD and "no more mail" in only().reason and not sink


def test_a_dead_address_gets_nothing_and_the_journey_goes_on(campaign, happens, drain, sink, ben):
    campaign()
    happens("order_shipped", ben, order_id="A-1")
    ben.addresses.update(reachability="unreachable")
    with dates.moved(by=DAY + timedelta(minutes=1)):
        drain()
    assert only().state == State.WITHHELD and only().reason == "ben@carter.example does not work"


def test_a_cap_holds_the_third_until_the_first_is_a_week_ago(campaign, happens, drain, sink, ben):
    campaign(wait=0)
    for number in range(3):
        happens("order_shipped", ben, order_id=f"A-{number}")
    drain()
    assert len(sink) == 2
    row = Outgoing.objects.get(state=State.HELD)
    assert "2 messages" in row.reason and abs(row.hold_until - NOON - 7 * DAY) < timedelta(minutes=1)
    with dates.moved(to=NOON + 7 * DAY + timedelta(minutes=1)):
        drain()
    assert len(sink) == 3


def test_a_transactional_message_meets_no_cap_and_no_night(campaign, happens, drain, sink, ben, cleo):
    campaign(klass="transactional", wait=11 * 3600, cap=1)
    for number in range(3):
        happens("order_shipped", ben, order_id=f"A-{number}")
    with dates.moved(by=timedelta(hours=11, minutes=1)):
        drain()
    assert len(sink) == 3


def test_too_late_is_never_sent(campaign, happens, drain, sink, ben):
    campaign(
        steps=[
            {"do": "wait", "seconds": 3600},
            {"do": "send", "subject": "Hi", "body": "x", "fallbacks": {}, "too_late": 2 * 3600},
        ]
    )
    happens("order_shipped", ben, order_id="A-1")
    drain()
    with dates.moved(by=timedelta(hours=4)):
        drain()
    assert only().state == State.WITHHELD and "late" in only().reason and not sink


def test_paused_holds_and_resumed_sends(campaign, happens, drain, sink, ben, mia):
    version = campaign()
    happens("order_shipped", ben, order_id="A-1")
    drain()
    assert campaigns.pause(version.campaign, by=mia) and not campaigns.pause(version.campaign, by=mia)
    with dates.moved(by=DAY + timedelta(minutes=1)):
        happens("order_shipped", ben, order_id="A-2")
        drain()
        assert only().state == State.HELD and not sink
        assert campaigns.resume(version.campaign, by=mia) and not campaigns.resume(version.campaign, by=mia)
        drain()
        assert len(sink) == 1


def test_cancelled_ends_all_who_are_on_the_way(campaign, happens, drain, sink, ben, mia):
    version = campaign()
    happens("order_shipped", ben, order_id="A-1")
    drain()
    assert campaigns.cancel(version.campaign, by=mia) and not campaigns.cancel(version.campaign, by=mia)
    drain()
    assert only().state == State.CANCELLED and Enrolment.objects.get().state == Enrolment.State.CANCELLED
    with dates.moved(by=2 * DAY):
        drain()
    assert not sink


def test_finished_takes_nobody_in_and_completes_the_rest(campaign, happens, drain, sink, ben, mia):
    version = campaign()
    happens("order_shipped", ben, order_id="A-1")
    drain()
    campaigns.finish(version.campaign, by=mia)
    with dates.moved(by=DAY + timedelta(minutes=1)):
        happens("order_shipped", ben, order_id="A-2")
        drain()
    assert len(sink) == 1 and Enrolment.objects.count() == 1


def test_the_kill_switch_stops_campaigns(campaign, happens, drain, sink, ben, mia):
    campaign()
    happens("order_shipped", ben, order_id="A-1")
    drain()
    outbox.switch_off("campaigns", reason="Wrong price", by=mia)
    with dates.moved(by=DAY + timedelta(minutes=1)):
        drain()
        assert only().state == State.HELD and "Wrong price" in only().reason and not sink
        outbox.switch_on("campaigns", by=mia)
        assert not MailSwitch.objects.exists()
        drain()
        assert len(sink) == 1


def test_a_missing_value_skips_the_message_and_says_which(campaign, happens, drain, sink, ben):
    campaign(
        steps=[{"do": "send", "subject": "Hi", "body": "{{ event.gift | default: 'x' }} {{ event.order_id }}", "fallbacks": {}}]
    )
    happens("order_shipped", ben, order_id="A-1")
    drain()
    assert len(sink) == 1


def test_a_person_who_releases_overrules_the_night_but_not_a_no(campaign, happens, drain, sink, ben, cleo, ana):
    campaign(wait=11 * 3600)
    happens("order_shipped", ben, order_id="A-1")
    happens("order_shipped", cleo, order_id="A-1")
    with dates.moved(by=timedelta(hours=11, minutes=1)):
        drain()
        outbox.release(Outgoing.objects.filter(kind="campaign.message"), by=ana)
        drain()
    assert [got.recipients for got in sink] == [["ben@carter.example"]]


def test_a_bounce_that_kills_the_address_ends_the_journey(campaign, happens, drain, sink, ben):
    send = {"do": "send", "body": "x", "fallbacks": {}}
    campaign(steps=[{**send, "subject": "One"}, {"do": "wait", "seconds": 3600}, {**send, "subject": "Two"}])
    happens("order_shipped", ben, order_id="A-1")
    drain()
    outbox.bounced(Outgoing.objects.get(state=State.ACCEPTED).pk, reason="550 no such user")
    ben.addresses.update(reachability="unreachable")
    drain()
    assert Enrolment.objects.get().reason == "The address does not work"
    assert not Outgoing.objects.waiting().exists()


def test_an_answer_is_on_the_timeline_once(campaign, happens, drain, sink, ben):
    campaign(wait=0)
    happens("order_shipped", ben, order_id="A-1")
    drain()
    for _again in range(2):
        record("ticket.opened", customer=ben.pk, ticket=1, number=1, outgoing=only().pk)
        drain()
    assert Event.objects.filter(kind="campaign.replied").count() == 1


LOOP = [
    {"do": "send", "subject": "Hi", "fallbacks": {}, "body": "{% for item in event.rows %}{{ item | default: 0 }}{% endfor %}"}
]


def test_a_text_that_cannot_be_written_pauses_its_campaign_and_nothing_else(campaign, happens, drain, sink, ben, browser, mia):
    broken = campaign(klass="transactional", steps=LOOP).campaign
    campaign(name="Sound", klass="transactional", wait=0)
    happens("order_shipped", ben, order_id="A-1", rows=list(range(600)))
    drain()
    assert [got.message["Subject"] for got in sink] == ["Your parcel A-1"]
    stopped = Outgoing.objects.get(campaign_id=broken.pk)
    broken.refresh_from_db()
    assert stopped.state == State.WITHHELD and "limit" in stopped.reason and broken.status == "paused"
    page = browser(mia).get(f"/outreach/campaigns/{broken.pk}/").content.decode()
    assert "Paused itself" in page and "limit" in page


def test_a_missing_value_skips_one_message_and_pauses_nothing(campaign, happens, drain, sink, ben):
    step = {"do": "send", "subject": "Hi", "body": "{{ event.total | default: 'x' | number }}", "fallbacks": {}}
    made = campaign(klass="transactional", steps=[step]).campaign
    happens("order_shipped", ben, order_id="A-1", total="many")
    happens("order_shipped", ben, order_id="A-2", total=3)
    drain()
    made.refresh_from_db()
    assert made.status == "running" and len(sink) == 1
    assert "a number in “many”" in Outgoing.objects.get(state=State.WITHHELD).reason
