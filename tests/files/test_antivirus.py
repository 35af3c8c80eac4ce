"""Files and the virus scanner: a real server that speaks clamd's protocol, the EICAR string, and days without a scanner."""

import socketserver
import struct
import threading
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.uploadedfile import SimpleUploadedFile

from helpdesk import health
from helpdesk.checks import files_can_be_scanned
from helpdesk.files import antivirus
from helpdesk.files.models import Blob, Scan
from helpdesk.lib import dates
from helpdesk.mail.models import Outgoing
from tests.pictures import drawing
from tickets import attachments, replies
from tickets.models import Ticket

pytestmark = pytest.mark.django_db
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!" + b"$H+H*"  # eicar.org; harmless
LARGEST = 100_000


class Clamd(socketserver.StreamRequestHandler):
    """`zINSTREAM`, then pieces with their length before them, an empty one at the end (clamd(8))."""

    seen: list[bytes] = []

    def handle(self) -> None:
        assert self.rfile.read(10) == b"zINSTREAM\0"
        content = b""
        while length := struct.unpack(">I", self.rfile.read(4))[0]:
            content += self.rfile.read(length)
        if len(content) > LARGEST:
            self.wfile.write(b"INSTREAM size limit exceeded. ERROR\0")
            return
        self.seen.append(content)
        self.wfile.write(b"stream: Eicar-Signature FOUND\0" if EICAR in content else b"stream: OK\0")


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True


@pytest.fixture
def clamd(settings: Any) -> Iterator[Server]:
    Clamd.seen.clear()
    server = Server(("127.0.0.1", 0), Clamd)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.ANTIVIRUS = f"clamd://127.0.0.1:{server.server_address[1]}"
    yield server
    server.shutdown()
    server.server_close()


def with_files(*files: tuple[str, bytes]) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Ben Carter <ben@carter.example>", "support@nordwind.example", "Files"
    mail.set_content("See the files.")
    for name, content in files:
        mail.add_attachment(
            content,
            maintype="image" if name.endswith("png") else "application",
            subtype="png" if name.endswith("png") else "octet-stream",
            filename=name,
        )
    return mail


def test_a_virus_is_kept_and_given_to_nobody(clamd: Server, post: Any, browser: Any, ana: Any, settings: Any) -> None:
    post(with_files(("invoice.exe", EICAR), ("plan.png", drawing())))
    found = Ticket.objects.get()
    bad, good = found.messages.get().attachments.order_by("pk")
    assert (bad.blob.scan, bad.blob.scan_note, good.blob.scan) == (Scan.HELD, "Eicar-Signature", Scan.CLEAN)
    assert sorted(Clamd.seen) == sorted([EICAR, drawing()]) and bad.blob.open().read() == EICAR
    page = browser(ana)
    shown = page.get(f"/tickets/{found.number}/").content.decode()
    assert "Held: Eicar-Signature" in shown and f"/tickets/files/{bad.pk}/" not in shown and f"/tickets/files/{good.pk}/" in shown
    for path in ("", "look/"):
        answer = page.get(f"/tickets/files/{bad.pk}/{path}")
        assert "Held: Eicar-Signature" in answer.content.decode() and b"EICAR" not in answer.content
    assert page.get(f"/tickets/files/{bad.pk}/").status_code == 423
    assert b"".join(page.get(f"/tickets/files/{good.pk}/").streaming_content) == drawing()
    settings.ANTIVIRUS = ""  # taking the scanner away frees nothing that it found
    assert page.get(f"/tickets/files/{bad.pk}/").status_code == 423


def test_an_open_conversation_sees_that_its_file_was_scanned(clamd: Server, post: Any, monkeypatch: Any) -> None:
    told: list[str] = []
    monkeypatch.setattr(attachments, "announce", lambda *names: told.extend(names))
    post(with_files(("plan.png", drawing())))
    assert told == [f"ticket:{Ticket.objects.get().pk}"]


