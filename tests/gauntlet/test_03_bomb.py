"""Row 3: the public form writes to no address that nobody proved, beyond one short mail a day that repeats nothing."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client

from helpdesk.lib import dates
from helpdesk.mail.models import Mailbox
from tests.conftest import Sink
from tickets.forms import nonce
from tickets.models import Ticket

pytestmark = pytest.mark.django_db
VICTIM = "victim@carter.example"


@pytest.mark.parametrize("number", [50, pytest.param(1000, marks=pytest.mark.long)])
def test_a_thousand_forms_are_one_mail_a_day(support: Mailbox, drain: Callable[[], None], sink: Sink, number: int) -> None:
    cache.clear()
    taken = 0
    with dates.moved(by=timedelta(seconds=-30)):
        nonces = [nonce() for _ in range(number)]
    for n, once in enumerate(nonces):
        said = {
            "email": VICTIM if n % 2 else VICTIM.upper(),
            "subject": f"BUY PILLS {n}",
            "text": "at https://evil.example",
            "name": "Evil Name",
            "nonce": once,
        }
        taken += Client(REMOTE_ADDR=f"203.0.113.{n % 50}").post("/write/", said).status_code == 302
        if n in (20, number // 2):
            drain()
    drain()
    assert taken == number == Ticket.objects.count()
    assert len(sink) == 1 and sink[0].recipients[0].lower() == VICTIM
    raw = sink[0].raw.decode() + sink[0].text + sink[0].html
    assert not any(word in raw for word in ("PILLS", "evil.example", "Evil Name"))
