"""A ticket of Ben's, and letters as a mail program writes them."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from django.test import Client

from helpdesk.accounts.models import Reach, Team, User
from helpdesk.customers.models import Customer
from helpdesk.lib import dates
from helpdesk.mail.inbox import receive
from helpdesk.mail.models import Mailbox
from tests.conftest import Letter, Sink, colleague
from tickets import intake, replies
from tickets.models import Rule, Ticket
from tickets.rules import keeping
from tickets.rules.keeping import Wording


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
    """Hand letters to the mailbox as the SMTP listener does, and let them be read."""

    def deliver(*messages: EmailMessage | bytes, to: str = "", mailbox: Mailbox | None = None) -> None:
        for message in messages:
            raw = message if isinstance(message, bytes) else message.as_bytes()
            receive(raw, mailbox or support, source="smtp", envelope_from="bounces@carter.example", envelope_to=to)
        drain()

    return deliver


@pytest.fixture
def fill(client: Client, support: Mailbox) -> Iterator[Callable[..., Any]]:
    """Open the form, let some seconds pass, and send it; what is not named is filled in sensibly."""

    def send(nonce: str = "", waits: int = 30, speaks: str = "", **typed: Any) -> Any:
        nonce = nonce or client.get("/write/").context["form"].initial["nonce"]
        said = {
            "email": "ben@carter.example",
            "subject": "Invoice twice",
            "text": "I got <b>two</b>.",
            "name": "Ben",
            "nonce": nonce,
        }
        dates.advance(timedelta(seconds=waits))
        return client.post("/write/", said | typed, headers={"Accept-Language": speaks} if speaks else {})

    with dates.moved(by=timedelta()):
        yield send


@pytest.fixture
def ticket(ben: Customer, support: Mailbox) -> Ticket:
    words = intake.Words(
        "The code never arrives.", name="Ben Carter", address="ben@carter.example", rfc_id="<first@carter.example>"
    )
    return intake.open_ticket(ben, "Locked out", words, channel="mail", mailbox=support, address=ben.addresses.get())


@pytest.fixture
def answered(ticket: Ticket, ana: User, drain: Callable[[], None], sink: Sink) -> Letter:
    """Ana answered Ben and it left; the letter he got."""
    return sent_by(ana, ticket, drain, sink)


def sent_by(ana: User, ticket: Ticket, drain: Callable[[], None], sink: Sink, text: str = "Which phone is it?") -> Letter:
    replies.reply(ticket, text, by=ana)
    with dates.moved(by=timedelta(minutes=1)):
        drain()
    return sink[-1]


def back(letter: Callable[..., EmailMessage], mail: Letter, **kwargs: Any) -> EmailMessage:
    """An answer to a letter of ours, as mail programs write it."""
    ours = mail.message
    return letter(to=ours["Reply-To"], subject=ours["Subject"], In_Reply_To=ours["Message-ID"], **kwargs)


@pytest.fixture
def lena(db: None) -> User:
    """A light agent: reads and keeps notes."""
    return colleague("Lena Brandt", "light")


@pytest.fixture
def noor(db: None) -> User:
    """An agent who sees only the tickets of the Billing team, and Ben's is Support's."""
    user = colleague("Noor Aziz", "agent", reach=Reach.TEAM)
    user.teams.add(Team.objects.create(slug="billing", name="Billing"))
    return user


@pytest.fixture
def rule(mia: User) -> Callable[..., Rule]:
    """``rule("update", {...conditions}, status="pending")``: a rule that is on."""

    def write(
        kind: str,
        asks: dict[str, Any],
        /,
        *,
        name: str = "",
        happened: Sequence[str] = (),
        since: str = "",
        minutes: int = 0,
        hours: str = "calendar",
        on: bool = True,
        **does: Any,
    ) -> Rule:
        wording = Wording(name or f"Rule {Rule.objects.count() + 1}", asks, does, list(happened), since, minutes, hours)
        made = keeping.save(Rule(kind=kind), wording, by=mia)
        if on:
            keeping.switch(made, True, by=mia)
        return Rule.objects.select_related("version").get(pk=made.pk)

    return write
