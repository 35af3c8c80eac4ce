"""A conversation on paper, a mail as it was sent, and its very bytes."""

import re
from typing import Any

import pytest

from helpdesk.mail.models import Outgoing
from tests.tickets.test_files import holiday
from tickets import replies
from tickets.models import Ticket

pytestmark = pytest.mark.django_db
FRAME = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"


def test_paper_holds_the_conversation_and_notes_only_by_choice(post: Any, browser: Any, ana: Any, noor: Any) -> None:
    post(holiday())
    ticket = Ticket.objects.get()
    replies.note(ticket, "He is a **friend** of the house", by=ana)
    replies.reply(ticket, "We send another.", by=ana, cc=["books@carter.example"])
    page, address = browser(ana), f"/tickets/{ticket.number}/print/"
    paper = page.get(address).content.decode()
    assert all(
        words in paper for words in ("It looks so", "We send another.", "Ben Carter", "books@carter.example", "export.csv, ")
    )
    assert "friend" not in paper and "friend" in page.get(f"{address}?notes=1").content.decode()
    assert 'class="rail"' not in paper and "composer" not in paper
    assert browser(noor).get(address).status_code == 404 and page.post(address).status_code == 405
    assert f'href="{address}"' in page.get(f"/tickets/{ticket.number}/").content.decode()


def test_paper_begins_with_what_we_wrote_first(ticket: Any, browser: Any, ana: Any) -> None:
    said = {"subject": "Your card ends soon", "text": "Your card ends <in> May.", "html": ""}
    first = Outgoing.objects.create(
        key="x", kind="campaign.message", klass="lifecycle", lane="campaigns", to="ben@carter.example", title="Card expires",
        due_at=ticket.opened_at, rendered=said,
    )  # fmt: skip
    address = f"/tickets/{ticket.number}/print/"
    assert "We wrote first" not in browser(ana).get(address).content.decode()
    Ticket.objects.filter(pk=ticket.pk).update(outgoing_id=first.pk)
    paper = browser(ana).get(address).content.decode()
    assert paper.index("We wrote first") < paper.index("Your card ends &lt;in&gt; May.") < paper.index("The code never arrives.")


def test_a_mail_as_it_was_sent_is_a_document_of_its_own(post: Any, browser: Any, ana: Any, noor: Any) -> None:
    styles = b"<style>p { color: red } </style ><style>@import '//evil.test/x'; b { background: url(//evil.test/y) }</style>"
    raw = holiday().replace(
        b"<p>It looks so:",
        styles + b'<p class="loud" style="color: #123; background: url(//evil.test/z)" onclick="x()">It looks so:',
    )
    post(raw)
    message = Ticket.objects.get().messages.get()
    assert "style" not in message.html and "class" not in message.html, "on our own page nothing has a look of its own"
    page, address = browser(ana), f"/tickets/messages/{message.pk}/letter/"
    around = page.get(address)
    assert around.status_code == 200 and re.search(r'<iframe[^>]* sandbox src="[^"]+/frame/"', around.content.decode())
    answer = page.get(f"{address}frame/")
    frame = answer.content.decode()
    assert (answer["Content-Security-Policy"], answer["X-Frame-Options"]) == (FRAME, "SAMEORIGIN")
    assert "p { color: red }" in frame and 'class="loud"' in frame and "color: #123" in frame
    assert "url(" not in frame and "@import" not in frame and "onclick" not in frame and "<script" not in frame
    assert frame.count('src="data:image/webp;base64,') == 1, "the picture, and not the vector that said it was one"
    for path in ("", "frame/"):
        assert browser(noor).get(f"{address}{path}").status_code == 404


def test_its_very_bytes_are_for_admins(post: Any, browser: Any, ana: Any, omar: Any) -> None:
    raw = holiday()
    post(raw)
    message = Ticket.objects.get().messages.get()
    address = f"/tickets/messages/{message.pk}/source/"
    answer = browser(omar).get(address)
    assert (
        answer.content == raw
        and answer["Content-Type"].startswith("text/plain")
        and answer["X-Content-Type-Options"] == "nosniff"
    )
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert browser(ana).get(address).status_code == 403
    offered = [
        f'href="{address}"' in browser(who).get(f"/tickets/{message.ticket.number}/").content.decode() for who in (omar, ana)
    ]
    assert offered == [True, False]
    note = replies.note(message.ticket, "No mail", by=ana)
    assert browser(omar).get(f"/tickets/messages/{note.pk}/source/").status_code == 404
