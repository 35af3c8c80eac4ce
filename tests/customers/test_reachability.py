"""An address is given up when mail does not arrive, and taken back when something shows that it lives."""

from datetime import timedelta

import pytest

from helpdesk.customers import reachability, timeline
from helpdesk.customers.models import Address, Customer, Event
from helpdesk.lib.dates import now

START = now()


@pytest.fixture
def address(ben: Customer) -> Address:
    return ben.addresses.get()


def fail(minutes: int, *, permanent: bool = False) -> bool:
    at = START + timedelta(minutes=minutes)
    return reachability.failed("Ben@carter.example", permanent=permanent, reason="no such box", at=at)


def sent(address: Address, minutes: int) -> None:
    timeline.record("mail.sent", customer=address.customer_id, at=START + timedelta(minutes=minutes), address=address.pk)


def test_a_hard_failure_is_enough_and_is_told_once(address: Address) -> None:
    assert fail(1, permanent=True)
    assert not fail(2, permanent=True)
    address.refresh_from_db()
    assert (address.reachability, address.reason) == ("unreachable", "no such box")
    assert Event.objects.filter(kind="address.unreachable").count() == 1


def test_three_temporary_failures_in_five_sends(address: Address) -> None:
    for minute in range(5):
        sent(address, minute)
    assert [fail(1), fail(2), fail(2), fail(3)] == [False, False, False, True]  # the same report twice is one


def test_failures_that_five_sends_left_behind_do_not_count(address: Address) -> None:
    fail(1)
    fail(2)
    for minute in range(10, 15):
        sent(address, minute)
    assert [fail(16), fail(17), fail(18)] == [False, False, True]


@pytest.mark.parametrize(("story", "ends"), [
    ("sfsf", "unknown"),
    ("sfsfsf", "unreachable"),
    ("sfsfsssf", "unreachable"),  # the first of five sends still counts
    ("sfsfssssf", "unknown"),  # and not the first of six
    ("sfsfssssfsf", "unknown"),
    ("sfsfdsf", "reachable"),  # a delivery between them clears
    ("sfsfdsfsfsf", "unreachable"),
    ("sF", "unreachable"),
    ("sFd", "reachable"),
    ("sfsfsfd", "reachable"),
    ("sfsfsfdsfsf", "reachable"),
    ("dsfsF", "unreachable"),
])  # fmt: skip
def test_stories(address: Address, story: str, ends: str) -> None:
    """s: sent, f: a passing failure, F: a lasting one, d: delivered, or a mail from it; a minute each."""
    for minute, letter in enumerate(story):
        if letter == "s":
            sent(address, minute)
        elif letter == "d":
            reachability.worked(address, at=START + timedelta(minutes=minute))
        else:
            fail(minute, permanent=letter == "F")
    address.refresh_from_db()
    assert address.reachability == ends


def test_one_delivery_or_a_mail_from_it_heals(address: Address) -> None:
    fail(1, permanent=True)
    assert reachability.worked(address, at=START + timedelta(minutes=2))
    assert not reachability.worked(address, at=START + timedelta(minutes=3))
    address.refresh_from_db()
    assert (address.reachability, address.reason) == ("reachable", "")
    assert Event.objects.filter(kind="address.reachable").count() == 1


def test_a_sign_of_life_clears_temporary_failures(address: Address) -> None:
    reachability.worked(address, at=START)
    fail(1)
    fail(2)
    reachability.worked(address, at=START + timedelta(minutes=3))
    assert not fail(4)


def test_a_late_report_does_not_undo_newer_news(address: Address) -> None:
    reachability.worked(address, at=START)
    assert not fail(-60, permanent=True)
    assert fail(1, permanent=True)
    assert not reachability.worked(address, at=START - timedelta(hours=1))


def test_an_address_nobody_has_is_no_error(db: None) -> None:
    assert not reachability.failed("ghost@nowhere.example", permanent=True, reason="x", at=START)
    assert not reachability.worked("ghost@nowhere.example", at=START)
