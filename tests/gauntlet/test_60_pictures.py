"""Rows 60 and 62: no picture that a mail names leads the proxy into our network; seen at the socket, through its address."""

import socket
from contextlib import suppress
from typing import Any

import pytest
from django.core.cache import cache

from helpdesk.accounts.models import User
from helpdesk.customers.models import Customer
from helpdesk.files import far
from helpdesk.lib.html import remote_pictures, sanitize
from helpdesk.mail.models import Mailbox
from tests.lib.test_net import TARGETS, connects, names  # noqa: F401 - fixtures
from tickets import intake
from tickets.models import Message

pytestmark = pytest.mark.django_db
MORE = ["http://user:pw@8.8.8.8/", "http://8.8.8.8:22/", "http://8.8.8.8:6379/x", "https://8.8.8.8:99999/x.png"]


def said(html: str, ben: Customer, support: Mailbox) -> Message:
    words = intake.Words("Look", html=sanitize(html))
    return intake.open_ticket(ben, "Look", words, channel="mail", mailbox=support).messages.get()


def dialled(connects: list[Any]) -> list[Any]:  # noqa: F811
    """Those by the Internet's protocols; the database and Valkey are at the end of a socket in a folder."""
    return [each for each in connects if isinstance(each, tuple)]


def test_no_target_is_dialled(ben: Customer, support: Mailbox, browser: Any, ana: User, connects: list[Any]) -> None:  # noqa: F811
    hosts = [f"[{target}]" if ":" in target else target for target in TARGETS]
    pictures = [f"http://{host}/{n}.png" for n, host in enumerate(hosts)] + [f"https://{hosts[0]}/x.png", *MORE]
    message = said("".join(f'<img src="{each}">' for each in pictures), ben, support)
    assert remote_pictures(message.html) == pictures and len(TARGETS) >= 40, "each of them reaches the proxy"
    page = browser(ana)
    answers = [page.get(f"/tickets/messages/{message.pk}/pictures/{n}/").status_code for n in range(len(pictures))]
    assert answers == [424] * len(pictures)
    assert dialled(connects) == []


def test_what_is_no_address_of_the_web_never_reaches_it(ben: Customer, support: Mailbox) -> None:
    for source in ("file:///etc/passwd", "gopher://8.8.8.8/", "//8.8.8.8/x.png", "/accounts/logout/", "../logout", "ftp://8.8.8.8/",
                   "http:/x.png", "http:///x.png", "jar:http://8.8.8.8!/x.png"):  # fmt: skip
        assert remote_pictures(said(f'<img src="{source}">', ben, support).html) == [], source


def test_a_name_that_changes_its_mind_gets_nowhere(
    ben: Customer, support: Mailbox, browser: Any, ana: User, monkeypatch: Any, names: dict[str, list[str]], connects: list[Any]  # noqa: F811
) -> None:  # fmt: skip
    cache.clear()
    monkeypatch.setattr(far, "WITHIN", 0.05)
    names["flip.attacker.example"] = ["8.8.8.8", "127.0.0.1"]
    names["inside.attacker.example"] = ["10.0.0.1"]
    message = said('<img src="http://flip.attacker.example/"><img src="http://inside.attacker.example/">', ben, support)
    for number in (0, 1):
        with suppress(socket.gaierror):
            assert browser(ana).get(f"/tickets/messages/{message.pk}/pictures/{number}/").status_code == 424
    assert dialled(connects) == [("8.8.8.8", 80)]
