"""Row 5: there is one form of a token and one verifier; every unsigned, cut or foreign form names nothing."""

import pytest

from helpdesk.lib import signing
from helpdesk.mail.models import Outgoing
from tickets.models import Ticket

pytestmark = pytest.mark.django_db


def test_no_other_form_is_taken(post, letter, answered, ticket, settings):
    row = Outgoing.objects.get()
    good, home = row.token, settings.MAIL_DOMAIN
    addresses = [
        f"{ticket.number}", f"id{ticket.number}", f"ticket-{ticket.number}", f"out{row.pk}", f"{row.pk}.{good[:16]}",
        good[:-1], good[:32], good + "a", good[::-1], f"{good}=", signing.token("unsubscribe", row.pk),
        signing.token("reply", row.pk),
    ]  # fmt: skip
    ids = [
        f"<{good}@{home}>", f"<{good[:-1]}.0@{home}>", f"<{row.pk}.0@{home}>", f"<ticket-{ticket.number}@{home}>",
        f"<reply-{row.pk}-{ticket.pk}@{home}>", f"<x{good}.0@{home}>", f"<{signing.token('unsubscribe', row.pk)}.0@{home}>",
    ]  # fmt: skip
    post(
        *(letter(f"By address {each}", to=f"support+{each}@nordwind.example", subject="Hello") for each in addresses),
        *(letter(f"By id {each}", subject="Hello", In_Reply_To=each) for each in ids),
        *(letter(f"By reference {each}", subject="Hello", References=each) for each in ids),
    )
    assert ticket.messages.count() == 2 and Ticket.objects.count() == 1 + len(addresses) + 2 * len(ids)
    post(letter("The good one", to=f"support+{good.upper()}@nordwind.example", subject="Hello"))  # some relays fold letters
    assert ticket.messages.count() == 3
