"""One person is one customer, whoever names them first and however often."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from helpdesk.customers import identity
from helpdesk.customers.addresses import BadAddress, canonical
from helpdesk.customers.models import Address, Company, Customer, Event
from helpdesk.customers.payloads import BadPayload
from helpdesk.customers.profile import CompanyFacts, Profile


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Ben@Example.COM", "ben@example.com"),
        ("  b.en+news@example.com ", "b.en+news@example.com"),
        ("ben@BÜCHER.example", "ben@xn--bcher-kva.example"),
        ("ben@xn--bcher-kva.example", "ben@xn--bcher-kva.example"),
        ('"ben"@example.com', "ben@example.com"),
        ("ben@example.com.", "ben@example.com"),
        ("a..b.@docomo.example", "a..b.@docomo.example"),
        ("root@my_host", "root@my_host"),
        ("用户@example.com", "用户@example.com"),
    ],
)
def test_two_spellings_of_one_address_are_one(written: str, kept: str) -> None:
    assert canonical(written) == kept
    assert canonical(kept) == kept


@pytest.mark.parametrize(
    "written",
    [
        "",
        "ben",
        "@example.com",
        "ben@",
        "ben @example.com",
        "ben\0@example.com",
        "ben\n@example.com",
        "ben@exa mple.com",
        "<ben@example.com>",
        "ben@[127.0.0.1]",
        "a,b@example.com",
        "ben@-example.com",
        "ben@example..com",
        "ben@\ud800.example",
        "be\u200bn@example.com",
        "be\u202en@example.com",
        "x" * 65 + "@example.com",
        "ben@" + "a" * 64 + ".example",
        "ben@" + ".".join(["a" * 60] * 5),
        "ben\r\nBcc: x@example.com",
        "ä" * 33 + "@example.com",
        "ben@exa\u2028mple.com",
    ],
)
def test_what_could_never_be_written_to_is_no_address(written: str) -> None:
    with pytest.raises(BadAddress):
        canonical(written)


def test_the_first_mail_makes_a_customer_and_the_second_finds_it(db: None) -> None:
    first = identity.customer_for_address("Ben@Carter.example", name="Ben\0 Carter\u202e")
    again = identity.customer_for_address("ben@carter.EXAMPLE", name="Somebody Else")
    assert first == again
    assert first.name == again.name == "Ben Carter"
    assert first.email == "Ben@Carter.example"
    assert list(Event.objects.values_list("kind", "customer")) == [("customer.created", first.pk)]


def test_a_name_is_taken_where_none_was_known(db: None) -> None:
    nameless = identity.customer_for_address("ben@carter.example")
    identity.customer_for_address("ben@carter.example", name="Ben Carter")
    nameless.refresh_from_db()
    assert nameless.name == "Ben Carter"
    assert Event.objects.get(kind="customer.updated").payload["changed"] == {"name": ["", "Ben Carter"]}


def test_a_known_address_costs_one_query(ben: Customer, django_assert_num_queries: object) -> None:
    with django_assert_num_queries(1):
        assert identity.customer_for_address("ben@carter.example", "Ben Carter") == ben


@pytest.mark.django_db(transaction=True)
def test_eight_mails_at_once_from_somebody_new_make_one_customer() -> None:
    together = Barrier(8)

    def arrive(_: int) -> int:
        together.wait()
        try:
            return identity.customer_for_address("new@somebody.example", "New").pk
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(arrive, range(8)))
    assert len(made) == Customer.objects.count() == Address.objects.count() == 1
    assert Event.objects.filter(kind="customer.created").count() == 1


@pytest.mark.django_db(transaction=True)
def test_eight_integrations_at_once_make_one_customer() -> None:
    together = Barrier(8)

    def sync(n: int) -> int:
        together.wait()
        try:
            return identity.upsert(Profile(attributes={f"from_{n}": n}), external_id="c-1", emails=["c@one.example"]).customer.pk
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(sync, range(8)))
    assert len(made) == Customer.objects.count() == Address.objects.count() == 1
    assert Customer.objects.get().attributes == {f"from_{n}": n for n in range(8)}  # nobody overwrote anybody
    assert Event.objects.filter(kind="customer.created").count() == 1


def test_facts_are_merged_and_only_changes_are_news(db: None) -> None:
    one = identity.upsert(Profile(name="Ben", stage="trial", attributes={"plan": "pro", "seats": 3}), external_id="ben")
    assert one.created
    two = identity.upsert(Profile(stage="customer", attributes={"seats": None, "city": "Kiel"}), external_id="ben")
    assert not two.created
    assert two.customer.name == "Ben"
    assert two.customer.attributes == {"plan": "pro", "city": "Kiel"}
    three = identity.upsert(Profile(stage="customer", attributes={"city": "Kiel"}), external_id="ben")
    assert three.changed == {}
    updated = Event.objects.get(kind="customer.updated")
    assert updated.payload["changed"] == {
        "stage": ["trial", "customer"],
        "attributes": [{"city": None, "seats": 3}, {"city": "Kiel", "seats": None}],
    }


def test_an_unknown_zone_warns_and_loses_nothing(db: None) -> None:
    identity.upsert(Profile(zone="Europe/Berlin"), external_id="ben")
    result = identity.upsert(Profile(zone="Europe/Atlantis", name="Ben"), external_id="ben")
    assert "Atlantis" in result.warnings[0]
    assert (result.customer.name, result.customer.zone) == ("Ben", "Europe/Berlin")


def test_who_wrote_first_is_taken_over_by_the_first_external_id(db: None) -> None:
    writer = identity.customer_for_address("ben@carter.example", "Ben")
    synced = identity.upsert(Profile(), external_id="c-7", emails=["ben@carter.example", "b@carter.example"])
    assert synced.customer.pk == writer.pk
    assert not synced.created
    assert set(synced.customer.addresses.values_list("canonical", "is_primary")) == {
        ("ben@carter.example", True),
        ("b@carter.example", False),
    }


def test_an_address_of_somebody_else_is_refused_and_nothing_changes(db: None, ben: Customer) -> None:
    with pytest.raises(identity.AddressTaken, match=str(ben.pk)):
        identity.upsert(Profile(name="Impostor"), external_id="c-8", emails=["new@carter.example", "ben@carter.example"])
    assert not Customer.objects.filter(external_id="c-8").exists()
    assert not Address.objects.filter(canonical="new@carter.example").exists()


def test_a_new_first_address_becomes_the_one_we_write_to(db: None, ben: Customer) -> None:
    identity.upsert(Profile(), external_id="ben", emails=["ben@new.example"])
    ben.refresh_from_db()
    assert ben.email == "ben@new.example"
    assert ben.addresses.count() == 2


def test_companies_are_one_by_id_or_name(db: None) -> None:
    identity.upsert(Profile(company="Kanzlei Hohenlohe"), external_id="a")
    identity.upsert(Profile(company="Kanzlei Hohenlohe"), external_id="b")
    identity.upsert(Profile(company=CompanyFacts("Feuerwehr", "f-1", "Europe/Berlin", {"seats": 9})), external_id="c")
    identity.upsert(Profile(company=CompanyFacts("Feuerwehr Garmisch", "f-1")), external_id="d")
    assert sorted(Company.objects.values_list("name", "zone")) == [
        ("Feuerwehr Garmisch", "Europe/Berlin"),
        ("Kanzlei Hohenlohe", ""),
    ]
    left = identity.upsert(Profile(company=""), external_id="d")
    assert left.customer.company is None


@pytest.mark.parametrize("bad", [{"plan": "a\0b"}, {"a b": 1}, {"n": 2**70}, {"n": 1e400}, {"t": "\ud800"}, {"d": [[[[[1]]]]]}])
def test_what_the_database_cannot_hold_is_refused_in_words(db: None, bad: dict[str, object]) -> None:
    with pytest.raises(BadPayload):
        identity.upsert(Profile(attributes=bad), external_id="ben")
    assert not Customer.objects.exists()
