"""What a ticket does to itself, what journeys and clocks do to it, and what may be asked about it."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from helpdesk.customers import timeline
from helpdesk.customers.models import Customer, Event
from helpdesk.lib import conditions, dates
from helpdesk.live.streams import permitted
from helpdesk.mail.models import Outgoing
from tickets import intake, letters, replies
from tickets.closing import close_solved
from tickets.models import Ticket, TicketClosed

pytestmark = pytest.mark.django_db


def test_a_stale_copy_solves_nothing_twice(ticket, ana, omar):
    stale = Ticket.objects.get(pk=ticket.pk)
    assert ticket.solve(by=ana) and not stale.solve(by=omar)
    [event] = Event.objects.filter(kind="ticket.solved")
    assert event.actor == ana.ref and event.payload["number"] == ticket.number


def test_reopening_waits_from_now_on(ticket, ana):
    ticket.solve(by=ana)
    with dates.moved(by=timedelta(hours=2)):
        assert ticket.reopen(by=ana) and not ticket.reopen(by=ana)
        assert ticket.waits_on_us and ticket.waited < timedelta(minutes=1) and ticket.solved_at is None


def test_solved_long_enough_is_closed_once_and_for_good(ticket, ana):
    ticket.solve(by=ana)
    assert close_solved() == 0
    with dates.moved(by=timedelta(days=29)):
        assert close_solved() == 1 and close_solved() == 0
    ticket.refresh_from_db()
    assert ticket.status == "closed" and Event.objects.filter(kind="ticket.closed").count() == 1
    with pytest.raises(TicketClosed):
        ticket.set_status("open", by=ana)


def test_the_first_reply_counts_once_and_a_note_never(ticket, ana, ben):
    replies.note(ticket, "for us", by=ana)
    since = ticket.waiting_since
    assert ticket.first_replied_at is None and since is not None
    with dates.moved(by=timedelta(minutes=9)):
        first = replies.reply(ticket, "one", by=ana)
    replies.reply(ticket, "two", by=ana)
    assert ticket.first_replied_at == first.at
    said = [event.payload for event in Event.objects.filter(kind="ticket.replied").order_by("id")]
    assert [p["first"] for p in said] == [True, False]
    assert [p["waited"] for p in said] == [int((first.at - since).total_seconds()), None]


def test_the_oldest_question_keeps_waiting(ticket, ben):
    since = ticket.waiting_since
    with dates.moved(by=timedelta(hours=1)):
        intake.hear(ticket, ben, intake.Words("Hello?"))
    assert ticket.waiting_since == since and ticket.last_customer_message_at > since


def test_a_journey_asks_for_a_ticket_and_gets_one(ben, support, drain):
    event = timeline.record(
        "ticket.requested", customer=ben.pk, actor="campaign:3", subject="Call Ben", text="His card fails.", tags=["call"]
    )
    drain()
    intake.on_ticket_requested([event])
    ticket = Ticket.objects.get()
    assert (ticket.subject, ticket.channel, ticket.tags, ticket.requester) == ("Call Ben", "outreach", ["call"], ben)


def test_a_later_letter_refers_to_all_before_and_ours_among_them(ticket, ana, ben, drain, sink):
    replies.reply(ticket, "one", by=ana)
    with dates.moved(by=timedelta(minutes=1)):
        drain()
        intake.hear(ticket, ben, intake.Words("two", rfc_id="<second@carter.example>"))
        replies.reply(ticket, "three", by=ana)
        with dates.moved(by=timedelta(minutes=1)):
            drain()
    first, second = sink
    ids = ["<first@carter.example>", first.message["Message-ID"], "<second@carter.example>"]
    assert second.message["References"].split() == ids and second.message["In-Reply-To"] == ids[-1]


def test_twenty_letters_render_in_as_many_queries_as_one(ben, support, ana):
    def planned(count):
        for n in range(count):
            ticket = intake.open_ticket(
                ben, f"T{n}", intake.Words("w", rfc_id=f"<{n}@x>"), channel="mail", mailbox=support, address=ben.addresses.get()
            )
            replies.reply(ticket, "answer", by=ana)
        return list(Outgoing.objects.select_related("mailbox", "address"))

    def queries(rows):
        with CaptureQueriesContext(connection) as asked:
            assert len(letters.render(rows)) == len(letters.guard(rows, dates.now())) == len(rows)
        return len(asked)

    assert queries(planned(1)) == queries(planned(19))


@pytest.mark.parametrize(("reason", "leaves"), [("opt_out", 1), ("complaint", 1), ("legal", 0), ("manual", 0)])
def test_an_opt_out_stops_no_answer_but_a_person_may(ticket, ana, drain, sink, reason, leaves):
    from helpdesk.customers import consent

    consent.suppress("ben@carter.example", reason, source="test")
    replies.reply(ticket, "Here it is", by=ana)
    with dates.moved(by=timedelta(minutes=1)):
        drain()
    assert len(sink) == leaves
    assert Outgoing.objects.get().state == ("accepted" if leaves else "withheld")


def test_streams_follow_what_may_be_read(ticket, ana, noor):
    names = ["inbox", f"ticket:{ticket.pk}", "ticket:%", "ticket:", "ticket:1 OR 1", "inbox:x", f"ticket:{10**30}"]
    assert permitted(ana, names) == ["inbox", f"ticket:{ticket.pk}"]
    assert permitted(noor, names) == ["inbox"]


class TestConditions:
    OPEN = {"field": "ticket", "op": "has", "where": {"field": "open", "op": "is", "value": True}}

    def chosen(self, tree):
        tree = conditions.clean(tree, "customer")
        in_sql = set(Customer.objects.filter(conditions.to_q(tree, "customer", dates.now())))
        in_python = {c for c in Customer.objects.all() if conditions.matches(tree, "customer", c, dates.now())}
        assert in_sql == in_python
        return in_sql

    def test_has_an_open_ticket_where(self, ticket, ben, cleo, ana):
        assert self.chosen(self.OPEN) == {ben}
        urgent = {
            "field": "ticket",
            "op": "has",
            "where": {
                "all": [{"field": "priority", "op": "is", "value": "urgent"}, {"field": "open", "op": "is", "value": True}]
            },
        }
        assert self.chosen(urgent) == set()
        ticket.prioritise("urgent", by=ana)
        assert self.chosen(urgent) == {ben}
        ticket.solve(by=ana)
        assert self.chosen(urgent) == set() and self.chosen({"not": self.OPEN}) == {ben, cleo}

    @pytest.mark.parametrize(
        "leaf",
        [
            {"field": "status", "op": "is", "value": "open"},
            {"field": "waiting", "op": "is", "value": True},
            {"field": "tags", "op": "any_of", "value": ["vat"]},
            {"field": "subject", "op": "contains", "value": "locked"},
            {"field": "assignee", "op": "is_set"},
            {"field": "channel", "op": "is", "value": "mail"},
            {"field": "answers_us", "op": "is", "value": False},
        ],
    )
    def test_each_field_means_the_same_in_sql_and_python(self, ticket, ana, ben, leaf):
        ticket.tag(["vat"], by=ana)
        ticket.assign(ana, by=ana)
        tree = conditions.clean(leaf, "ticket")
        assert Ticket.objects.filter(conditions.to_q(tree, "ticket", dates.now())).exists()
        assert conditions.matches(tree, "ticket", Ticket.objects.get(), dates.now())

    def test_it_compiles_to_exists(self, ticket):
        sql = str(
            Customer.objects.filter(conditions.to_q(conditions.clean(self.OPEN, "customer"), "customer", dates.now())).query
        )
        assert "EXISTS" in sql and "JOIN" not in sql


def test_times_in_a_letter_are_the_readers_and_name_their_zone(ticket, ana, drain, sink):
    """Ben lives in Berlin, one hour ahead of UTC in winter and two in summer; of whom nobody knows that goes by ours."""
    replies.reply(ticket, "one", by=ana)
    with dates.moved(by=timedelta(minutes=1)):
        drain()
    there = dates.local(ticket.opened_at, dates.zone("Europe/Berlin"))
    for part in (sink[0].text, sink[0].html):
        assert f"{there:%H:%M %Z}, Ben Carter wrote:" in part
    Customer.objects.filter(pk=ticket.requester_id).update(zone="")
    replies.reply(ticket, "two", by=ana)
    with dates.moved(by=timedelta(minutes=2)):
        drain()
    assert f"{ticket.opened_at:%H:%M} UTC, Ben Carter wrote:" in sink[1].text
