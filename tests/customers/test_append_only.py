"""The database refuses to rewrite history, whoever asks."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from helpdesk.accounts.models import AuditEntry, audit
from helpdesk.customers import consent, timeline
from helpdesk.customers.append_only import erasing
from helpdesk.customers.models import Consent, Customer, Event, Subscription
from helpdesk.customers.tasks import tidy
from helpdesk.lib.dates import moved, now


def refused(sql: str) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
    except DatabaseError as error:
        return "append-only" in str(error)
    return False


@pytest.fixture
def history(ben: Customer, tips: Subscription) -> None:
    audit("team.created", actor="user:1", subject="team:1", after={"name": "Support"})
    consent.give(ben.pk, tips, source="form")
    with connection.cursor() as cursor:  # as it ships; the tests' own clearing up had switched these off
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # deferred checks would stand in ALTER TABLE's way
        cursor.execute("ALTER TABLE accounts_auditentry ENABLE TRIGGER audit_no_truncate")
        cursor.execute("ALTER TABLE customers_consent ENABLE TRIGGER consent_no_truncate")
        cursor.execute("ALTER TABLE customers_event ENABLE TRIGGER event_no_truncate")


@pytest.mark.parametrize("table", ["accounts_auditentry", "customers_consent", "customers_event"])
@pytest.mark.parametrize("sql", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {}"])
def test_no_row_is_changed_deleted_or_truncated(history: None, table: str, sql: str) -> None:
    assert refused(sql.format(table))
    assert AuditEntry.objects.count() == Consent.objects.count() == 1
    assert Event.objects.filter(kind="consent.given").count() == 1


def test_an_erasure_takes_a_persons_rows_and_shuts_the_door_behind_it(history: None, ben: Customer) -> None:
    with erasing():
        ben.delete()
    assert Consent.objects.count() == Event.objects.filter(customer_id=ben.pk).count() == 0
    timeline.record("customer.created")
    assert refused("DELETE FROM customers_event")


def test_even_an_erasure_changes_nothing_and_leaves_the_audit_log(history: None) -> None:
    with erasing():
        assert refused("UPDATE customers_consent SET given = false")
        assert refused("UPDATE customers_event SET payload = '{}'")
        assert refused("TRUNCATE customers_event")
        assert refused("DELETE FROM accounts_auditentry")


def test_a_customer_with_history_is_not_deleted_by_the_way(history: None, ben: Customer) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        ben.delete()
    assert Customer.objects.filter(pk=ben.pk).exists()


def test_old_events_from_outside_expire_and_ours_stay(ben: Customer, settings: Any) -> None:
    old = now() - timedelta(days=settings.EXTERNAL_EVENT_DAYS + 1)
    with moved(to=old):
        timeline.record_all([timeline.Fact("seen", ben.pk, source="shop", external_id="old")])
        ours = timeline.record("customer.updated", customer=ben.pk)
    timeline.record_all([timeline.Fact("seen", ben.pk, old, source="shop", external_id="told late")])
    tidy()
    assert list(Event.objects.exclude(source="").values_list("external_id", flat=True)) == ["told late"]
    assert Event.objects.filter(pk=ours.pk).exists()
