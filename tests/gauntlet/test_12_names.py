"""Row 12: what a customer is called, writes or brings along is never markup in mail of ours, whatever the template."""

from collections.abc import Callable
from typing import Any

import pytest

from helpdesk.accounts.models import User
from helpdesk.mail.models import Mailbox
from tests.conftest import Sink
from tests.mail.outgoing import Desk, harm

pytestmark = pytest.mark.django_db
NAME = '<a href=//evil>Reset</a>"><img src=//evil/x onerror=alert(1)></blockquote></body><form action=//evil><input>'


def test_it_is_shown_as_it_is_written(
    ana: User, support: Mailbox, drain: Callable[[], None], sink: Sink, campaign: Callable[..., Any]
) -> None:
    for each in Desk(NAME, ana, support, drain, sink, campaign).everything():
        assert harm(each.letter.html) == [], each.row.kind
        if each.row.kind in ("ticket.reply", "ticket.forward", "campaign.message"):
            assert "&lt;" in each.letter.html  # it is there, as words
