"""Files of a conversation: pictures in the words, thumbnails beside them, texts to read, and everything else to take home."""

import re
from email.message import EmailMessage
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from helpdesk.files import pictures
from tests.pictures import SVG, drawing, opened
from tickets import attachments, replies
from tickets.models import Ticket

pytestmark = pytest.mark.django_db
CSP = "default-src 'none'; sandbox"


def holiday() -> bytes:
    """A mail as a mail program makes it: HTML with a picture in it, one that is an SVG, and files beside them."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Ben Carter <ben@carter.example>", "support@nordwind.example", "Router"
    mail.set_content("It looks so: [picture]")
    html = '<p>It looks so: <img src="cid:lamp@x" alt="The lamp"> <img src="cid:vector@x" alt="A vector"></p>'
    mail.add_alternative(html, subtype="html")
    part = mail.get_payload()[1]
    part.add_related(drawing("JPEG"), "image", "jpeg", cid="<lamp@x>", filename="lamp.jpg", disposition="inline")
    part.add_related(SVG, "image", "png", cid="<vector@x>", filename="vector.png", disposition="inline")
    mail.add_attachment(drawing(size=(400, 300)), "image", "png", filename="screen.png")
    mail.add_attachment("a;b\n<script>alert(1)</script>;ü\n".encode(), "text", "csv", filename="export.csv")
    mail.add_attachment(b"<html><script>alert(1)</script></html>", "application", "pdf", filename="invoice.pdf")
    return mail.as_bytes()


def test_pictures_of_the_mail_stand_in_its_words_and_nowhere_else(post: Any, browser: Any, ana: Any) -> None:
    post(holiday())
    ticket = Ticket.objects.get()
    message = ticket.messages.get()
    kinds = {file.name: file.content_type for file in message.attachments.all()}
    assert kinds == {"lamp.jpg": "image/jpeg", "vector.png": "image/svg+xml", "screen.png": "image/png",
                     "export.csv": "text/csv", "invoice.pdf": "text/html"}  # fmt: skip
    page = browser(ana)
    shown = page.get(f"/tickets/{ticket.number}/").content.decode()
    words = shown.partition('<div class="words">')[2].partition("</div>")[0]
    [source] = re.findall(r'src="([^"]+)"', words)
    assert 'alt="The lamp"' in words and 'data-cid="vector@x"' in words and "svg" not in words
    picture = page.get(source)
    assert (picture["Content-Type"], picture["Content-Security-Policy"], picture["X-Content-Type-Options"]) == (
        "image/webp",
        CSP,
        "nosniff",
    )
    assert opened(picture.content).format == "WEBP"
    files = shown.partition('<div class="files">')[2].partition("</article>")[0]
    assert "lamp.jpg" not in files and all(name in files for name in ("vector.png", "screen.png", "export.csv", "invoice.pdf"))
    assert files.count("<img") == 1 and files.count("/look/") == 2, "one thumbnail; what can be looked at: it and the text"


def test_a_file_is_looked_at_or_taken_home(post: Any, browser: Any, ana: Any, noor: Any, client: Any) -> None:
    post(holiday())
    ticket = Ticket.objects.get()
    files = {file.name: file for file in ticket.messages.get().attachments.all()}
    page = browser(ana)
    for name, file in files.items():
        answer = page.get(f"/tickets/files/{file.pk}/")
        assert answer["Content-Disposition"].startswith("attachment") and answer["Content-Type"] == "application/octet-stream"
        assert (answer["Content-Security-Policy"], answer["X-Content-Type-Options"]) == (CSP, "nosniff"), name
        look = page.get(f"/tickets/files/{file.pk}/look/")
        assert (
            look.status_code == 200
            and "<script>alert" not in look.content.decode()
            and f"#{ticket.number}" in look.content.decode()
        )
        for path in ("", "look/", "picture/small/"):
            assert browser(noor).get(f"/tickets/files/{file.pk}/{path}").status_code == 404
            assert client.get(f"/tickets/files/{file.pk}/{path}").status_code == 302
    assert (
        "&lt;script&gt;alert(1)&lt;/script&gt;;ü" in page.get(f"/tickets/files/{files['export.csv'].pk}/look/").content.decode()
    )
    assert "not shown here" in page.get(f"/tickets/files/{files['invoice.pdf'].pk}/look/").content.decode()
    for name, size, status in (("screen.png", "small", 200), ("screen.png", "large", 200), ("screen.png", "huge", 404),
                               ("vector.png", "small", 404), ("export.csv", "small", 404)):  # fmt: skip
        assert page.get(f"/tickets/files/{files[name].pk}/picture/{size}/").status_code == status, (name, size)


def test_a_thumbnail_is_drawn_once(ticket: Ticket, browser: Any, ana: Any, monkeypatch: Any) -> None:
    file = attachments.keep(SimpleUploadedFile("a.png", drawing(size=(900, 500))), "a.png", "image/png")
    broken = attachments.keep(SimpleUploadedFile("b.png", drawing()[:70]), "b.png", "image/png")
    replies.note(ticket, "See", by=ana, attachments=[file, broken])
    page, drawn = browser(ana), []
    still = pictures.still
    monkeypatch.setattr(pictures, "still", lambda *what: drawn.append(1) or still(*what))
    first, second = (page.get(f"/tickets/files/{file.pk}/picture/small/").content for _ in range(2))
    assert first == second and opened(first).size == (160, 89) and drawn == [1]
    assert page.get(f"/tickets/files/{broken.pk}/picture/small/").status_code == 424


def test_a_mail_full_of_pictures_leaves_threads_for_others(ticket: Ticket, browser: Any, ana: Any) -> None:
    file = attachments.keep(SimpleUploadedFile("a.png", drawing()), "a.png", "image/png")
    replies.note(ticket, "See", by=ana, attachments=[file])
    page, address = browser(ana), f"/tickets/files/{file.pk}/picture/small/"
    for _ in range(pictures.IN_ALL):
        pictures._inside.acquire()
    try:
        full = page.get(address)
    finally:
        for _ in range(pictures.IN_ALL):
            pictures._inside.release()
    assert (full.status_code, full["Retry-After"]) == (503, "1")
    assert page.get(address).status_code == 200 and page.get(address).status_code == 200


@pytest.mark.parametrize(
    ("content", "reads"),
    [
        ("Grüße, 日本".encode(), "Grüße, 日本"),
        ("Grüße".encode("utf-8-sig"), "Grüße"),
        ("Grüße".encode("latin-1"), "Grüße"),
        ("Grüße, 日本".encode("utf-16"), "Grüße, 日本"),
        (b"x" * 199_999 + "ü".encode(), "beginning"),
    ],
)
def test_a_text_is_read_in_the_letters_it_is_written_in(
    content: bytes, reads: str, ticket: Ticket, browser: Any, ana: Any
) -> None:
    file = attachments.keep(SimpleUploadedFile("a.txt", content), "a.txt", "text/plain")
    replies.note(ticket, "See", by=ana, attachments=[file])
    page = browser(ana).get(f"/tickets/files/{file.pk}/look/").content.decode()
    assert reads in page and "\ufeff" not in page


def test_files_that_a_draft_kept_count_with_those_that_are_added(ticket: Ticket, browser: Any, ana: Any, settings: Any) -> None:
    settings.MAX_ATTACHMENT_BYTES = 1_000_000
    page, file = browser(ana), lambda name: SimpleUploadedFile(name, name.encode() * 300_000)
    said = {"kind": "note", "seen": ticket.last_message_id, "cc": ""}
    refused = page.post(f"/tickets/{ticket.number}/compose/", {**said, "text": "", "files": [file("a"), file("b")]})
    assert refused.status_code == 422
    kept = re.findall(r'name="kept" value="(\d+)"', refused.content.decode())
    both = page.post(f"/tickets/{ticket.number}/compose/", {**said, "text": "See", "kept": kept, "files": [file("c"), file("d")]})
    assert (
        both.status_code == 422 and "Together the files may have 1 MB" in both.content.decode() and ticket.messages.count() == 1
    )
    fewer = page.post(f"/tickets/{ticket.number}/compose/", {**said, "text": "See", "kept": kept, "files": [file("c")]})
    assert fewer.status_code == 302 and ticket.messages.latest("pk").attachments.count() == 3
