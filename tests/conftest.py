"""The cast, the sink, and ``drain``: tests enter by the doors people use and then let the queues run until quiet."""

import socket
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache

import pytest
from aiosmtpd.controller import Controller
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.test import Client
from django.utils.module_loading import import_string

from helpdesk.accounts.models import Role, Team, User
from helpdesk.customers import consent, identity
from helpdesk.customers.models import Customer, Event, EventDelivery, Subscription
from helpdesk.live import bell
from helpdesk.mail.models import IncomingMail, Mailbox, Outgoing
from tickets.models import RuleMeeting

ROUNDS = 10
QUEUES = [
    "helpdesk.customers.tasks.dispatch",
    "tickets.tasks.meet_rules",
    "tickets.tasks.escalate",
    "helpdesk.mail.tasks.process_incoming",
    "tickets.tasks.hand_out",
    "tickets.tasks.scan_files",
    "outreach.tasks.advance",
    "tickets.tasks.suggest",
    "helpdesk.mail.tasks.send_replies",
    "helpdesk.mail.tasks.send_campaigns",
]
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def quiet_bell(settings: object) -> None:
    """No worker listens in a test; ``drain`` is the worker."""
    settings.BELL = False  # type: ignore[attr-defined]
    settings.EMAIL_BACKEND = "helpdesk.mail.backend.OutboxBackend"  # type: ignore[attr-defined]
    settings.POSTAL_ADDRESS = "Twofold, 1 Letter Lane, 12345 Papertown"  # type: ignore[attr-defined]


@dataclass
class Letter:
    """One message as the sink took it."""

    envelope_from: str
    recipients: list[str]
    raw: bytes
    message: EmailMessage = field(init=False)

    def __post_init__(self) -> None:
        self.message = message_from_bytes(self.raw, policy=policy.default)  # type: ignore[assignment]

    @property
    def text(self) -> str:
        part = self.message.get_body(("plain",))
        return part.get_content() if part else ""

    @property
    def html(self) -> str:
        part = self.message.get_body(("html",))
        return part.get_content() if part else ""


class Sink(list[Letter]):
    """A real SMTP server on loopback. ``answer(recipient)`` may return another reply than 250."""

    def __init__(self) -> None:
        super().__init__()
        self.answer: Callable[[str], str] = lambda _recipient: "250 OK"
        self.refused: set[str] = set()
        self.patience: set[str] = set()  # those whom it takes later

    async def handle_RCPT(self, server: object, session: object, envelope: object, address: str, options: object) -> str:
        if address in self.refused:
            return "550 5.1.1 Nobody of this name"
        if address in self.patience:
            return "451 4.7.1 Greylisted"
        envelope.rcpt_tos.append(address)  # type: ignore[attr-defined]
        return "250 OK"

    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:
        reply = self.answer(envelope.rcpt_tos[0])  # type: ignore[attr-defined]
        if reply.startswith("250"):
            self.append(Letter(envelope.mail_from, envelope.rcpt_tos, envelope.original_content))  # type: ignore[attr-defined]
        return reply

    def to(self, address: str) -> list[Letter]:
        return [letter for letter in self if address in letter.recipients]


@pytest.fixture(scope="session")
def smtp_server() -> Iterator[tuple[Sink, int]]:
    sink = Sink()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    controller = Controller(sink, hostname="127.0.0.1", port=port, enable_SMTPUTF8=True)
    controller.start()
    yield sink, port
    controller.stop()


@pytest.fixture
def sink(smtp_server: tuple[Sink, int], settings: object) -> Sink:
    letters, port = smtp_server
    letters.clear()
    letters.answer = lambda _recipient: "250 OK"
    letters.refused.clear()
    letters.patience.clear()
    settings.MAIL_TRANSPORT = f"smtp://127.0.0.1:{port}"  # type: ignore[attr-defined]
    return letters


@pytest.fixture(autouse=True)
def empty_valkey(request: pytest.FixtureRequest) -> None:
    if "db" in request.fixturenames or request.node.get_closest_marker("django_db"):
        bell.client().flushdb()


@pytest.fixture
def drain(db: None, sink: Sink) -> Callable[[], None]:
    """Run every queue until nothing moves any more; ten rounds without rest are a loop, and a failure."""

    def run() -> None:
        for _ in range(ROUNDS):
            before = _picture()
            for task in QUEUES:
                import_string(task)()
            if _picture() == before:
                return
        pytest.fail(f"not quiet after {ROUNDS} rounds: {_picture()}")

    return run


def _picture() -> tuple[object, ...]:
    return (
        Event.objects.count(),
        EventDelivery.objects.count(),
        Counter(IncomingMail.objects.values_list("state", flat=True)),
        Counter(Outgoing.objects.values_list("state", flat=True)),
        Counter(RuleMeeting.objects.values_list("state", flat=True)),
    )


@pytest.fixture
def support(db: None) -> Mailbox:
    team = Team.objects.get_or_create(slug="support", defaults={"name": "Support"})[0]
    return Mailbox.objects.create(
        slug="support", name="Nordwind help", address="support@nordwind.example", team=team, is_default=True
    )


@cache
def hashed() -> str:
    """PASSWORD, as it is kept. Once: its hash takes a tenth of a second on purpose, and a cast is made for each test."""
    return make_password(PASSWORD)


def colleague(name: str, role: str, **fields: object) -> User:
    """Somebody of ours, who signs in with PASSWORD."""
    own = {"email": f"{name.split()[0].lower()}@nordwind.example", "password": hashed(), "name": name, "role": role}
    return User.objects.create(**own | fields)


@pytest.fixture
def ana(db: None) -> User:
    """An agent who reads all tickets."""
    return colleague("Ana Kowalczyk", Role.AGENT)


@pytest.fixture
def omar(db: None) -> User:
    """The admin."""
    return colleague("Omar Haddad", Role.ADMIN)


@pytest.fixture
def mia(db: None) -> User:
    """The manager."""
    return colleague("Mia Sandoval", Role.MANAGER)


@pytest.fixture
def tips(db: None) -> Subscription:
    return Subscription.objects.create(slug="tips", name="Product tips", opt_in=False)


@pytest.fixture
def ben(db: None) -> Customer:
    """A customer with a proved address in Berlin."""
    customer = identity.customer_for_address("ben@carter.example", name="Ben Carter")
    Customer.objects.filter(pk=customer.pk).update(external_id="ben", zone="Europe/Berlin", attributes={"plan": "pro"})
    customer.refresh_from_db()
    return customer


@pytest.fixture
def cleo(db: None, tips: Subscription) -> Customer:
    """A customer who said no to tips."""
    customer = identity.customer_for_address("cleo@marchetti.example", name="Cleo Marchetti")
    consent.withdraw(customer.pk, tips, source="portal")
    return customer


@pytest.fixture
def browser(client: Client) -> Callable[[User], Client]:
    """``browser(ana).get(…)``: a signed-in person's browser."""

    def signed_in(user: User) -> Client:
        own = Client()
        own.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        return own

    return signed_in


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: object) -> None:
    """A test that commits is followed by TRUNCATE, which append-only tables refuse; the rest of their guard stays on."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:  # type: ignore[attr-defined]
        cursor.execute("ALTER TABLE accounts_auditentry DISABLE TRIGGER audit_no_truncate")
        cursor.execute("ALTER TABLE customers_consent DISABLE TRIGGER consent_no_truncate")
        cursor.execute("ALTER TABLE customers_event DISABLE TRIGGER event_no_truncate")
