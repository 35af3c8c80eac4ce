"""Spam: found by the mail server's word or a person's, kept apart from all that counts, and given back as it was."""

from datetime import timedelta

import pytest

from helpdesk.accounts.models import ApiToken, AuditEntry, Scope
from helpdesk.customers.models import Event
from helpdesk.lib import dates
from helpdesk.mail.models import Mailbox
from tests.tickets.conftest import back
from tickets import spam
from tickets.listing import rows_of
from tickets.models import BlockedSender, Ticket
from tickets.queues import VIEWS

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def told_by_the_server(settings):
    settings.SPAM_HEADERS = ["X-Spam-Flag", "X-Spam-Status"]


@pytest.fixture
def junk(post, letter):
    """A mail that our mail server calls spam."""
    post(letter("Buy now.", sender="Pills <eve@evil.example>", subject="Cheap", X_Spam_Flag="YES", Cc="mallory@evil.example"))
    return Ticket.objects.get(subject="Cheap")


def kinds(ticket):
    return list(Event.objects.filter(customer=ticket.requester_id).order_by("id").values_list("kind", flat=True))


def views_of(ticket, user):
    return [slug for slug, view in VIEWS.items() if rows_of(user, view).filter(pk=ticket.pk).exists()]


def test_what_the_server_calls_spam_waits_for_nobody(junk, ana, browser, sink):
    assert (junk.status, junk.waiting_since, junk.messages.get().reason) == ("spam", None, "X-Spam-Flag: YES")
    assert kinds(junk) == ["ticket.marked_spam"] and not sink and not junk.participants.exists()
    page = browser(ana)
    assert views_of(junk, ana) == ["spam"] and "Cheap" in page.get("/inbox/spam/").content.decode()
    for address in ("/inbox/", "/inbox/open/", "/inbox/open/?q=cheap"):
        assert "Cheap" not in page.get(address).content.decode(), address
    assert "Cheap" in page.get(f"/inbox/open/?q={junk.number}").content.decode()  # by its number, whoever knows it


def test_not_spam_is_a_ticket_from_the_time_they_wrote(junk, ana, browser):
    with dates.moved(by=timedelta(hours=3)):
        browser(ana).post(f"/tickets/{junk.number}/change/", {"status": "open"})
    junk.refresh_from_db()
    first = junk.messages.get()
    assert (junk.status, junk.waiting_since) == ("new", first.at) and views_of(junk, ana)[0] == "waiting"
    assert kinds(junk) == ["ticket.marked_spam", "ticket.cleared_of_spam", "customer.created", "ticket.opened"]
    opened = Event.objects.get(kind="ticket.opened")
    assert (opened.payload["message"], opened.occurred_at) == (first.pk, first.at)
    assert not spam.clear(junk, by=ana) and kinds(junk).count("ticket.opened") == 1


def test_a_header_counts_where_it_is_named_and_says_yes(post, letter, settings):
    no = [{"X_Spam_Status": "No, score=-1 tests=YES"}, {"X_Spam": "Yes"}, {"X_Spam_Flag": "NO"}]
    post(*(letter(f"Hello {n}", **each) for n, each in enumerate(no)))
    assert not Ticket.objects.filter(status="spam").exists()
    post(letter("Hello", X_Spam_Status="Yes, score=9.1 required=5.0"))
    assert Ticket.objects.get(status="spam").messages.get().reason == "X-Spam-Status: Yes, score=9.1 required=5.0"
    settings.SPAM_HEADERS = []
    post(letter("Hello again", X_Spam_Flag="YES"))
    assert Ticket.objects.filter(status="spam").count() == 1


def test_an_answer_of_somebody_we_know_is_none(post, letter, answered, ticket):
    post(back(letter, answered, text="A new one.", X_Spam_Flag="YES", Cc="books@carter.example"))
    ticket.refresh_from_db()
    assert ticket.status == "open" and ticket.messages.count() == 3
    assert ticket.messages.latest("pk").reason == "" and ticket.participants.get().address == "books@carter.example"


