"""An entry and the exit that overtakes it, dispatched by two workers at once, and a launch clicked twice at once."""

import threading

import pytest
from django.db import connection, transaction

from helpdesk.accounts.models import AuditEntry
from helpdesk.customers import identity
from helpdesk.customers.models import Event, Subscription
from helpdesk.customers.timeline import Fact, record_all
from helpdesk.lib.dates import now
from helpdesk.mail.models import Mailbox, Outgoing, State
from outreach import campaigns, triggers
from outreach.models import Campaign, Enrolment, Version
from tests.conftest import colleague

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def version() -> Version:
    mia = colleague("Mia", "manager")
    made = Campaign.objects.create(
        name="Parcels",
        created_by=mia,
        mailbox=Mailbox.objects.create(slug="s", name="S", address="s@nordwind.example", is_default=True),
        subscription=Subscription.objects.create(slug="tips", name="Tips", opt_in=False),
    )
    draft = campaigns.draft_of(made, by=mia)
    draft.trigger_kind, draft.exit_kind, draft.entry_key = "shipped", "cancelled", "order"
    draft.steps = [{"do": "wait", "seconds": 3600}, {"do": "send", "subject": "Hi", "body": "x", "fallbacks": {}}]
    draft.save()
    return draft


def in_thread(work):
    def run():
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_an_exit_that_is_dispatched_while_its_entry_is_finds_it(version, sink):
    campaigns.launch(version, by=version.created_by)
    ben = identity.customer_for_address("ben@carter.example")
    (shipped,) = record_all([Fact("shipped", ben.pk, now(), payload={"order": "1"}, source="shop")])
    entered, may_commit = threading.Event(), threading.Event()

    def enter():
        with transaction.atomic():
            triggers.on_events([Event.objects.get(pk=shipped.pk)])
            entered.set()
            may_commit.wait(10)

    entering = in_thread(enter)
    assert entered.wait(10)
    (cancelled,) = record_all([Fact("cancelled", ben.pk, now(), payload={"order": "1"}, source="shop")])

    def leave():
        with transaction.atomic():
            triggers.on_events([Event.objects.get(pk=cancelled.pk)])

    leaving = in_thread(leave)
    leaving.join(0.3)
    may_commit.set()
    entering.join(10)
    leaving.join(10)
    assert Enrolment.objects.get().state == Enrolment.State.LEFT
    assert Outgoing.objects.get().state == State.CANCELLED


def test_two_launches_at_once_are_one(version):
    start = threading.Barrier(2)
    outcome = []

    def launch():
        start.wait(10)
        outcome.append(campaigns.launch(version, by=version.created_by))

    for thread in [in_thread(launch), in_thread(launch)]:
        thread.join(10)
    assert sorted(outcome) == [False, True]
    assert AuditEntry.objects.filter(action="campaign.launched").count() == 1
    assert Version.objects.filter(launched_at__isnull=False).count() == 1
