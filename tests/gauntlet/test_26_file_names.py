"""Rows 26 and 68: a file's name shows what it is and marks nothing up; its type is a type or none."""

import pytest
from django.test import Client

from helpdesk.accounts.models import User
from helpdesk.mail.models import Mailbox
from tests.mail.test_inbox import came
from tickets.models import Message, Ticket

pytestmark = pytest.mark.django_db


def with_file(disposition: str, kind: str = "application/pdf") -> bytes:
    return (
        "From: Ben Carter <ben@carter.example>\nSubject: Router\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nHello\n"
        f"--b\nContent-Type: {kind}\nContent-Disposition: attachment; {disposition}\n\nx\n--b--\n"
    ).encode()


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('filename="\\"><svg onload=alert(1)>.txt"', '"><svg onload=alert(1)>.txt'),
        ('filename="invoice\u202egpj.exe"', "invoicegpj.exe"),
        ("filename*=utf-8''%E2%80%AEgpj%E2%81%A6.exe", "gpj.exe"),
        ('filename="=?utf-8?B?4oCuZ3BqLmV4ZQ==?="', "gpj.exe"),
        ('filename="\u200b.htac\u2060cess"', ".htaccess"),
        ('filename="../../evil\\\\..\\\\a.txt"', "a.txt"),
    ],
)
def test_a_name_is_shown_as_what_it_is(disposition: str, name: str, support: Mailbox, ana: User) -> None:
    row = came(with_file(disposition), support)
    kept = Message.objects.get(pk=row.ticket_message_id).attachments.get()
    assert kept.name == name
    browser = Client()
    browser.force_login(ana)
    page = browser.get(f"/tickets/{Ticket.objects.get(pk=row.ticket_id).number}/").content.decode()
    assert "<svg onload" not in page and not set(page) & set("\u202e\u2066\u200b\u2060")


@pytest.mark.parametrize(
    "kind", ["=?utf-8?q?text/html=0D=0AX:_y?=", "text/html\rX: y", "text/ht ml", "//", "text/html\x0bX:y", "a" * 300]
)
def test_a_type_that_is_none_is_bytes(kind: str, support: Mailbox) -> None:
    row = came(with_file("filename=page.bin", kind), support)
    assert Message.objects.get(pk=row.ticket_message_id).attachments.get().content_type == "application/octet-stream"
