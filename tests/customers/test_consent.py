"""What somebody allowed, what they took back, and that nobody else can undo it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection

from helpdesk.customers import consent, identity
from helpdesk.customers.models import Consent, Customer, Event, Subscription, Suppression
from helpdesk.lib.dates import moved, now


@pytest.fixture
def news(db: None) -> Subscription:
    return Subscription.objects.create(slug="news", name="Monthly news", opt_in=True)


def test_consent_is_asked_for_where_a_subscription_says_so(
    ben: Customer, cleo: Customer, news: Subscription, tips: Subscription
) -> None:
    everything = {(c.pk, s.pk) for c in (ben, cleo) for s in (news, tips)}
    assert consent.allowed(everything) == {(ben.pk, tips.pk)}  # tips need no opt-in, and Cleo said no
    consent.give(ben.pk, "news", source="form", wording="Yes, write to me", proof={"ip": "192.0.2.7"})
    assert consent.allowed(everything) == {(ben.pk, tips.pk), (ben.pk, news.pk)}
    consent.withdraw(ben.pk, news, source="link")
    assert consent.allowed(everything) == {(ben.pk, tips.pk)}
    consent.give(cleo.pk, tips.pk, source="portal")
    assert consent.allowed(everything) == {(ben.pk, tips.pk), (cleo.pk, tips.pk)}


def test_saying_the_same_twice_writes_once(ben: Customer, news: Subscription) -> None:
    assert consent.withdraw(ben.pk, news, source="link") is not None
    assert consent.withdraw(ben.pk, news, source="link") is None
    assert consent.give(ben.pk, news, source="form") is not None
    assert consent.give(ben.pk, news, source="form") is None
    assert Consent.objects.count() == 2
    assert list(Event.objects.filter(kind__startswith="consent.").order_by("id").values_list("kind", flat=True)) == [
        "consent.withdrawn",
        "consent.given",
    ]


@pytest.mark.django_db(transaction=True)
def test_six_clicks_at_once_write_once() -> None:
    ben = identity.customer_for_address("ben@carter.example")
    news = Subscription.objects.create(slug="news", name="News")
    together = Barrier(6)

    def click(_: int) -> bool:
        together.wait()
        try:
            return consent.withdraw(ben.pk, news, source="link") is not None
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(click, range(6))) == 1
    assert Consent.objects.count() == 1


def test_consent_runs_out(ben: Customer, news: Subscription, tips: Subscription) -> None:
    end = now() + timedelta(days=30)
    for subscription in (news, tips):
        consent.give(ben.pk, subscription, source="form", expires_at=end)
    asked = [(ben.pk, news.pk), (ben.pk, tips.pk)]
    assert consent.allowed(asked) == set(asked)
    with moved(by=timedelta(days=31)):
        assert consent.allowed(asked) == {(ben.pk, tips.pk)}
        assert consent.give(ben.pk, news, source="form") is not None
        assert consent.allowed(asked) == set(asked)


def test_a_thousand_pairs_are_one_query(ben: Customer, tips: Subscription, django_assert_num_queries: object) -> None:
    with django_assert_num_queries(1):
        assert consent.allowed([(ben.pk, tips.pk)] + [(n, tips.pk) for n in range(10_000, 11_000)]) >= {(ben.pk, tips.pk)}
    with django_assert_num_queries(0):
        assert consent.allowed([]) == set()


def test_a_suppressed_address_is_known_in_every_spelling_and_by_no_reader(
    ben: Customer, django_assert_num_queries: object
) -> None:
    assert consent.suppress("Ben@Carter.example", "complaint", "report")
    assert not consent.suppress("ben@carter.example", "complaint", "report")
    with django_assert_num_queries(1):
        asked = ["BEN@carter.example", "cleo@marchetti.example", "no address"]
        assert consent.suppressed(asked) == {"ben@carter.example"}
    row = Suppression.objects.get()
    assert "carter" not in f"{row.digest}{row.source}"
    assert Event.objects.get(kind="address.suppressed").customer_id == ben.pk


def test_a_key_that_changes_forgets_nobody(db: None, settings: object) -> None:
    settings.TOKEN_KEYS = ["old"]  # type: ignore[attr-defined]
    consent.suppress("ben@carter.example", "opt_out", "link")
    settings.TOKEN_KEYS = ["new", "old"]  # type: ignore[attr-defined]
    assert consent.suppressed(["ben@carter.example"]) == {"ben@carter.example"}
    settings.TOKEN_KEYS = ["new"]  # type: ignore[attr-defined]
    assert consent.suppressed(["ben@carter.example"]) == set()  # keyed: without the key nobody can ask


@pytest.mark.parametrize(
    ("reason", "staff_may", "customer_may"),
    [("complaint", False, False), ("opt_out", False, True), ("legal", True, False), ("manual", True, False)],
)
def test_who_may_lift_what(ben: Customer, reason: str, staff_may: bool, customer_may: bool) -> None:
    for by_customer, may in ((False, staff_may), (True, customer_may)):
        consent.suppress("ben@carter.example", reason, "test")
        if may:
            assert consent.lift("ben@carter.example", source="page", by_customer=by_customer)
        else:
            with pytest.raises(consent.NeverLifted):
                consent.lift("ben@carter.example", source="page", by_customer=by_customer)
        assert bool(consent.suppressed(["ben@carter.example"])) is not may


def test_a_complaint_is_not_weakened_by_a_later_reason(ben: Customer) -> None:
    consent.suppress("ben@carter.example", "manual", "page")
    consent.suppress("ben@carter.example", "complaint", "report")
    assert not consent.suppress("ben@carter.example", "manual", "page")
    assert Suppression.objects.get().reason == "complaint"