def test_without_an_answer_a_file_waits_and_is_asked_about_again(
    clamd: Server, post: Any, browser: Any, ana: Any, settings: Any
) -> None:  # fmt: skip
    there, settings.ANTIVIRUS = settings.ANTIVIRUS, "clamd:///nowhere/clamd.ctl"
    post(with_files(("plan.png", drawing())))
    file = Ticket.objects.get().messages.get().attachments.get()
    page = browser(ana)
    assert page.get(f"/tickets/files/{file.pk}/").status_code == 423
    assert page.get(f"/tickets/files/{file.pk}/picture/small/").status_code == 424
    assert "Not scanned for viruses yet" in page.get(f"/tickets/{Ticket.objects.get().number}/").content.decode()
    with dates.moved(by=timedelta(minutes=6)):
        assert health.files()["reason"] == "files wait for the virus scanner"
    settings.ANTIVIRUS = there
    antivirus.scan_waiting()
    assert health.files() == {"ok": True, "oldest_unscanned_seconds": None}
    assert Blob.objects.get().scan == Scan.CLEAN and page.get(f"/tickets/files/{file.pk}/").status_code == 200
    assert page.get(f"/tickets/files/{file.pk}/picture/small/").status_code == 200


def test_a_reply_waits_for_the_scanner_and_takes_no_virus_along(
    clamd: Server,
    ticket: Ticket,
    ana: Any,
    drain: Any,
    sink: Any,
    settings: Any,
) -> None:
    there, settings.ANTIVIRUS = settings.ANTIVIRUS, "clamd:///nowhere/clamd.ctl"
    for name, content in (("plan.png", drawing()), ("tool.exe", EICAR)):
        file = attachments.keep(SimpleUploadedFile(name, content), name)
        replies.reply(ticket, f"Here is {name}.", by=ana, attachments=[file])
    with dates.moved(by=timedelta(minutes=1)):
        drain()
    held = Outgoing.objects.filter(state="held")
    assert sink == [] and held.count() == 2 and "Not scanned for viruses yet" in held[0].reason
    settings.ANTIVIRUS = there
    antivirus.scan_waiting()
    with dates.moved(by=timedelta(minutes=3)):
        drain()
    [mail] = sink.to("ben@carter.example")
    assert b"plan.png" in mail.raw and not any(b"tool.exe" in each.raw for each in sink)
    stopped = Outgoing.objects.get(state="withheld")
    assert stopped.reason == "tool.exe: Held: Eicar-Signature"


def test_one_file_that_ends_the_scanner_does_not_keep_the_others_waiting(clamd: Server, settings: Any, monkeypatch: Any) -> None:
    first, second = (Blob.objects.keep(SimpleUploadedFile(name, name.encode())) for name in ("first", "second"))
    monkeypatch.setattr(Clamd, "handle", lambda self: None)  # it hangs up
    assert antivirus.scan_waiting() is False
    first.refresh_from_db()
    assert first.scan == Scan.WAITING and first.scanned_at
    monkeypatch.undo()
    antivirus.scan_waiting()
    assert Clamd.seen == [b"second", b"first"] and not Blob.objects.filter(scan=Scan.WAITING).exists()
    assert second.sha256


def test_what_is_too_large_for_it_is_held_with_that_reason(clamd: Server) -> None:
    Blob.objects.keep(SimpleUploadedFile("big", b"x" * (LARGEST + 70_000)))
    antivirus.scan_waiting()
    assert Blob.objects.get().why_held == "Held: it is larger than the scanner takes"


def test_the_same_bytes_from_before_there_was_a_scanner_are_asked_about_when_they_come_again(
    clamd: Server, settings: Any
) -> None:
    there, settings.ANTIVIRUS = settings.ANTIVIRUS, ""
    assert Blob.objects.keep(SimpleUploadedFile("a", EICAR)).scan == Scan.NONE and antivirus.scan_waiting() is False
    settings.ANTIVIRUS = there
    assert Blob.objects.keep(SimpleUploadedFile("b", EICAR)).is_held
    antivirus.scan_waiting()
    assert Blob.objects.get().scan == Scan.HELD


def test_a_setting_that_names_no_scanner_stops_the_start(settings: Any) -> None:
    for wrong in ("clamav.intern:3310", "http://clamav/", "clamd://", "clamd://host:port", "clamd://host/path", "clamd:relative"):
        settings.ANTIVIRUS = wrong
        assert [error.id for error in files_can_be_scanned()] == ["helpdesk.E003"], wrong
        with pytest.raises(ImproperlyConfigured):
            antivirus.place(wrong)
    for right, place in (("clamd://clamav", ("clamav", 3310)), ("clamd:///run/clamav/clamd.ctl", "/run/clamav/clamd.ctl")):
        settings.ANTIVIRUS = right
        assert files_can_be_scanned() == [] and antivirus.place(right) == place
