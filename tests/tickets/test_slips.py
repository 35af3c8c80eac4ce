"""What people take back, and what the list and the conversation then say."""

import html
import re
from datetime import timedelta

import pytest

from helpdesk.customers import identity
from helpdesk.lib import dates
from tickets import intake, replies
from tickets.models import Ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def others(support):
    """Two who wrote before Ben and one who wrote after him."""
    made = []
    for name, hours in (("Ada", 9), ("Bea", 8), ("Zoe", -1)):
        customer = identity.customer_for_address(f"{name.lower()}@many.example", name)
        words = intake.Words("Help", at=dates.now() - timedelta(hours=hours))
        made.append(intake.open_ticket(customer, f"From {name}", words, channel="mail", mailbox=support))
    return made


def events_shown(page):
    """The thin lines between messages, as words."""
    lines = re.findall(r'<p class="event"><span>(.*?) · <time', page.content.decode(), re.S)
    return [" ".join(html.unescape(re.sub(r"<[^>]+>", "", line)).split()) for line in lines]


class TestSolve:
    def test_from_a_direct_link_one_goes_on_to_the_one_below_in_the_list_that_is_shown(self, browser, ana, ticket, others):
        answer = browser(ana).post(f"/tickets/{ticket.number}/change/", {"status": "solved", "next": "1"})
        assert answer.url == f"/tickets/{others[2].number}/"

    def test_undo_stands_in_the_word_of_it_and_he_has_waited_all_along(self, browser, ana, ticket):
        ana_s, before = browser(ana), Ticket.objects.values().get()
        with dates.moved(by=timedelta(hours=5)):
            page = ana_s.post(f"/tickets/{ticket.number}/change/?view=open", {"status": "solved", "next": "1"}, follow=True)
            undo = f"/tickets/{ticket.number}/unsolve/?view=open"
            assert f'formaction="{undo}"' in page.content.decode()
            assert [ana_s.post(undo).status_code for _ in range(2)] == [302, 302]
        assert Ticket.objects.values().get() == before

    def test_undo_of_what_is_closed_since_is_refused(self, browser, ana, ticket):
        ticket.solve(by=ana)
        ticket.close(by=ana)
        answer = browser(ana).post(f"/tickets/{ticket.number}/unsolve/")
        ticket.refresh_from_db()
        assert answer.status_code in (403, 404, 409) and ticket.status == "closed"

    def test_who_may_not_solve_may_not_undo_it(self, browser, lena, noor, ana, ticket):
        ticket.solve(by=ana)
        assert browser(lena).post(f"/tickets/{ticket.number}/unsolve/").status_code == 403
        assert browser(noor).post(f"/tickets/{ticket.number}/unsolve/").status_code == 404
        ticket.refresh_from_db()
        assert ticket.status == "solved"


class TestAnswerTakenBack:
    def test_the_status_it_gave_and_took_is_not_told(self, browser, ana, ticket):
        ana_s = browser(ana)
        replies.unsend(replies.reply(ticket, "Wrong", by=ana), by=ana)
        assert events_shown(ana_s.get(f"/tickets/{ticket.number}/")) == ["Ana Kowalczyk: took an answer back"]
        replies.reply(ticket, "Right", by=ana)
        assert events_shown(ana_s.get(f"/tickets/{ticket.number}/")) == ["Ana Kowalczyk: took an answer back"]

    def test_a_change_that_is_left_of_it_is_told(self, browser, ana, ticket, ben):
        first = replies.reply(ticket, "Wrong", by=ana)
        replies.note(ticket, "He rang.", by=ana)
        replies.unsend(first, by=ana)
        said = events_shown(browser(ana).get(f"/tickets/{ticket.number}/"))
        ticket.refresh_from_db()
        assert said == ["Ana Kowalczyk: set to Pending", "Ana Kowalczyk: took an answer back · Ana Kowalczyk: set to New"]
        assert ticket.status == "new"

    def test_the_ledger_says_once_that_it_was_taken_back(self, browser, ana, ticket, ben):
        replies.unsend(replies.reply(ticket, "Wrong", by=ana), by=ana)
        page = browser(ana).get(f"/customers/{ben.pk}/").content.decode()
        assert "Taken back by" not in page and "taken back: by Ana Kowalczyk" in page


def test_the_seconds_that_are_left_come_with_the_page(browser, ana, ticket, settings):
    settings.UNDO_SEND = 8
    with dates.moved(to=dates.now()):
        replies.reply(ticket, "Hello", by=ana)
        page = browser(ana).get(f"/tickets/{ticket.number}/").content.decode()
    left = re.search(r'data-leaves="([\d.]+)" data-words="Leaves in %d s" data-then="About to leave">Leaves in (\d+) s<', page)
    assert left and 0 < float(left[1]) <= 8 and int(left[2]) <= 8


def test_words_of_a_stranger_say_in_the_list_whose_they_are(browser, ana, ticket, ben):
    eve = identity.customer_for_address("eve@evil.example", "Ben Carter")
    intake.hear(ticket, eve, intake.Words("Send it to me", name="Ben Carter", address="eve@evil.example"), stranger=True)
    page = browser(ana).get("/inbox/open/").content.decode()
    assert "eve@evil.example: Send it to me" in page
    intake.hear(ticket, ben, intake.Words("Now it is me"))
    assert ">Now it is me<" in browser(ana).get("/inbox/open/").content.decode()


def test_a_search_that_finds_nothing_does_not_say_that_all_is_quiet(browser, ana, ticket):
    page = browser(ana).get("/inbox/open/?q=zeppelin").content.decode()
    assert "Nothing found" in page and "All quiet" not in page and 'href="/inbox/open/"' in page
