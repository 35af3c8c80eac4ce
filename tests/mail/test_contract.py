"""The contract of everything that leaves: every kind of message, first, second and later, for customers called anything."""

import base64
import subprocess
from collections.abc import Callable
from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any

import dkim
import pytest
from aiosmtpd.controller import Controller
from django.conf import settings as project

from helpdesk.accounts.models import User
from helpdesk.customers import identity
from helpdesk.lib import dates
from helpdesk.mail.models import Mailbox, Outgoing, State
from tests.conftest import Sink
from tests.mail.dovecot import free_port
from tests.mail.outgoing import AUTOMATIC, Desk, Left, check
from tickets import intake, replies
from tickets.models import Ticket

pytestmark = pytest.mark.django_db
HOSTILE = {
    "plain": "Router",
    "markup": "\"><a href=//evil>Reset</a><img src=x onerror=alert(1)>' onload='x</blockquote><script>alert(3)</script>",
    "lines": "Hello\r\nBcc: victim@evil.example\r\n\r\n<p>body</p>",
    "header": 'Boss <ceo@bank.example>, "x" (comment); =?utf-8?q?=0D=0ABcc:x?=',
    "letters": "Zoë 👩‍👩‍👧‍👦 📦 — “quotes” שלום \u202egpj.exe\u202c مرحبا",
    "long": "{{ settings.SECRET_KEY }} {% debug %} %(name)s {0} Donaudampfschifffahrtsgesellschaft " * 8 + "x" * 400,
}


@pytest.fixture
def key(settings: Any, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """All is signed, and this is the public key's record."""
    path = tmp_path_factory.getbasetemp() / "dkim.pem"
    if not path.exists():
        subprocess.run(["openssl", "genrsa", "-traditional", "-out", path, "2048"], check=True, capture_output=True)
    public = subprocess.run(["openssl", "rsa", "-in", path, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
    settings.DKIM_KEY_FILE, settings.DKIM_DOMAIN = str(path), "nordwind.example"
    return b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)


def signed(raw: bytes, record: bytes) -> set[str]:
    """The names of the headers that a good signature covers."""
    assert dkim.verify(raw, dnsfunc=lambda *_args, **_more: record)
    value = str(message_from_bytes(raw, policy=policy.compat32)["DKIM-Signature"])
    return set("".join(value.split()).lower().partition(";h=")[2].partition(";")[0].split(":"))


@pytest.mark.parametrize("word", HOSTILE.values(), ids=HOSTILE.keys())
def test_every_kind_keeps_it(
    word: str, key: bytes, ana: User, support: Mailbox, drain: Callable[[], None], sink: Sink, campaign: Callable[..., Any]
) -> None:
    left = Desk(word, ana, support, drain, sink, campaign).everything()
    assert {each.row.kind for each in left} == set(project.OUTBOX) == set(AUTOMATIC)
    assert len(sink) == len(left) and len({each.letter.message["Message-ID"] for each in left}) == len(left)
    for each in left:
        check(each)
        covered = signed(each.letter.raw, key)
        assert {"from", "to", "subject", "date", "message-id"} <= covered
        assert ("list-unsubscribe" in covered and "list-unsubscribe-post" in covered) == bool(each.row.subscription_id)
    envelope(left)


def envelope(left: list[Left]) -> None:
    for each in left:
        named = [each.row.to, *each.cc]
        hidden = list(each.row.bcc or [])
        assert each.letter.recipients == [*named, *hidden]


# --- addresses beyond ASCII (RFC 6531, 6532) --------------------------------------------------------------------------


def answered(address: str, support: Mailbox, ana: User, drain: Callable[[], None], cc: tuple[str, ...] = ()) -> Outgoing:
    customer = identity.customer_for_address(address)
    words = intake.Words("Hello", address=address, rfc_id="<1@x.example>")
    ticket = intake.open_ticket(customer, "Hi", words, channel="mail", mailbox=support, address=customer.addresses.get())
    replies.reply(ticket, "Grüße!", by=ana, cc=cc)
    with dates.moved(by=timedelta(minutes=1)):
        drain()
    return Outgoing.objects.get()


def test_a_domain_beyond_ascii_needs_nothing_of_the_server(
    key: bytes, support: Mailbox, ana: User, drain: Callable[[], None], sink: Sink
) -> None:
    Mailbox.objects.filter(pk=support.pk).update(address="hilfe@bücher.example")
    support.refresh_from_db()
    assert answered("joerg@exämple.de", support, ana, drain, cc=("anna@exämple.de",)).state == State.ACCEPTED
    (got,) = sink
    assert got.recipients == ["joerg@xn--exmple-cua.de", "anna@xn--exmple-cua.de"] and got.raw.isascii()
    assert str(got.message["To"]) == "joerg@xn--exmple-cua.de" and str(got.message["Cc"]) == "anna@xn--exmple-cua.de"
    assert got.message["From"].addresses[0].addr_spec == "hilfe@xn--bcher-kva.example"
    signed(got.raw, key)


def test_a_name_beyond_ascii_goes_where_the_server_can_take_it(
    key: bytes, support: Mailbox, ana: User, drain: Callable[[], None], sink: Sink
) -> None:
    assert answered("jörg@exämple.de", support, ana, drain).state == State.ACCEPTED
    (got,) = sink
    assert got.recipients == ["jörg@xn--exmple-cua.de"]
    assert "To: jörg@xn--exmple-cua.de\r\n".encode() in got.raw  # as it is, not as an encoded word (RFC 6532, section 3.2)
    assert "to" in signed(got.raw, key)


def test_and_fails_in_words_where_it_cannot(
    settings: Any, support: Mailbox, ana: User, drain: Callable[[], None], sink: Sink
) -> None:
    old, port = Sink(), free_port()
    controller = Controller(old, hostname="127.0.0.1", port=port, enable_SMTPUTF8=False)
    controller.start()
    try:
        settings.MAIL_TRANSPORT = f"smtp://127.0.0.1:{port}"
        row = answered("jörg@exämple.de", support, ana, drain)
    finally:
        controller.stop()
    assert row.state == State.FAILED and old == []
    assert row.reason.endswith("letters beyond ASCII before the @ (SMTPUTF8): jörg@xn--exmple-cua.de")
    ticket = Ticket.objects.get()
    assert ticket.status == "open" and "Our answer was refused" in ticket.said  # it is work again
