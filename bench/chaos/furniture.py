"""What the chaos needs in the database before it begins, and the witness that counts how often each event was handed over."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections
from django.test import Client

from helpdesk.accounts.models import ApiToken, Role, Scope, Team, User
from helpdesk.customers.models import Address, Customer, Event, Subscription
from helpdesk.mail import inbox, sender
from helpdesk.mail.models import Class, Mailbox
from outreach import campaigns
from outreach.models import Campaign, Version

CUSTOMERS = 300
WITNESSED = ("*external*", "ticket.opened")


def witness(events: list[Event]) -> None:
    """A subscriber like any other, except that nothing in its table refuses a second copy."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO chaos_seen SELECT unnest(%s::bigint[])", [[event.pk for event in events]])


def make() -> dict[str, Any]:
    """Tables, people, a campaign of two messages; shortens what would outlast the play. Leaves no connection open."""
    call_command("migrate", verbosity=0)
    for kind in WITNESSED:
        settings.EVENT_SUBSCRIBERS[kind] = [*settings.EVENT_SUBSCRIBERS[kind], "bench.chaos.furniture.witness"]
    sender.CLAIM = timedelta(seconds=6)
    sender.WAITS = [timedelta(seconds=1)]
    inbox.LEASE = timedelta(seconds=6)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE chaos_seen (event_id bigint NOT NULL)")
    team = Team.objects.create(slug="support", name="Support")
    Mailbox.objects.create(slug="support", name="Support", address="support@chaos.example", team=team, is_default=True)
    ana = User.objects.create_user("ana@chaos.example", None, name="Ana Kowalczyk", role=Role.MANAGER)
    people = Customer.objects.bulk_create(Customer(external_id=f"c{n}", name=f"Customer {n}") for n in range(CUSTOMERS))
    Address.objects.bulk_create(
        Address(customer=each, canonical=f"{each.external_id}@customers.example", shown=f"{each.external_id}@customers.example")
        for each in people
    )
    _launch(ana)
    _token, text = ApiToken.objects.issue("chaos", list(Scope.values), by=ana)
    browser = Client()
    browser.force_login(ana, backend=settings.AUTHENTICATION_BACKENDS[0])
    secrets = {"token": text, "session": browser.cookies[settings.SESSION_COOKIE_NAME].value}
    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")  # or the first crash would replay the migrations, and the play would be over
    connections.close_all()
    return secrets


def _launch(by: User) -> None:
    """Each order begins a journey of two messages; nothing but the machinery decides whether they leave."""
    tips = Subscription.objects.create(slug="orders", name="Orders", opt_in=False)
    campaign = Campaign.objects.create(name="Your order", klass=Class.LIFECYCLE, subscription=tips, holds={}, created_by=by)
    steps = [
        {
            "do": "send",
            "subject": "Order {{ event.order }}",
            "body": "Hello {{ customer.name }}",
            "fallbacks": {"customer.name": "you"},
        },
        {"do": "wait", "seconds": 1},
        {"do": "send", "subject": "Order {{ event.order }} again", "body": "How was it?", "fallbacks": {}},
    ]
    version = Version.objects.create(
        campaign=campaign,
        number=1,
        trigger_kind="order_placed",
        entry_key="order",
        steps=steps,
        quiet_from=None,
        quiet_until=None,
        cap=None,
        created_by=by,
    )
    campaigns.launch(version, by=by)
