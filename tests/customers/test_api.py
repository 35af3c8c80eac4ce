"""The API's doors: customers, events and consent, with tokens that may do so much and no more."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from helpdesk.accounts.models import ApiToken, Scope
from helpdesk.customers.models import Consent, Customer, Event, EventDelivery, FieldDefinition, Subscription
from helpdesk.lib.dates import now

Call = Callable[..., Any]
ALL = tuple(Scope.values)


@pytest.fixture
def api(db: None) -> Call:
    """``api("post", "customers", {...})`` with a token of all scopes, or of those given."""
    texts: dict[tuple[str, ...], str] = {}

    def call(method: str, path: str, body: object = None, *, scopes: tuple[str, ...] = ALL, **headers: str) -> Any:
        text = texts.setdefault(scopes, "") or ApiToken.objects.issue("test", list(scopes))[1]
        texts[scopes] = text
        data = body if isinstance(body, (bytes, str)) else json.dumps(body)
        extra = {} if method == "get" else {"data": data, "content_type": "application/json"}
        return getattr(Client(), method)(f"/api/v1/{path}", headers={"Authorization": f"Bearer {text}", **headers}, **extra)

    return call


def test_a_customer_is_made_once_and_then_changed(api: Call) -> None:
    first = api(
        "post",
        "customers",
        {
            "external_id": "c-1",
            "emails": ["Ben@Carter.example"],
            "name": "Ben",
            "attributes": {"plan": "pro", "seats": 3},
            "company": {"name": "Carter Ltd"},
        },
    )
    assert (first.status_code, first.json()["created"]) == (201, True)
    second = api("put", "customers", {"external_id": "c-1", "zone": "Mars/Olympus", "attributes": {"seats": None}})
    assert second.status_code == 200
    body = second.json()
    assert (body["created"], body["changed"]) == (False, ["attributes"])
    assert "Mars/Olympus" in body["warnings"][0]
    assert body["customer"]["attributes"] == {"plan": "pro"}
    assert body["customer"]["addresses"] == [{"email": "Ben@Carter.example", "is_primary": True, "reachability": "unknown"}]
    assert body["customer"]["company"]["name"] == "Carter Ltd"
    assert Customer.objects.count() == 1


def test_a_repeat_with_the_same_key_gets_the_first_answer(api: Call) -> None:
    key = {"Idempotency-Key": "k-1"}
    first = api("post", "customers", {"external_id": "c-1"}, **key)
    again = api("post", "customers", {"external_id": "c-1"}, **key)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert api("post", "customers", {"external_id": "c-2"}, **key).status_code == 422


def test_an_address_of_another_customer_is_a_conflict(api: Call, ben: Customer) -> None:
    answer = api("post", "customers", {"external_id": "other", "emails": ["ben@carter.example"]})
    assert answer.status_code == 409
    assert str(ben.pk) in answer.json()["detail"]
    assert not Customer.objects.filter(external_id="other").exists()


@pytest.mark.parametrize(
    ("body", "beside"),
    [
        ({}, "non_field_errors"),
        ({"external_id": "x", "nmae": "typo"}, "nmae"),
        ({"external_id": "x\0y"}, "external_id"),
        ({"external_id": "x", "name": "\ud800"}, "name"),
        ({"emails": ["not an address"]}, "emails"),
        ({"external_id": "x", "attributes": {"a": {"b": {"c": {"d": {"e": 1}}}}}}, "attributes"),
        ({"external_id": "x", "attributes": {"big": "y" * 20_000}}, "attributes"),
        ({"external_id": "x", "company": {"zone": "UTC"}}, "company"),
        ({"external_id": "x" * 201}, "external_id"),
    ],
)
def test_bad_input_is_answered_beside_its_field(api: Call, body: dict[str, Any], beside: str) -> None:
    answer = api("post", "customers", body)
    assert answer.status_code == 400
    assert list(answer.json()) == [beside]
    assert not Customer.objects.exists()


@pytest.mark.parametrize("raw", [b"{", b"[" * 100_000, b'{"external_id": NaN}', b"\xff\xfe{}", b"[1]", b'"x"', b"9" * 5000])
@pytest.mark.parametrize("path", ["customers", "events", "events/batch"])
def test_no_body_breaks_the_api(api: Call, path: str, raw: bytes) -> None:
    assert api("post", path, raw).status_code == 400


@pytest.fixture
def fields(db: None) -> None:
    """A field of each type, as an admin sets them up."""
    for key, type in [("words", "text"), ("seats", "number"), ("renews", "date"), ("vip", "boolean")]:
        FieldDefinition.objects.create(subject="customer", key=key, label=key.title(), type=type)
    FieldDefinition.objects.create(subject="customer", key="plan", label="Plan", type="choice", choices=["free", "pro"])
    FieldDefinition.objects.create(subject="company", key="size", label="Size", type="number")


@pytest.mark.parametrize(
    ("key", "wrong", "said"),
    [
        ("words", 4, "a text"),
        ("seats", "many", "a number"),
        ("seats", True, "a number"),
        ("renews", "tomorrow", "a date"),
        ("renews", "2026-02-30", "a date"),
        ("vip", "yes", "true or false"),
        ("plan", "team", "one of: free, pro"),
        ("plan", ["pro"], "one of its choices"),
    ],
)
def test_an_attribute_holds_what_its_field_says(api: Call, fields: None, key: str, wrong: Any, said: str) -> None:
    answer = api("post", "customers", {"external_id": "x", "attributes": {"unheard_of": {"a": 1}, key: wrong}})
    assert answer.status_code == 400 and list(answer.json()["attributes"]) == [key]
    assert f"attributes.{key} must be {said}" in answer.json()["attributes"][key][0]
    assert not Customer.objects.exists()


def test_right_attributes_unknown_ones_and_null_are_kept(api: Call, fields: None) -> None:
    good = {"words": "a", "seats": 4.5, "renews": "2027-01-31", "vip": False, "plan": "pro", "unheard_of": ["x"]}
    made = api("post", "customers", {"external_id": "x", "attributes": good, "company": {"name": "Y", "attributes": {"plan": 1}}})
    assert made.status_code == 201 and made.json()["customer"]["attributes"] == good
    gone = api("post", "customers", {"external_id": "x", "attributes": {"plan": None}})
    assert gone.status_code == 200 and "plan" not in gone.json()["customer"]["attributes"]
    firm = api("post", "customers", {"external_id": "x", "company": {"name": "Y", "attributes": {"size": "big"}}})
    assert firm.status_code == 400 and list(firm.json()["company"]["attributes"]) == ["size"]


def test_a_body_beyond_the_limit_is_refused(api: Call) -> None:
    assert api("post", "events/batch", b'{"events": [' + b" " * 5_000_001).status_code == 413


def test_tokens_open_only_what_their_scopes_say(api: Call, ben: Customer) -> None:
    assert Client().get("/api/v1/customers").status_code == 401
    assert api("get", "customers", scopes=("customers:write",)).status_code == 403
    assert api("post", "customers", {"external_id": "x"}, scopes=("customers:read",)).status_code == 403
    assert api("get", f"customers/{ben.pk}", scopes=("events:write",)).status_code == 403
    assert api("post", "events", {}, scopes=("customers:write",)).status_code == 403
    assert api("post", f"customers/{ben.pk}/consents", {}, scopes=("customers:read",)).status_code == 403
    assert api("get", "events").status_code == 403  # nobody reads events here


def test_the_list_turns_pages_by_key_and_refuses_paths_into_the_database(api: Call) -> None:
    for n in range(5):
        api("post", "customers", {"external_id": f"c-{n}", "emails": [f"c{n}@one.example"]})
    page = api("get", "customers?limit=2").json()
    seen = [c["external_id"] for c in page["results"]]
    while page["next"]:
        page = api("get", page["next"].partition("/api/v1/")[2]).json()
        seen += [c["external_id"] for c in page["results"]]
    assert seen == ["c-4", "c-3", "c-2", "c-1", "c-0"]
    assert [c["external_id"] for c in api("get", "customers?email=C3@one.example").json()["results"]] == ["c-3"]
    assert [c["external_id"] for c in api("get", "customers?external_id=c-1").json()["results"]] == ["c-1"]
    for bad in ("addresses__canonical=x", "limit=0", "limit=9999", "before=x", "email=x", "ordering=company__name"):
        assert api("get", f"customers?{bad}").status_code == 400
    assert api("get", "customers/99999999999999999999999").status_code == 404


def test_reading_a_page_costs_the_same_whatever_its_length(api: Call, django_assert_max_num_queries: Any) -> None:
    for n in range(30):
        api("post", "customers", {"external_id": f"c-{n}", "emails": [f"c{n}@one.example"]})
    with django_assert_max_num_queries(4):  # token, its last use, customers, addresses
        assert len(api("get", "customers").json()["results"]) == 30


def event(n: int = 1, **changes: Any) -> dict[str, Any]:
    return {"kind": "trial_ended", "source": "billing", "id": f"e-{n}", "customer": {"external_id": "ben"}, **changes}


def test_an_event_is_kept_once_and_owed_to_its_subscribers(api: Call, ben: Customer) -> None:
    happened = now() - timedelta(days=3)
    first = api("post", "events", event(occurred_at=happened.isoformat(), payload={"plan": "pro"}))
    again = api("post", "events", event())
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == {**first.json(), "status": "duplicate"}
    kept = Event.objects.get(kind="trial_ended")
    assert (kept.customer_id, kept.occurred_at, kept.payload) == (ben.pk, happened, {"plan": "pro"})
    assert kept.received_at > kept.occurred_at
    assert EventDelivery.objects.filter(event_id=kept.pk).exists()


def test_a_stranger_in_an_event_becomes_a_customer(api: Call) -> None:
    by_id = api("post", "events", event(1, customer={"external_id": "new"})).json()["customer"]
    by_mail = api("post", "events", event(2, customer={"email": "New@One.example"})).json()["customer"]
    assert api("post", "events", event(3, customer={"email": "new@one.EXAMPLE"})).json()["customer"] == by_mail
    assert api("post", "events", event(4, customer={"id": by_id})).json()["customer"] == by_id
    assert api("post", "events", event(5, customer={"id": 10**9})).json() == {"customer": {"id": ["There is no such customer."]}}
    assert Customer.objects.count() == 2


def test_an_event_says_when_it_made_its_customer_and_a_repeat_makes_none(api: Call, ben: Customer) -> None:
    made = api("post", "events", event(1, customer={"external_id": "cus_nobdy"})).json()
    assert made["created"] is True and str(Customer.objects.get(pk=made["customer"])) == "cus_nobdy"
    assert api("post", "events", event(2, customer={"external_id": "cus_nobdy"})).json()["created"] is False
    assert api("post", "events", event(3, customer={"email": "a@new.example"})).json()["created"] is True
    assert api("post", "events", event(4)).json()["created"] is False
    for ref in ({"external_id": "cus_typo"}, {"email": "typo@new.example"}):
        again = api("post", "events", event(4, customer=ref)).json()
        assert (again["status"], again["customer"], again["created"]) == ("duplicate", ben.pk, False)
    assert Customer.objects.count() == 3
    rows = [event(5, customer={"external_id": "late"}), event(1, customer={"external_id": "never"}), event(6)]
    results = api("post", "events/batch", {"events": rows}).json()["results"]
    assert [row["created"] for row in results] == [True, False, False]
    assert not Customer.objects.filter(external_id="never").exists()


@pytest.mark.parametrize(
    ("change", "beside"),
    [
        ({"kind": "ticket.solved"}, "kind"),
        ({"kind": "mail.invented"}, "kind"),
        ({"kind": "*external*"}, "kind"),
        ({"kind": "a\u202eb"}, "kind"),
        ({"id": ""}, "id"),
        ({"source": ""}, "source"),
        ({"customer": {}}, "customer"),
        ({"customer": {"id": 1, "email": "a@b.example"}}, "customer"),
        ({"customer": {"email": "nobody"}}, "customer"),
        ({"customer": {"external_id": "a\0b"}}, "customer"),
        ({"payload": {"a": "\0"}}, "payload"),
        ({"payload": [1]}, "payload"),
        ({"payload": {"n": 2**70}}, "payload"),
        ({"occurred_at": "yesterday"}, "occurred_at"),
        ({"occurred_at": "9999-01-01T00:00:00Z"}, "occurred_at"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_bad_event_says_what_is_wrong(api: Call, change: dict[str, Any], beside: str) -> None:
    answer = api("post", "events", event(**change))
    assert answer.status_code == 400
    assert list(answer.json()) == [beside]
    assert not Event.objects.filter(source="billing").exists()


def test_a_number_beyond_all_bounds_is_refused(api: Call) -> None:
    raw = json.dumps(event(payload={"n": "here"})).replace('"here"', "1e400")
    assert list(api("post", "events", raw).json()) == ["payload"]


def test_a_batch_answers_row_by_row(api: Call, ben: Customer) -> None:
    api("post", "events", event(1))
    rows = [
        event(1),
        event(2),
        event(2),
        event(3, kind="Ticket.solved"),
        "no object",
        None,
        event(4, customer={"id": 10**9}),
        event(5, customer={"email": "a@new.example"}),
    ]
    answer = api("post", "events/batch", {"events": rows})
    body = answer.json()
    assert answer.status_code == 200
    assert [row["status"] for row in body["results"]] == [
        "duplicate",
        "accepted",
        "duplicate",
        "rejected",
        "rejected",
        "rejected",
        "rejected",
        "accepted",
    ]
    assert (body["accepted"], body["duplicate"], body["rejected"]) == (2, 2, 4)
    assert body["results"][1]["event"] == body["results"][2]["event"]
    assert list(body["results"][3]["errors"]) == ["kind"]
    assert Event.objects.filter(source="billing").count() == 3
    again = api("post", "events/batch", {"events": rows}).json()
    assert (again["accepted"], again["duplicate"], again["rejected"]) == (0, 4, 4)


def test_five_hundred_rows_take_a_handful_of_statements(api: Call, django_assert_max_num_queries: Any) -> None:
    refs = [{"external_id": f"c-{n % 200}"} if n % 2 else {"email": f"p{n}@one.example"} for n in range(500)]
    rows = [event(n, customer=ref) for n, ref in enumerate(refs)]
    api("get", "customers")
    with django_assert_max_num_queries(26):  # of them ten savepoints
        assert api("post", "events/batch", {"events": rows}).json()["accepted"] == 500
    assert Event.objects.filter(source="billing").count() == 500
    assert Event.objects.filter(kind="customer.created").count() == Customer.objects.count() == 350


def test_a_batch_of_five_hundred_and_one_is_refused_whole(api: Call) -> None:
    assert api("post", "events/batch", {"events": [event(n) for n in range(501)]}).status_code == 400
    assert api("post", "events/batch", {"events": []}).status_code == 400
    assert not Event.objects.filter(source="billing").exists()


def test_consent_by_api_is_one_row_a_change(api: Call, ben: Customer, tips: Subscription) -> None:
    said = {"subscription": "tips", "given": True, "source": "form", "wording": "Send me tips", "proof": {"ip": "192.0.2.1"}}
    assert api("post", f"customers/{ben.pk}/consents", said).status_code == 201
    assert api("post", f"customers/{ben.pk}/consents", said).status_code == 200
    assert api("post", f"customers/{ben.pk}/consents", {"subscription": "tips", "given": False, "source": "x"}).status_code == 201
    assert api("post", f"customers/{ben.pk}/consents", {**said, "subscription": "none"}).status_code == 400
    assert api("post", f"customers/{10**9}/consents", said).status_code == 404
    listed = api("get", f"customers/{ben.pk}/consents").json()
    assert [row["given"] for row in listed] == [False, True]
    assert listed[1]["wording"] == "Send me tips"
    assert Consent.objects.filter(customer=ben).count() == 2


def test_the_schema_describes_every_door(client: Client) -> None:
    text = client.get("/api/v1/schema/").content.decode()
    for operation in ("customers_upsert", "events_record_batch", "consents_record"):
        assert operation in text
