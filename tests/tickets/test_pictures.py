"""A picture named in an answer, ``![…](cid:…)``, stands where it was put: on the page, and in the mail (RFC 2387, 2392)."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from helpdesk.lib import dates
from tickets import attachments

pytestmark = pytest.mark.django_db
PNG = b"\x89PNG\r\n\x1a\n"


def test_it_stands_where_it_was_put(ticket, ana, browser, drain, sink):
    own = browser(ana)
    data = {
        "kind": "reply",
        "text": 'Press here:\n\n![the plan](cid:a%20plan.png)\n\nnot ![there](cid:gone.png), and write `<img src="/x">`.',
        "seen": ticket.last_message_id,
        "files": [SimpleUploadedFile("a plan.png", PNG, "image/png"), SimpleUploadedFile("list.txt", b"x", "text/plain")],
    }
    assert own.post(f"/tickets/{ticket.number}/compose/", data).status_code == 302
    message = ticket.messages.get(kind="reply")
    picture = message.attachments.get(name="a plan.png")
    assert f'<img src="{attachments.picture_url(picture)}" alt="the plan">' in message.html
    assert attachments.picture_url(picture) in own.get(f"/tickets/{ticket.number}/").content.decode()
    with dates.moved(by=timedelta(minutes=1)):
        drain()
    (got,) = sink
    assert "Press here:\n\n[the plan]" in got.text.replace("\r\n", "\n")
    (related,) = [part for part in got.message.walk() if part.get_content_type() == "multipart/related"]
    html, shown = related.iter_parts()
    assert html.get_content_type() == "text/html" and shown.get_content() == PNG and shown.get_content_disposition() == "inline"
    assert f'<img src="cid:{shown["Content-ID"].strip("<>")}" alt="the plan">' in got.html
    assert '<img alt="there">' in got.html and "/tickets/files/" not in got.html
    assert 'src="/x"' in got.html  # words are words
    assert [part.get_filename() for part in got.message.iter_attachments()] == ["list.txt"]
