"""Row 11: an address goes to no shell; what would be a command there is a name here, also in the return path."""

import ast
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings

from helpdesk.accounts.models import User
from helpdesk.lib import dates
from helpdesk.mail.models import Mailbox
from tests.conftest import Sink
from tests.mail.test_inbox import came, letter
from tickets import replies
from tickets.models import Ticket

pytestmark = pytest.mark.django_db
SHELLS = {"system", "popen", "getoutput", "getstatusoutput", "create_subprocess_shell", "spawnl", "spawnlp"}


@pytest.mark.parametrize("name", ["danger-$USER", "a`id`", "x|touch${IFS}y", "a&&b", "%n%s", "-oQ/tmp"])
def test_it_is_a_name_and_no_command(name: str, support: Mailbox, ana: User, sink: Sink, drain: Callable[[], None]) -> None:
    address = f"{name}@carter.example"
    ticket = Ticket.objects.get(pk=came(letter(sender=address), support, source="smtp", envelope_from=address).ticket_id)
    replies.reply(ticket, "Please try the new firmware.", by=ana)
    with dates.moved(by=timedelta(minutes=1)):
        drain()
    (got,) = sink
    assert got.recipients == [address] and got.message["To"].addresses[0].addr_spec == address
    assert got.envelope_from.startswith("bounce+") and set(got.envelope_from) <= set("abcdefghijklmnopqrstuvwxyz234567+@.")


def test_no_shell_is_started_anywhere() -> None:
    """What ruff's S602 to S605 look for, in what ships; asked here too, for a rule can be switched off in a line."""
    root, found = Path(settings.BASE_DIR), []
    for path in [*root.glob("helpdesk/**/*.py"), *root.glob("tickets/**/*.py"), *root.glob("outreach/**/*.py")]:
        for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
            name = getattr(call.func, "attr", getattr(call.func, "id", ""))
            asked = [word.value for word in call.keywords if word.arg == "shell"]
            shell = any(not isinstance(value, ast.Constant) or value.value for value in asked)
            if shell or name in SHELLS:
                found.append(f"{path.relative_to(root)}:{call.lineno} {name}")
    assert found == []
