"""Rows 21, 24 and 25: opening a mail asks no server, not from the browser and not from ours; a file is never a page of ours."""

from email.message import EmailMessage
from typing import Any

import pytest

from helpdesk.mail import inbox
from helpdesk.mail.models import Mailbox
from tests import chromium
from tests.lib.hostile import PAYLOADS
from tests.lib.test_net import connects  # noqa: F401 - a fixture
from tests.pictures import SVG, drawing
from tickets.models import Message

pytestmark = pytest.mark.django_db(transaction=True)
E = "http://evil.test"
FETCHERS = f"""
<style>@import '{E}/1'; @font-face {{ font-family: x; src: url({E}/2) }} p {{ background: url({E}/3); color: rgb(1, 2, 3) }}
p::before {{ content: url(//evil.test/4) }} </style><link rel=stylesheet href={E}/5><link rel=prefetch href={E}/6><base href={E}/>
<body background={E}/7><p class=seen style="background:url('{E}/8'); font-weight: 700; list-style: \\75rl({E}/9)">Hello</p>
<img srcset="{E}/10 1x, //evil.test/11 2x"><img src="//evil.test/12"><img src="{E}/13" loading=eager><img lowsrc="{E}/14">
<table background={E}/15><tr><td background={E}/16>x</table><video poster={E}/17 src={E}/18></video><audio src={E}/19></audio>
<svg><image href="{E}/20"/><use href="{E}/21#x"/></svg><iframe src={E}/22></iframe><object data={E}/23></object><embed src={E}/24>
<meta http-equiv=refresh content="0;url={E}/25"><picture><source srcset={E}/26><img src="relative.png"></picture>
<img src="../accounts/logout/"><img src="/api/v1/tickets?x"><input type=image src={E}/27><a href="{E}/28" ping="{E}/29">link</a>
<div style="background-image:image-set('{E}/30' 1x)">x</div><div style="cursor:url({E}/31), auto">x</div><bgsound src={E}/32>
"""
ACTIVE = {
    "a.html": b"<script>alert(1)</script>",
    "a.xhtml": b'<html xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></html>',
    "a.xml": b'<?xml version="1.0"?><x:script xmlns:x="http://www.w3.org/1999/xhtml">alert(1)</x:script>',
    "a.mhtml": b"MIME-Version: 1.0\nContent-Type: text/html\n\n<script>alert(1)</script>",
    "a.pdf": b"%PDF-1.4\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>",
    "a.svg": SVG,
    "a.png": SVG,
    "a.jpg": SVG,
    "a.txt": b"<script>alert(1)</script>",
    "a.csv": b"<img src=x onerror=alert(1)>",
}
TYPES = {
    "html": "text/html",
    "xhtml": "application/xhtml+xml",
    "xml": "application/xml",
    "mhtml": "message/rfc822x",
    "pdf": "application/pdf",
    "svg": "image/svg+xml",
    "png": "image/png",
    "jpg": "image/jpeg",
    "txt": "text/plain",
    "csv": "text/csv",
}


def test_reading_asks_nobody_and_runs_nothing(live_server: Any, support: Mailbox, omar: Any, connects: list[Any]) -> None:  # noqa: F811
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Eve <eve@evil.test>", "support@nordwind.example", "Look"
    mail.set_content("Look")
    mail.add_alternative(
        f"<p>Look</p>{FETCHERS}<img src=cid:own alt=Own>{''.join(PAYLOADS[::12]).replace(chr(0), '')}", subtype="html"
    )
    mail.get_payload()[1].add_related(drawing(), "image", "png", cid="<own>")
    for name, content in ACTIVE.items():
        main, sub = TYPES[name.partition(".")[2]].split("/")
        mail.add_attachment(content, "application" if main == "message" else main, sub, filename=name)
    row = inbox.receive(mail.as_bytes(), support, source="pipe")
    inbox.process_due()
    row.refresh_from_db()
    message = Message.objects.get(pk=row.ticket_message_id)
    files = {file.name: file.pk for file in message.attachments.all() if file.name in ACTIVE}
    assert len(files) == len(ACTIVE)

    complaints: list[str] = []
    with chromium.running() as browser:
        context = browser.new_context(base_url=live_server.url, accept_downloads=True)
        chromium.sign_in(context, chromium.session_of(omar), live_server.url)
        page = chromium.page_in(context, complaints)
        asked: list[str] = []
        context.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: (complaints.append(f"dialog on {page.url}"), dialog.dismiss()))

        for address in (f"/tickets/{message.ticket.number}/", f"/tickets/{message.ticket.number}/print/"):
            page.goto(address, wait_until="networkidle")
            assert page.locator("img[alt=Own]").first.evaluate("image => image.naturalWidth") == 60
        page.goto(f"/tickets/messages/{message.pk}/letter/", wait_until="networkidle")
        frame = page.frame(url="**/letter/frame/")
        seen = frame.locator("p.seen")
        assert seen.evaluate("p => [getComputedStyle(p).color, getComputedStyle(p).fontWeight]") == ["rgb(1, 2, 3)", "700"]
        assert frame.locator("img[alt=Own]").evaluate("image => image.naturalWidth") == 60
        assert (
            frame.evaluate("window.origin") == "null"
            and frame.locator("script, iframe, object, form, svg, link, meta").count() == 0
        )
        far = [url for url in asked if not url.startswith((live_server.url, "data:"))]
        assert far == [] and not any("logout" in url or "/api/" in url or "relative" in url for url in asked)
        assert [each for each in connects if isinstance(each, tuple) and each[1] != int(live_server.url.rpartition(":")[2])] == []

        for name, pk in files.items():
            with page.expect_download() as taken:
                page.evaluate("url => { location = url }", f"/tickets/files/{pk}/")
            assert taken.value.suggested_filename == name, name
            page.goto(f"/tickets/files/{pk}/look/")
            assert page.locator("h1").inner_text() == name
            answer = page.request.get(f"/tickets/files/{pk}/picture/large/")
            assert answer.status == 404, f"{name} is no picture"
        assert complaints == []
