"""Many tickets, customers and events by COPY, with shapes like a real helpdesk's: for `make bench` and for trying scale."""

import random
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from helpdesk.accounts.models import Role, Team, User
from helpdesk.customers.models import Address, Customer, Event, FieldDefinition, Subscription
from helpdesk.demo.bulk import catch_up, copy
from helpdesk.lib.dates import now
from helpdesk.mail.models import Mailbox
from tickets.models import LIVE, Channel, Message, Priority, Status, Ticket

AGENTS = 20
TEAMS = 4
LONG, SHORT = 50, 2  # messages of the two tickets whose pages are compared
TICKET = [
    "id",
    "number",
    "subject",
    "status",
    "priority",
    "requester_id",
    "address_id",
    "team_id",
    "assignee_id",
    "mailbox_id",
    "channel",
    "opened_at",
    "waiting_since",
    "last_customer_message_at",
    "last_message_at",
    "last_message_id",
    "said",
    "solved_at",
    "closed_at",
]
MESSAGE = ["id", "ticket_id", "kind", "user_id", "customer_id", "text", "html", "at", "rfc_id"]
KINDS = ["signed_in", "order_placed", "invoice_paid", "trial_ended", "page_viewed", "export_made", "seat_added", "card_failed"]
PLANS = ["free", "pro", "team", "enterprise"]
WORDS = [
    "the",
    "a",
    "to",
    "my",
    "on",
    "in",
    "for",
    "and",
    "with",
    "after",
    "before",
    "again",
    "order",
    "invoice",
    "card",
    "account",
    "password",
    "export",
    "report",
    "page",
    "team",
    "seat",
    "trial",
    "plan",
    "renewal",
    "delivery",
    "address",
    "refund",
    "login",
    "error",
    "button",
    "blank",
    "slow",
    "missing",
    "wrong",
    "twice",
    "cannot",
    "never",
    "always",
    "since",
    "yesterday",
    "update",
    "customer",
    "email",
    "address",
    "number",
    "field",
    "import",
    "file",
    "upload",
    "image",
    "print",
    "label",
    "tracking",
    "parcel",
    "warehouse",
    "subscription",
    "payment",
]


