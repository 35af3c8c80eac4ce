"""Row 1: a mail in the requester's name gives its sender nothing, and no reply address can be guessed."""

import base64
import os
import struct
from dataclasses import replace

import pytest

from helpdesk.lib import signing
from helpdesk.mail import threading
from helpdesk.mail.models import Outgoing
from helpdesk.mail.parsing import Address, read
from tests.tickets.conftest import back, sent_by
from tickets.models import Ticket

pytestmark = pytest.mark.django_db
FAIL = "mx.nordwind.example; dmarc=fail header.from=carter.example; spf=pass smtp.mailfrom=evil.example"
PASS = "mx.nordwind.example; dmarc=pass header.from=carter.example"


@pytest.fixture(autouse=True)
def trusted(settings):
    settings.TRUSTED_AUTHSERV = ["mx.nordwind.example"]


def test_it_is_held_up_to_the_agents_and_nobody_joins(post, letter, answered, ticket, browser, ana, drain, sink):
    sent = len(sink)
    spoofed = back(
        letter, answered, text="Send the code to my colleague.", Cc="attacker@evil.example", Authentication_Results=FAIL
    )
    post(spoofed)
    said = ticket.messages.latest("pk")
    assert said.verified is False and not said.stranger and not ticket.participants.exists()
    assert len(sink) == sent  # and nothing leaves for it
    page = browser(ana).get(f"/tickets/{ticket.number}/").content.decode()
    assert "Sender not verified" in page and "could not confirm that ben@carter.example" in page
    assert "Sender not verified" in browser(ana).get(f"/tickets/{ticket.number}/print/").content.decode()
    ours = sent_by(ana, ticket, drain, sink, "Who is that?")
    assert ours.recipients == ["ben@carter.example"] and "Send the code" not in ours.text + ours.html


def test_a_guessed_ticket_address_or_number_finds_nothing(post, letter, ticket):
    guessed = [f"support+id{ticket.number}@nordwind.example", f"support+{ticket.pk}@nordwind.example"]
    post(
        *(letter(to=to, subject="Hello", Cc="attacker@evil.example", Authentication_Results=FAIL) for to in guessed),
        letter(subject=f"Re: [#{ticket.number}] Locked out", Authentication_Results=FAIL),
    )
    assert ticket.messages.count() == 1 and Ticket.objects.count() == 4
    assert not Ticket.objects.filter(participants__isnull=False).exists()
    post(letter(subject=f"Re: [#{ticket.number}] Locked out", Authentication_Results=PASS, Cc="books@carter.example"))
    assert ticket.messages.count() == 2 and ticket.participants.get().address == "books@carter.example"


def test_who_is_not_proved_is_not_believed_to_be_reachable(post, letter, ben, support):
    address = ben.addresses.get()
    type(address).objects.update(reachability="unreachable")
    post(letter("One", Authentication_Results=FAIL))
    address.refresh_from_db()
    assert address.reachability == "unreachable"
    post(letter("Two", Authentication_Results=PASS))
    address.refresh_from_db()
    assert address.reachability == "reachable"


def test_ten_thousand_guessed_addresses_hit_nothing(answered):
    good = Outgoing.objects.get()
    secret = base64.b32decode(good.token.upper() + "=")[8:]

    def named(pk: int, mac: bytes) -> str:
        return base64.b32encode(struct.pack(">Q", pk) + mac).decode().rstrip("=").lower()

    guesses = [named(good.pk, os.urandom(16)) for _ in range(4_000)]
    guesses += [named(good.pk + step, secret) for step in range(1, 3_001)]  # the signature of another
    guesses += [named(good.pk, bytes([*secret[:-2], byte, last])) for byte in range(16) for last in range(188)][:3_000]
    guesses = [guess for guess in guesses if guess != good.token]
    assert len(set(guesses)) > 9_900 and signing.read("outgoing", good.token) == good.pk
    mail = read(b"From: eve@evil.example\n\nHello")
    for start in range(0, len(guesses), 200):
        to = tuple(Address("", f"support+{guess}@nordwind.example") for guess in guesses[start : start + 200])
        assert threading.answered(replace(mail, to=to)) is None
