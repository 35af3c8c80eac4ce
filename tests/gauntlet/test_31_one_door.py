"""Rows 23, 28 and 31: by mail, form, API or page, the same payloads meet the same allow-list."""

from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest

from helpdesk.accounts.models import ApiToken, Scope
from helpdesk.lib import dates
from helpdesk.mail.models import Mailbox
from tests.lib.hostile import MARKDOWN, PAYLOADS
from tests.lib.test_html import assert_harmless
from tests.mail.test_inbox import came
from tickets.models import Message, Ticket

pytestmark = pytest.mark.django_db
EVERY = 6  # each door takes some of the payloads, begun at another one; the sanitiser's own test takes all of them
AT_ONCE = 100


def parts(payloads: list[str], first: int) -> list[str]:
    """Texts of many payloads each, for a door is slow and what they do to each other is tried as well."""
    some = payloads[first::EVERY]
    return ["\n\n".join(some[n : n + AT_ONCE]) for n in range(0, len(some), AT_ONCE)]


def test_every_door_leads_through_the_sanitiser(client: Any, browser: Any, ana: Any, support: Mailbox) -> None:
    assert len(PAYLOADS) > 200
    for n, part in enumerate(parts(PAYLOADS, 0)):
        mail = EmailMessage()
        mail["From"], mail["Subject"], mail["Message-ID"] = "Ben <ben@carter.example>", "Hi", f"<{n}@carter.example>"
        mail.set_content(f"<p>Hello</p>{part}".replace("\0", ""), subtype="html")
        assert came(mail.as_bytes(), support).state == "ticketed"
    for part in parts(PAYLOADS, 1):
        nonce = client.get("/write/").context["form"].initial["nonce"]
        said = {"name": "Ben", "email": "ben@carter.example", "subject": "Hi", "text": part.replace("\0", ""), "nonce": nonce}
        with dates.moved(by=timedelta(seconds=30)):
            assert client.post("/write/", said).status_code == 302
    _token, bearer = ApiToken.objects.issue("all", Scope.values)
    headers = {"authorization": f"Bearer {bearer}"}
    for n, part in enumerate(parts(PAYLOADS, 2)):
        said = {"requester": {"email": "ben@carter.example"}, "subject": "Hi", "text": part.replace("\0", "")}
        assert (
            client.post("/api/v1/tickets", said, "application/json", headers=headers | {"Idempotency-Key": str(n)}).status_code
            == 201
        )
    number = Ticket.objects.latest("pk").number
    for n, part in enumerate([*parts(PAYLOADS, 3), *parts(MARKDOWN, 0)]):
        said = {"kind": ("note", "reply")[n % 2], "text": part.replace("\0", "")}
        answer = client.post(
            f"/api/v1/tickets/{number}/messages", said, "application/json", headers=headers | {"Idempotency-Key": f"m{n}"}
        )
        assert answer.status_code == 201, answer.content
    page = browser(ana)
    for n, part in enumerate([*parts(PAYLOADS, 4), *parts(MARKDOWN, 1)]):
        said = {"kind": ("note", "reply")[n % 2], "text": part.replace("\0", ""), "seen": 2**62, "cc": ""}
        assert page.post(f"/tickets/{number}/compose/", said).status_code == 302
    found = list(Message.objects.values_list("kind", "html"))
    assert {kind for kind, _html in found} == {"customer", "reply", "note"} and len(found) > 12
    for _kind, html in found:
        assert html
        assert_harmless(html)