class Command(BaseCommand):
    help = "Fill an empty database with customers, tickets and events for measuring. What is there already is kept."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tickets", type=int, default=100_000)
        parser.add_argument("--customers", type=int, default=100_000)
        parser.add_argument("--events", type=int, default=1_000_000)
        parser.add_argument(
            "--open", type=int, default=2_000, help="tickets that are not solved or closed, whatever the number of all"
        )
        parser.add_argument("--seed", type=int, default=1)

    def handle(self, *, tickets: int, customers: int, events: int, open: int, seed: int, **_: Any) -> None:
        if Customer.objects.exists():
            if not Customer.objects.filter(external_id="bench-1").exists():
                raise CommandError("This database holds something else: give load_bench_data an empty one.")
            self.stdout.write("The data is there already")
            return
        self.random, self.at = random.Random(seed), now()
        self.texts = [self.sentence(30) for _ in range(2_000)]
        began = time.monotonic()
        with transaction.atomic():
            self.people()
            self.customers(customers)
            self.tickets(tickets, min(open, tickets), customers)
            self.two_pages()
            self.events(events, customers)
        catch_up(User, Customer, Address, Ticket, Message, Event)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM")  # the inserts have set no hint bits and no visibility map: whoever reads first would
        self.stdout.write(f"{customers} customers, {tickets} tickets, {events} events in {time.monotonic() - began:.0f} s")

    def sentence(self, most: int) -> str:
        return " ".join(self.random.choices(WORDS, k=self.random.randint(4, most)))

    def people(self) -> None:
        teams = Team.objects.bulk_create(Team(slug=f"team-{n}", name=f"Team {n}") for n in range(TEAMS))
        Mailbox.objects.create(slug="support", name="Support", address="support@bench.example", team=teams[0], is_default=True)
        Subscription.objects.create(slug="tips", name="Tips", opt_in=False)
        kinds = FieldDefinition.Type
        for key, type_, choices in (("plan", kinds.CHOICE, PLANS), ("seats", kinds.NUMBER, []), ("country", kinds.TEXT, [])):
            FieldDefinition.objects.create(subject="customer", key=key, label=key.title(), type=type_, choices=choices)
        roles = [Role.ADMIN, Role.MANAGER] + [Role.AGENT] * (AGENTS - 2)
        users = User.objects.bulk_create(
            User(email=f"agent-{n}@bench.example", name=f"Agent {n}", role=role, password=UNUSABLE_PASSWORD_PREFIX)
            for n, role in enumerate(roles)
        )
        self.agents, self.team_ids = [user.pk for user in users], [team.pk for team in teams]

    def customers(self, number: int) -> None:
        ids = range(1, number + 1)
        zones = ["Europe/Berlin", "America/New_York", "Asia/Tokyo", ""]
        copy(
            Customer,
            ["id", "external_id", "name", "zone", "stage", "attributes"],
            (
                (
                    n,
                    f"bench-{n}",
                    f"Customer {n}",
                    zones[n % 4],
                    "customer" if n % 3 else "trial",
                    {"plan": PLANS[n % 4], "seats": n % 50, "country": ("de", "us", "jp")[n % 3]},
                )
                for n in ids
            ),
        )
        copy(
            Address,
            ["id", "customer_id", "canonical", "shown", "reachability"],
            ((n, n, f"c{n}@bench-customers.example", f"c{n}@bench-customers.example", "reachable") for n in ids),
        )

    def tickets(self, number: int, living: int, customers: int) -> None:
        """The newest are the open ones. Each ticket has one to three messages."""
        mailbox = Mailbox.objects.get().pk
        self.message_id = 0
        messages: list[tuple[Any, ...]] = []

        def rows() -> Iterator[tuple[Any, ...]]:
            choose = self.random.choice
            for n in range(1, number + 1):
                is_open = n > number - living
                at = self.at - timedelta(minutes=(number - n) * 5 + 1)
                customer = self.random.randint(1, customers)
                status = (
                    choose((Status.NEW, Status.OPEN, Status.OPEN, Status.PENDING))
                    if is_open
                    else (Status.SOLVED if n > number - living - 1000 else Status.CLOSED)
                )
                ours = status in (Status.NEW, Status.OPEN)
                for each in range(self.random.randint(1, 3)):
                    self.message_id += 1
                    kind = Message.Kind.CUSTOMER if each % 2 == 0 else Message.Kind.REPLY
                    messages.append(self.message(n, kind, customer, at + timedelta(minutes=each)))
                text = choose(self.texts)
                yield (
                    n,
                    n,
                    text[:60],
                    status,
                    choose(Priority.values),
                    customer,
                    customer,
                    choose(self.team_ids),
                    choose([None, *self.agents]) if is_open else choose(self.agents),
                    mailbox,
                    choose(Channel.values),
                    at,
                    at if ours else None,
                    at,
                    at,
                    self.message_id,
                    text[:200],
                    None if is_open else at,
                    None if is_open else at,
                )

        batch: list[tuple[Any, ...]] = []
        for row in rows():
            batch.append(row)
            if len(batch) == 20_000:
                self.flush(batch, messages)
        self.flush(batch, messages)
        with connection.cursor() as cursor:
            cursor.execute("SELECT setval('tickets_ticket_number', %s)", [number])

    def flush(self, tickets: list[tuple[Any, ...]], messages: list[tuple[Any, ...]]) -> None:
        copy(Ticket, TICKET, tickets)
        copy(Message, MESSAGE, messages)
        tickets.clear()
        messages.clear()

    def message(self, ticket: int, kind: str, customer: int, at: Any) -> tuple[Any, ...]:
        text, ours = self.random.choice(self.texts), kind == Message.Kind.REPLY
        user = self.random.choice(self.agents) if ours else None
        rfc_id = "" if ours else f"<{self.message_id}@bench-customers.example>"
        return (self.message_id, ticket, kind, user, None if ours else customer, text, f"<p>{text}</p>", at, rfc_id)

    def two_pages(self) -> None:
        """The oldest open tickets become those whose pages are compared: one of fifty messages, one of two."""
        first = list(Ticket.objects.filter(status__in=LIVE).order_by("id")[:2])
        for ticket, wanted in zip(first, (LONG, SHORT), strict=True):
            Message.objects.filter(ticket=ticket).delete()
            rows = []
            for n in range(wanted):
                self.message_id += 1
                kind = Message.Kind.CUSTOMER if n % 2 == 0 else Message.Kind.REPLY
                rows.append(self.message(ticket.pk, kind, ticket.requester_id, ticket.opened_at + timedelta(minutes=n)))
            copy(Message, MESSAGE, rows)
            Ticket.objects.filter(pk=ticket.pk).update(
                last_message_id=self.message_id, attributes={"bench": f"{wanted} messages"}
            )

    def events(self, number: int, customers: int) -> None:
        """What customers did in the last 90 days; nobody is owed any of it."""
        spread = timedelta(days=90)

        def rows() -> Iterator[tuple[Any, ...]]:
            draw, kinds = self.random.random, self.random.choices(KINDS, k=4096)
            for n in range(number):
                at = self.at - spread * draw()
                yield (kinds[n & 4095], int(draw() * customers) + 1, "bench", f"b{n}", at, at, {"order": n})

        copy(Event, ["kind", "customer_id", "source", "external_id", "occurred_at", "received_at", "payload"], rows())
