"""One statement writes many rows, each its own values, as Django's bulk_update would."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import DataError, connection, transaction
from django.test.utils import CaptureQueriesContext

from helpdesk.lib import dates
from helpdesk.lib.rows import array, update
from helpdesk.mail.models import Class, Lane, Outgoing, State

pytestmark = pytest.mark.django_db


def letters(count):
    return Outgoing.objects.bulk_create(
        Outgoing(key=f"k{n}", kind="account.mail", klass=Class.REPLY, lane=Lane.REPLIES, to="x@y.example", due_at=dates.now())
        for n in range(count)
    )


def test_each_row_gets_its_own_values_and_others_are_left():
    rows = letters(30)
    *changed, untouched = rows
    for n, row in enumerate(changed):
        row.state, row.attempts = State.SENDING, n
        row.sent_at = dates.now() + timedelta(hours=n) if n % 2 else None
        row.rendered = {"text": f'a "quoted" {n}, 50 %s, null and \\ and ü'} if n % 3 else None
    untouched.state = State.FAILED
    with CaptureQueriesContext(connection) as seen:
        assert update(changed, ["state", "attempts", "sent_at", "rendered"]) == 29
    assert len(seen) == 1
    for row in changed:
        there = Outgoing.objects.get(pk=row.pk)
        assert (there.state, there.attempts, there.sent_at, there.rendered) == (
            row.state,
            row.attempts,
            row.sent_at,
            row.rendered,
        )
    assert Outgoing.objects.get(pk=untouched.pk).state == State.PENDING


def test_a_text_that_is_too_long_is_refused_and_not_cut():
    (row,) = letters(1)
    row.owner = "x" * 61
    with pytest.raises(DataError), transaction.atomic():
        update([row], ["owner"])
    assert Outgoing.objects.get(pk=row.pk).owner == ""


def test_nothing_is_nothing():
    assert update([], ["state"]) == 0


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("text", ['a "quoted" word', "\\", "\\x41", "null", "NULL", None, "", " ", "{}", "{a,b}", "a,b", "'", "%s", "\n\t", "ü"]),
        ("bigint", [0, -1, 2**63 - 1, None]),
        ("boolean", [True, None, False]),
        ("numeric", [Decimal("0.10"), Decimal("-3"), None]),
        ("double precision", [0.1, 1e300, None, float("inf")]),
        ("timestamptz", [datetime(2026, 11, 23, 12, 0, 0, 1, tzinfo=UTC), None, datetime(1, 1, 1, tzinfo=UTC)]),
        ("date", [date(2026, 11, 23), None]),
        ("jsonb", ['{"a": "\\"b\\""}', "null", None, '"x"']),
        ("text", []),
    ],
)  # fmt: skip
def test_an_array_is_one_parameter_and_arrives_as_it_was(kind, values):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT each FROM unnest(%s::{kind}[]) WITH ORDINALITY AS t(each, n) ORDER BY n", [array(values)])
        assert [each for (each,) in cursor.fetchall()] == values


def test_bytes_are_an_element_and_a_list_is_none():
    with connection.cursor() as cursor:
        cursor.execute("SELECT (%s::bytea[])[1]", [array([b"\x00\xff\\"])])
        assert bytes(cursor.fetchone()[0]) == b"\x00\xff\\"
    with pytest.raises(TypeError, match="list"):
        array([["a"]])
