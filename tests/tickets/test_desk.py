"""The inbox and the ticket in a browser: who sees what, in how many queries, and that nothing happens twice."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from helpdesk.accounts.models import Team
from helpdesk.customers import identity
from helpdesk.customers.models import Event
from helpdesk.knowledge.models import Answer
from helpdesk.lib import dates
from helpdesk.mail.models import Outgoing
from tickets import intake, replies
from tickets.models import Draft, Message, Ticket

pytestmark = pytest.mark.django_db
HX = {"HTTP_HX_REQUEST": "true"}


def opened(count, support, **fields):
    """Many tickets of as many customers."""
    for n in range(count):
        customer = identity.customer_for_address(f"c{n}@many.example", f"Customer {n}")
        ticket = intake.open_ticket(
            customer,
            f"Subject {n}",
            intake.Words(f"Words {n}", at=dates.now() - timedelta(hours=count - n)),
            channel="mail",
            mailbox=support,
            address=customer.addresses.get(),
        )
        Ticket.objects.filter(pk=ticket.pk).update(**fields)


def numbers(page):
    return [row.number for row in page.context["page"].rows]


class TestInbox:
    def test_who_waits_longest_comes_first_and_pages_do_not_overlap(self, browser, ana, support):
        opened(45, support)
        ana_s = browser(ana)
        first = ana_s.get("/inbox/")
        second = ana_s.get(first.context["older"])
        assert len(numbers(first)) == 40 and len(numbers(second)) == 5
        assert numbers(first) + numbers(second) == sorted(Ticket.objects.values_list("number", flat=True))
        assert "Subject 0" in first.content.decode() and second.context["older"] == ""

    def test_forty_rows_take_no_more_queries_than_two(self, browser, ana, support):
        opened(2, support)
        ana_s = browser(ana)
        ana_s.get("/inbox/")
        with CaptureQueriesContext(connection) as two:
            ana_s.get("/inbox/")
        opened(40, support)
        with CaptureQueriesContext(connection) as forty:
            assert len(numbers(ana_s.get("/inbox/"))) == 40
        assert len(forty) == len(two) <= 12, [q["sql"][:100] for q in forty]

    def test_each_view_holds_its_own(self, browser, ana, ticket, support):
        ana_s = browser(ana)
        hold = lambda slug: numbers(ana_s.get(f"/inbox/{slug}/")) == [ticket.number]  # noqa: E731
        assert [hold(s) for s in ("waiting", "mine", "unassigned", "pending", "open", "solved")] == [1, 0, 1, 0, 1, 0]
        ticket.assign(ana, by=ana)
        replies.reply(ticket, "Hello", by=ana)
        assert [hold(s) for s in ("waiting", "mine", "unassigned", "pending", "open", "solved")] == [0, 1, 0, 1, 1, 0]
        ticket.solve(by=ana)
        assert [hold(s) for s in ("waiting", "mine", "unassigned", "pending", "open", "solved")] == [0, 0, 0, 0, 0, 1]

    def test_counts_and_lists_know_only_what_the_reader_may_see(self, browser, ana, noor, ticket):
        for user, there in ((ana, 1), (noor, 0)):
            page = browser(user).get("/inbox/open/")
            assert len(numbers(page)) == there and page.context["count"] == str(there)
            assert len(numbers(browser(user).get("/inbox/open/?q=locked"))) == there

    def test_unread_until_it_is_opened(self, browser, ana, mia, ticket):
        assert b"data-unread" in browser(ana).get("/inbox/").content
        browser(ana).get(f"/tickets/{ticket.number}/")
        assert b"data-unread" not in browser(ana).get("/inbox/").content
        assert b"data-unread" in browser(mia).get("/inbox/").content

    @pytest.mark.parametrize(
        "query", ["after=x", "after=2026-01-01_1", "after=2026-13-01T00:00:00Z_1", "after=2026-01-01T00:00:00Z_%00"]
    )
    def test_a_page_address_that_is_none_is_404(self, browser, ana, query):
        assert browser(ana).get(f"/inbox/?{query}").status_code == 404

    def test_the_list_alone_for_live_updates(self, browser, ana, ticket):
        part = browser(ana).get("/inbox/waiting/?part=list").content.decode()
        assert "Locked out" in part and "<html" not in part

    def test_doors(self, browser, client, ana):
        assert client.get("/inbox/").status_code == 302 and "/accounts/login" in client.get("/inbox/").url
        assert browser(ana).post("/inbox/").status_code == 405
        assert browser(ana).get("/inbox/nothing/").status_code == 404


class TestSearch:
    @pytest.mark.parametrize("words", ["locked", "LOCK out", "code arriv", "#{n}", "{n}", "Ben Cart", "ben@carter"])
    def test_finds(self, browser, ana, ticket, words):
        assert numbers(browser(ana).get("/inbox/", {"q": words.format(n=ticket.number)})) == [ticket.number]

    @pytest.mark.parametrize(
        "words", ["unlocked", "'; drop table tickets_ticket --", "& | !", "\x00", "%", "&:*", "locked banana"]
    )
    def test_finds_nothing_and_breaks_nothing(self, browser, ana, ticket, words):
        page = browser(ana).get("/inbox/solved/", {"q": words})
        assert page.status_code == 200 and (words in ("\x00",) or numbers(page) == [])


class TestTicket:
    def test_fifty_messages_cost_a_bounded_number_of_queries(self, browser, ana, ticket, ben):
        for n in range(60):
            message = intake.hear(ticket, ben, intake.Words(f"Words {n}"))
        replies.reply(ticket, "Our words", by=ana)
        ticket.assign(ana, by=ana)
        message = intake.hear(ticket, ben, intake.Words("Theirs"))
        ana_s = browser(ana)
        ana_s.get("/inbox/")
        with CaptureQueriesContext(connection) as asked:  # the first look notes how far it was read; a second one asks 15
            page = ana_s.get(f"/tickets/{ticket.number}/?view=waiting")
        assert len(asked) <= 16, "\n".join(q["sql"][:70] + q["sql"][q["sql"].find(" FROM ") :][:60] for q in asked)
        shown = [line.message.pk for line in page.context["talk"].lines if line.message]
        assert len(shown) == 50 and shown[-1] == message.pk
        older = ana_s.get(f"/tickets/{ticket.number}/?before={page.context['talk'].earlier}")
        assert len([line for line in older.context["talk"].lines if line.message]) == 13

    def test_the_panes_alone_for_htmx(self, browser, ana, ticket):
        part = browser(ana).get(f"/tickets/{ticket.number}/", **HX).content.decode()
        assert "<html" not in part and 'id="ticket-pane"' in part and 'hx-swap-oob="true"' in part

    def test_what_is_not_theirs_is_not_there(self, browser, noor, ticket):
        noor_s = browser(noor)
        for part in ("", "properties/", "answers/", "sent/"):
            assert noor_s.get(f"/tickets/{ticket.number}/{part}").status_code == 404
        for part in ("change/", "compose/", "draft/", "insert/", "messages/1/unsend/", "messages/1/resend/"):
            assert (
                noor_s.post(
                    f"/tickets/{ticket.number}/{part}", {"status": "solved", "text": "x", "kind": "note", "seen": 1}
                ).status_code
                == 404
            )
        ticket.refresh_from_db()
        assert ticket.status == "new" and ticket.messages.count() == 1

    def test_her_own_ticket_of_another_team_is_hers(self, browser, noor, ana, ticket):
        ticket.assign(noor, by=ana)
        assert browser(noor).get(f"/tickets/{ticket.number}/").status_code == 200
        ticket.assign(None, by=ana)
        ticket.move_to(Team.objects.get(slug="billing"), by=ana)
        assert browser(noor).get(f"/tickets/{ticket.number}/").status_code == 200

    def test_a_light_agent_reads_and_keeps_notes_and_no_more(self, browser, lena, ticket):
        lena_s, at = browser(lena), f"/tickets/{ticket.number}/"
        page = lena_s.get(at).content.decode()
        assert 'value="reply"' not in page and "Add note" in page
        for part, data in (("change/", {"status": "solved"}), ("compose/", {"kind": "reply", "text": "x", "seen": 9})):
            assert lena_s.post(at + part, data).status_code == 403
        assert lena_s.post(at + "compose/", {"kind": "note", "text": "Seen", "seen": 0}).status_code == 302
        assert ticket.messages.get(kind="note").user == lena

    def test_doors(self, browser, client, ana, ticket):
        at = f"/tickets/{ticket.number}/"
        assert client.get(at).status_code == 302 and browser(ana).post(at).status_code == 405
        for part in ("change/", "compose/", "draft/", "insert/", "messages/1/unsend/", "messages/1/resend/"):
            assert browser(ana).get(at + part).status_code == 405 and client.post(at + part).status_code == 302
        assert browser(ana).get("/tickets/999999/").status_code == 404
        assert browser(ana).get("/tickets/99999999999999999999/").status_code == 404


class TestChange:
    def test_each_property_once_with_its_event(self, browser, ana, ticket):
        ana_s, at = browser(ana), f"/tickets/{ticket.number}/change/"
        team = Team.objects.create(slug="x", name="X")
        for data in (
            {"assignee": "me"},
            {"priority": "urgent"},
            {"tags": "vat, Invoice , vat"},
            {"team": team.pk},
            {"status": "hold"},
        ):
            before = Event.objects.exclude(kind="ticket.status_changed").count()
            hold = "status" in data
            assert [ana_s.post(at, data).status_code, ana_s.post(at, data).status_code] == [302, 302]
            assert Event.objects.exclude(kind="ticket.status_changed").count() == before + (not hold), data
        assert Event.objects.filter(kind="ticket.status_changed").count() == 2  # taken, and put on hold
        ticket.refresh_from_db()
        assert (ticket.assignee, ticket.priority, ticket.tags, ticket.team, ticket.status) == (
            ana,
            "urgent",
            ["invoice", "vat"],
            team,
            "hold",
        )

    def test_what_lies_a_minute_apart_tells_its_own_time_on_one_line(self, browser, ana, mia, ticket):
        """A day that is long past stands once, with the times of that day."""
        at, noon = f"/tickets/{ticket.number}/", datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
        Ticket.objects.filter(pk=ticket.pk).update(opened_at=noon - timedelta(hours=1))
        ticket.messages.update(at=noon - timedelta(hours=1))
        changes = (0, ana, "high"), (59, ana, "low"), (61, mia, "urgent"), (540, ana, "normal"), (600, mia, "high")
        for seconds, who, priority in changes:
            with dates.moved(to=noon + timedelta(seconds=seconds), still=True):
                Ticket.objects.get(pk=ticket.pk).prioritise(priority, by=who)

        def told(days: int) -> list[list[str]]:
            with dates.moved(to=noon + timedelta(days=days, hours=1)):
                page = browser(ana).get(at).content.decode()
            lines = re.findall(r'<p class="event"><span>(<span class="moment">.*?)</span></p>', page, re.DOTALL)
            return [re.findall(r">([^<]+)</time>", line) for line in lines]

        assert told(0) == [["12:00", "12:01", "12:09"], ["12:10"]]
        assert told(1) == [["Mon 12:00", "12:01", "12:09"], ["Mon 12:10"]]
        assert told(20) == [["23 November, 12:00", "12:01", "12:09"], ["23 November"]]

    def test_solving_twice_is_one_solve_and_goes_on_to_the_next(self, browser, ana, ticket, support):
        opened(1, support)
        ana_s = browser(ana)
        answers = [ana_s.post(f"/tickets/{ticket.number}/change/?view=open", {"status": "solved", "next": "1"}) for _ in range(2)]
        following = Ticket.objects.exclude(pk=ticket.pk).get()
        assert [a.url for a in answers] == [f"/tickets/{following.number}/?view=open"] * 2
        assert Event.objects.filter(kind="ticket.solved").count() == 1

    @pytest.mark.parametrize(
        "data", [{"status": "gone"}, {"priority": "9"}, {"assignee": "77"}, {"team": "x"}, {"assignee__email": "x"}]
    )
    def test_what_cannot_be_is_said_and_changes_nothing(self, browser, ana, ticket, data):
        before = Ticket.objects.values().get()
        answer = browser(ana).post(f"/tickets/{ticket.number}/change/", data)
        assert answer.status_code == (302 if "assignee__email" in data else 422)
        assert Ticket.objects.values().get() == before

    def test_a_light_agent_is_nobody_to_assign_to(self, browser, ana, lena, ticket):
        assert browser(ana).post(f"/tickets/{ticket.number}/change/", {"assignee": lena.pk}).status_code == 422

    def test_a_closed_ticket_never_changes(self, browser, ana, ticket):
        ticket.close(by=ana)
        assert browser(ana).post(f"/tickets/{ticket.number}/change/", {"priority": "low"}).status_code == 409

    def test_csrf_is_asked(self, ana, ticket):
        from django.test import Client

        strict = Client(enforce_csrf_checks=True)
        strict.force_login(ana, backend="allauth.account.auth_backends.AuthenticationBackend")
        assert strict.post(f"/tickets/{ticket.number}/change/", {"status": "solved"}).status_code == 403

    def test_the_properties_page_saves_all_at_once(self, browser, ana, ticket):
        form = browser(ana).get(f"/tickets/{ticket.number}/properties/").context["form"]
        data = {name: form.get_initial_for_field(field, name) or "" for name, field in form.fields.items()} | {
            "tags": "a, b",
            "status": "open",
        }
        browser(ana).post(f"/tickets/{ticket.number}/change/", data)
        ticket.refresh_from_db()
        assert ticket.tags == ["a", "b"] and ticket.status == "open" and ticket.team is not None


class TestFiles:
    def test_a_file_is_its_messages(self, browser, client, ana, noor, ticket, ben):
        from io import BytesIO

        from tickets.attachments import keep

        kept = keep(BytesIO(b"<script>alert(1)</script>"), "evil.html", "text/html")
        assert browser(ana).get(f"/tickets/files/{kept.pk}/").status_code == 404  # of no message yet
        intake.hear(ticket, ben, intake.Words("See", attachments=[kept]))
        got = browser(ana).get(f"/tickets/files/{kept.pk}/")
        assert (
            got.status_code == 200
            and got["Content-Disposition"].startswith("attachment")
            and "sandbox" in got["Content-Security-Policy"]
        )
        assert got["Content-Type"] == "application/octet-stream" and got["X-Content-Type-Options"] == "nosniff"
        assert browser(noor).get(f"/tickets/files/{kept.pk}/").status_code == 404
        assert client.get(f"/tickets/files/{kept.pk}/").status_code == 302
        assert browser(ana).post(f"/tickets/files/{kept.pk}/").status_code == 405


class TestCompose:
    @pytest.fixture
    def say(self, browser, ana, ticket):
        own = browser(ana)

        def send(text="Try **again**", **more):
            data = {
                "kind": "reply",
                "text": text,
                "seen": Message.objects.latest("id").pk,
                "cc": "",
                "status": "",
                "once": "abc123",
            }
            return own.post(f"/tickets/{ticket.number}/compose/?view=open", data | more)

        send.browser = own
        return send

    def test_a_reply_leaves_after_its_seconds_to_everybody(self, say, ticket, drain, sink):
        assert (
            say(cc="books@carter.example, Boss@carter.example", files=[SimpleUploadedFile("a.txt", b"file")]).status_code == 302
        )
        drain()
        assert sink == []  # it can still be taken back
        with dates.moved(by=timedelta(seconds=20)):
            drain()
        [mail] = sink
        assert set(mail.recipients) == {"ben@carter.example", "books@carter.example", "Boss@carter.example"}
        assert (
            mail.message["Cc"] == "books@carter.example, Boss@carter.example"
            and mail.message["In-Reply-To"] == "<first@carter.example>"
        )
        assert "Try **again**" in mail.text and "<strong>again</strong>" in mail.html and "> The code never arrives." in mail.text
        assert [a.get_filename() for a in mail.message.iter_attachments()] == ["a.txt"]
        ticket.refresh_from_db()
        assert ticket.status == "pending" and ticket.first_replied_at and ticket.waiting_since is None
        page = say.browser.get(f"/tickets/{ticket.number}/").content.decode()
        assert "Sent" in page and "Cc books@carter.example, Boss@carter.example" in page

    def test_two_clicks_are_one_reply(self, say, ticket):
        for _ in range(2):
            assert say(seen=ticket.last_message_id).status_code == 302
        assert ticket.messages.count() == 2 and Outgoing.objects.count() == 1
        assert Event.objects.filter(kind="ticket.replied").count() == 1

    def test_send_and_solve_is_both_and_goes_on_to_the_next(self, say, ticket, support):
        opened(2, support)
        after = Ticket.objects.get(subject="Subject 1")  # the one below Ben's
        answer = say(status="solved")
        ticket.refresh_from_db()
        assert ticket.status == "solved" and answer.url == f"/tickets/{after.number}/?view=open"
        page = say.browser.get(answer.url).content.decode()
        assert f"/tickets/{ticket.number}/messages/{ticket.last_message_id}/unsend/?view=open" in page  # it can be undone there

    def test_a_plain_send_stays_at_the_ticket(self, say, ticket, support):
        opened(1, support)
        assert say().url == f"/tickets/{ticket.number}/?view=open"

    def test_a_note_leaves_for_nobody_and_moves_no_clock(self, say, ticket, drain, sink):
        say("@Omar look", kind="note")
        with dates.moved(by=timedelta(minutes=1)):
            drain()
        was = ticket.waiting_since
        ticket.refresh_from_db()
        assert sink == [] and not Outgoing.objects.exists() and ticket.waiting_since == was and ticket.status == "new"
        page = say.browser.get(f"/tickets/{ticket.number}/").content.decode()
        assert "Note, team only" in page

    def test_undo_puts_everything_back(self, say, ticket, drain, sink):
        before = Ticket.objects.values().get()
        say("Wrong words", cc="x@y.example", status="solved", files=[SimpleUploadedFile("a.txt", b"file")])
        reply = ticket.messages.get(kind="reply")
        undo = f"/tickets/{ticket.number}/messages/{reply.pk}/unsend/"
        assert undo.encode() in say.browser.get(f"/tickets/{ticket.number}/").content
        assert [say.browser.post(undo).status_code for _ in range(2)] == [302, 302]
        with dates.moved(by=timedelta(minutes=1)):
            drain()
        assert sink == [] and Ticket.objects.values().get() == before and ticket.messages.count() == 1
        draft = Draft.objects.get()
        assert (draft.text, draft.cc, draft.attachments.count()) == ("Wrong words", "x@y.example", 1)
        assert b"Wrong words" in say.browser.get(f"/tickets/{ticket.number}/").content

    def test_undo_after_it_left_says_so(self, say, ticket, drain, sink):
        say()
        with dates.moved(by=timedelta(minutes=1)):
            drain()
            reply = ticket.messages.get(kind="reply")
            page = say.browser.post(f"/tickets/{ticket.number}/messages/{reply.pk}/unsend/", follow=True).content.decode()
        assert "Too late" in page and len(sink) == 1 and ticket.messages.count() == 2

    def test_undo_after_he_wrote_meanwhile_keeps_his_turn(self, say, ticket, ben):
        waited = ticket.waiting_since
        say()
        reply = ticket.messages.get(kind="reply")
        intake.hear(ticket, ben, intake.Words("One more thing"))
        say.browser.post(f"/tickets/{ticket.number}/messages/{reply.pk}/unsend/")
        ticket.refresh_from_db()
        assert ticket.waiting_since == waited and ticket.first_replied_at is None and ticket.status == "open"

    def test_somebody_wrote_first_and_nothing_is_lost(self, say, ticket, ben, drain):
        seen = ticket.last_message_id
        intake.hear(ticket, ben, intake.Words("It works now!"))
        answer = say("Long thoughts", seen=seen, cc="x@y.example", files=[SimpleUploadedFile("a.txt", b"file")])
        page = answer.content.decode()
        assert answer.status_code == 409 and "It works now!" in page and "Long thoughts" in page and "a.txt" in page
        assert ticket.messages.count() == 2 and not Outgoing.objects.exists()
        again = say("Long thoughts", kept=Draft.objects.get().attachments.get().pk)
        assert again.status_code == 302 and ticket.messages.latest("id").attachments.count() == 1 and not Draft.objects.exists()

    def test_ones_own_newer_words_are_no_surprise(self, say, ticket):
        seen = ticket.last_message_id
        say("first", seen=seen, once="a1")
        assert say("second", seen=seen, once="a2").status_code == 302

    @pytest.mark.parametrize(
        ("wrong", "words"), [({"text": "  "}, "nothing to send"), ({"cc": "ben@"}, "ben@"), ({"seen": "x"}, "whole number")]
    )
    def test_what_cannot_be_sent_comes_back_whole(self, say, ticket, wrong, words):
        answer = say(**({"text": "Kept words", "cc": "books@carter.example"} | wrong))
        page = answer.content.decode()
        assert answer.status_code == (409 if "cc" in wrong else 422) and words in page and not Outgoing.objects.exists()
        assert ("Kept words" in page) == ("text" not in wrong)

    def test_a_closed_ticket_takes_no_reply(self, say, ticket, ana):
        ticket.close(by=ana)
        assert say().status_code == 409 and Draft.objects.get().text == "Try **again**"

    def test_the_draft_is_saved_shown_and_forgotten(self, say, ticket, browser, mia):
        at = f"/tickets/{ticket.number}/draft/"
        assert b"Draft saved" in say.browser.post(at, {"kind": "note", "text": "Half a th"}).content
        assert b"Half a th" in say.browser.get(f"/tickets/{ticket.number}/").content
        assert b"Half a th" not in browser(mia).get(f"/tickets/{ticket.number}/").content
        say.browser.post(at, {"kind": "note", "text": " "})
        assert not Draft.objects.exists()

    def test_a_draft_that_arrives_after_its_reply_is_ignored(self, say, ticket):
        say()
        say.browser.post(f"/tickets/{ticket.number}/draft/", {"kind": "reply", "text": "Try **again**", "once": "abc123"})
        assert not Draft.objects.exists()

    def test_somebody_elses_draft_file_cannot_be_taken(self, say, ticket, mia):
        from io import BytesIO

        from tickets.attachments import keep

        secret = keep(BytesIO(b"secret"), "secret.txt")
        Draft.objects.create(ticket=ticket, user=mia).attachments.add(secret)
        say(kept=secret.pk)
        assert ticket.messages.get(kind="reply").attachments.count() == 0
        assert say.browser.get(f"/tickets/files/{secret.pk}/").status_code == 404

    def test_an_answer_is_put_into_the_draft_without_script(self, say, ticket):
        answer = Answer.objects.create(title="VAT number", body="Under **Settings**.")
        assert b"VAT number" in say.browser.get(f"/tickets/{ticket.number}/answers/?q=vat").content
        say.browser.post(f"/tickets/{ticket.number}/insert/", {"answer": answer.pk})
        assert b"Under **Settings**." in say.browser.get(f"/tickets/{ticket.number}/").content
        assert say.browser.post(f"/tickets/{ticket.number}/insert/", {"answer": "x"}).status_code == 404

    @pytest.mark.parametrize("state", ["unknown", "bounced", "failed"])
    def test_what_did_not_arrive_is_said_and_sent_again_by_choice(self, say, ticket, drain, sink, state):
        say()
        Outgoing.objects.update(state=state, reason="No such user")
        reply = ticket.messages.get(kind="reply")
        again = f"/tickets/{ticket.number}/messages/{reply.pk}/resend/"
        page = say.browser.get(f"/tickets/{ticket.number}/").content.decode()
        assert "No such user" in page and again in page
        for _ in range(2):
            say.browser.post(again)
        with dates.moved(by=timedelta(minutes=1)):
            drain()
        assert len(sink) == 1