class TestByAPerson:
    def test_it_leaves_the_inbox_and_comes_back_as_it_was(self, ticket, ana, browser, post, letter):
        ticket.assign(ana, by=ana)
        since, page = ticket.waiting_since, browser(ana)
        shown = page.post(f"/tickets/{ticket.number}/change/", {"status": "spam"}, follow=True).content.decode()
        ticket.refresh_from_db()
        assert (ticket.status, ticket.waiting_since) == ("spam", None) and "Not spam" in shown
        assert "Send" not in shown.partition('id="composer"')[2]
        before = kinds(ticket)
        post(letter("And more", In_Reply_To="<first@carter.example>"))
        ticket.refresh_from_db()
        assert ticket.status == "spam" and ticket.messages.count() == 2 and kinds(ticket) == before
        page.post(f"/tickets/{ticket.number}/change/", {"status": "open"})
        ticket.refresh_from_db()
        assert (ticket.status, ticket.waiting_since) == ("open", since) and kinds(ticket).count("ticket.opened") == 1

    def test_who_wrote_to_what_was_solved_waits_since_then(self, ticket, ana, post, letter):
        ticket.solve(by=ana)
        spam.mark(ticket, by=ana)
        post(letter("And more", In_Reply_To="<first@carter.example>"))
        spam.clear(ticket, by=ana)
        said = ticket.messages.latest("pk")
        assert (ticket.status, ticket.waiting_since, ticket.solved_at) == ("open", said.at, None)

    def test_an_answer_says_that_it_is_none(self, junk, ana, client, omar):
        _token, bearer = ApiToken.objects.issue("writer", Scope.values, by=omar)
        headers = {"authorization": f"Bearer {bearer}"}
        listed = client.get("/api/v1/tickets", headers=headers).json()["results"]
        assert listed == [] and len(client.get("/api/v1/tickets?status=spam", headers=headers).json()["results"]) == 1
        said = {"kind": "reply", "text": "Who are you?"}
        client.post(f"/api/v1/tickets/{junk.number}/messages", said, "application/json", headers=headers)
        junk.refresh_from_db()
        assert junk.status == "pending" and junk.waiting_since is None and "ticket.opened" in kinds(junk)


class TestBlocked:
    def test_a_sender_and_a_domain(self, ticket, ana, browser, post, letter, answered):
        page = browser(ana)
        page.post(f"/tickets/{ticket.number}/block/", {"who": "address"})
        ticket.refresh_from_db()
        assert ticket.status == "spam" and BlockedSender.objects.get().name == "ben@carter.example"
        post(letter("Hello again", Cc="x@y.example"), letter("A sister", sender="sue@carter.example"))
        again, sister = Ticket.objects.order_by("pk")[1:]
        assert (again.status, again.messages.get().reason) == ("spam", "ben@carter.example is blocked")
        assert sister.status == "new" and not again.participants.exists()
        page.post(f"/tickets/{sister.number}/block/", {"who": "domain"})
        spam.clear(ticket, by=ana)  # a conversation that goes on, but not with him
        post(letter("Another", sender="tom@carter.example"), back(letter, answered, text="Who?", sender="tom@carter.example"))
        assert [each.status for each in Ticket.objects.order_by("pk")[3:]] == ["spam", "spam"]
        listed = page.get("/blocked/").content.decode()
        assert "@carter.example" in listed and "ben@carter.example" in listed and "Ana Kowalczyk" in listed

    def test_below_a_domain_and_by_the_form(self, ticket, ana, browser, post, letter, client, drain, sink):
        """Blocked is who writes, whichever way; nobody is told, and nothing is lost."""
        browser(ana).post(f"/tickets/{ticket.number}/block/", {"who": "domain"})
        post(letter("Below", sender="x@mail.eu.carter.example"), letter("Beside", sender="x@notcarter.example"))
        assert [each.status for each in Ticket.objects.order_by("pk")[1:]] == ["spam", "new"]
        nonce = client.get("/write/").context["form"].initial["nonce"]
        said = {"email": "Tom@Carter.example", "name": "Tom", "subject": "Buy", "text": "Buy now", "nonce": nonce}
        with dates.moved(by=timedelta(seconds=30)):
            assert client.post("/write/", said).status_code == 302
            drain()
        junk = Ticket.objects.get(channel="form")
        assert (junk.status, junk.messages.get().reason) == ("spam", "@carter.example is blocked")
        assert junk.waiting_since is None and not sink and "ticket.opened" not in kinds(junk)

    def test_let_in_again(self, ticket, ana, browser, post, letter):
        page = browser(ana)
        for _twice in range(2):
            page.post(f"/tickets/{ticket.number}/block/", {"who": "domain"})
        found = BlockedSender.objects.get()
        for _twice in range(2):
            assert page.post(f"/blocked/{found.pk}/unblock/").status_code == 302
        assert list(AuditEntry.objects.order_by("pk").values_list("action", "actor")) == [
            ("sender.blocked", ana.ref),
            ("sender.unblocked", ana.ref),
        ]
        post(letter("Hello again", subject="Hello"))
        assert Ticket.objects.latest("pk").status == "new"

    def test_never_ourselves(self, ticket, ana, browser, support):
        Mailbox.objects.filter(pk=support.pk).update(address="support@carter.example")
        answer = browser(ana).post(f"/tickets/{ticket.number}/block/", {"who": "domain"})
        assert answer.status_code == 409 and "@carter.example is ours" in answer.content.decode()
        assert not BlockedSender.objects.exists()

    def test_not_by_who_only_reads(self, ticket, lena, browser):
        assert browser(lena).post(f"/tickets/{ticket.number}/block/", {"who": "address"}).status_code == 403
        assert browser(lena).get("/blocked/").status_code == 403
