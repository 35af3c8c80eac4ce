"""A ticket of Ben's, and letters as a mail program writes them."""

from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

import pytest

from helpdesk.accounts.models import Reach, Team, User
from helpdesk.customers.models import Customer
from helpdesk.mail.inbox import receive
from helpdesk.mail.models import Mailbox
from tickets import intake
from tickets.models import Ticket


@pytest.fixture
def letter() -> Callable[..., EmailMessage]:
    def write(
        text: str = "The code never arrives.",
        *,
        sender: str = "Ben Carter <ben@carter.example>",
        subject: str = "Locked out",
        to: str = "support@nordwind.example",
        **headers: Any,
    ) -> EmailMessage:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = sender, to, subject
        for name, value in headers.items():
            message[name.replace("_", "-")] = value
        message.set_content(text)
        return message

    return write


@pytest.fixture
def post(support: Mailbox, drain: Callable[[], None]) -> Callable[..., None]:
    """Hand a letter to the mailbox as the SMTP listener does, and let it be read."""

    def deliver(message: EmailMessage | bytes, to: str = "", mailbox: Mailbox | None = None) -> None:
        raw = message if isinstance(message, bytes) else message.as_bytes()
        receive(raw, mailbox or support, source="smtp", envelope_from="bounces@carter.example", envelope_to=to)
        drain()

    return deliver


@pytest.fixture
def ticket(ben: Customer, support: Mailbox) -> Ticket:
    words = intake.Words(
        "The code never arrives.", name="Ben Carter", address="ben@carter.example", rfc_id="<first@carter.example>"
    )
    return intake.open_ticket(ben, "Locked out", words, channel="mail", mailbox=support, address=ben.addresses.get())


@pytest.fixture
def lena(db: None) -> User:
    """A light agent: reads and keeps notes."""
    return User.objects.create_user("lena@nordwind.example", "a long password", name="Lena Brandt", role="light")


@pytest.fixture
def noor(db: None) -> User:
    """An agent who sees only the tickets of the Billing team, and Ben's is Support's."""
    user = User.objects.create_user("noor@nordwind.example", "a long password", name="Noor Aziz", role="agent", reach=Reach.TEAM)
    user.teams.add(Team.objects.create(slug="billing", name="Billing"))
    return user
