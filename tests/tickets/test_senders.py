"""Who wrote, as an agent sees it: not verified, look-alike, a colleague; and the API's word for it."""

import pytest

from helpdesk.accounts.models import ApiToken, Scope
from tickets.models import Message, Ticket

pytestmark = pytest.mark.django_db
FAIL = "mx.nordwind.example; dmarc=fail header.from=carter.example"
LOOKALIKE = "Ben Carter <ben@саrter.example>"  # the first two letters are Cyrillic


def test_what_is_verified_is_said_by_the_api(post, letter, omar, client, settings):
    settings.TRUSTED_AUTHSERV = ["mx.nordwind.example"]
    post(letter(Authentication_Results=FAIL))
    _token, bearer = ApiToken.objects.issue("reader", [Scope.TICKETS_READ], by=omar)
    ticket = Ticket.objects.get()
    answer = client.get(f"/api/v1/tickets/{ticket.number}/messages", headers={"authorization": f"Bearer {bearer}"})
    assert answer.json()["results"][0]["verified"] is False


def test_a_name_is_not_taken_from_somebody_unconfirmed(post, letter, settings):
    settings.TRUSTED_AUTHSERV = ["mx.nordwind.example"]
    post(letter(sender="Nordwind Billing <ben@carter.example>", Authentication_Results=FAIL))
    assert str(Ticket.objects.get().requester) == "ben@carter.example"


def test_a_look_alike_address_warns_wherever_it_stands(post, letter, browser, ana):
    mail = letter().as_bytes().replace(b"Ben Carter <ben@carter.example>", LOOKALIKE.encode())
    post(mail)
    ticket = Ticket.objects.get()
    shown = Message.objects.get().address
    assert shown.startswith("ben@xn--")
    page = browser(ana).get(f"/tickets/{ticket.number}/?view=waiting").content.decode()
    assert page.count("Look-alike address") == 3 and shown in page  # in the list, at the message, beside the customer
    assert "Look-alike address" in browser(ana).get(f"/customers/{ticket.requester_id}/").content.decode()
    assert f"{shown} is written with letters of another alphabet and passes for “саrter.example”" in page


def test_a_look_alike_in_cc_warns_too(post, letter, browser, ana):
    post(letter(Cc="ben@sarter.example, boss@carter.example").as_bytes().replace(b"ben@sarter", "ben@саrter".encode()))
    ticket = Ticket.objects.get()
    page = browser(ana).get(f"/tickets/{ticket.number}/").content.decode()
    assert ticket.participants.count() == 2 and "boss@carter.example</p>" in page
    assert page.count("Look-alike address") == 2  # at the message that named them, and where we would answer them


def test_an_honest_one_does_not(post, letter, browser, ana):
    post(letter(sender="Jörg <joerg@bücher.example>"))
    assert "Look-alike" not in browser(ana).get(f"/tickets/{Ticket.objects.get().number}/").content.decode()
