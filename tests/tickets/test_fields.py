"""Custom fields of tickets: every type by every way in, what changed in the timeline, and the same meaning in SQL and Python."""

from html import unescape

import pytest

from helpdesk.accounts.models import ApiToken, AuditEntry
from helpdesk.customers import definitions, identity
from helpdesk.customers.models import Event, FieldDefinition
from helpdesk.customers.profile import CompanyFacts, Profile
from helpdesk.lib import conditions
from helpdesk.lib.dates import now
from tickets import queues
from tickets.models import SavedView, Ticket

pytestmark = pytest.mark.django_db
FIELDS = {
    "words": "text",
    "seats": "number",
    "since": "date",
    "lost": "boolean",
    "plan": "choice",
    "parts": "multi",
    "expert": "lookup",
}


@pytest.fixture
def fields(ana):
    for key, kind in FIELDS.items():
        choices = {"choice": ["free", "pro"], "multi": ["Export", "Reports", "Sign-in"]}.get(kind, [])
        target = "user" if kind == "lookup" else ""
        FieldDefinition.objects.create(subject="ticket", key=key, label=key.title(), type=kind, choices=choices, target=target)
    good = {"words": "NW-7", "seats": 4.5, "since": "2026-11-20", "lost": False, "plan": "pro", "parts": ["Export", "Reports"]}
    return {**good, "expert": ana.ref}


@pytest.fixture
def api(client, db):
    _token, bearer = ApiToken.objects.issue("Sync", ["tickets:read", "tickets:write"])

    def call(method, path, body=None):
        headers = {"authorization": f"Bearer {bearer}"}
        return getattr(client, method)(f"/api/v1/{path}", body, content_type="application/json", headers=headers)

    return call


def test_by_the_api_each_error_stands_beside_its_field(api, fields, ben, support):
    wrong = {
        "words": 4, "seats": "many", "since": "2026-02-30", "lost": "yes", "plan": "team", "parts": ["Export", "x"],
        "expert": "user:999999999", "unheard_of": 1,
    }  # fmt: skip
    body = {"requester": {"id": ben.pk}, "subject": "Hello", "text": "Hello"}
    answer = api("post", "tickets", {**body, "attributes": wrong})
    assert answer.status_code == 400 and set(answer.json()["attributes"]) == set(wrong) and not Ticket.objects.exists()
    assert answer.json()["attributes"]["parts"] == ["attributes.parts must be a list of these: Export, Reports, Sign-in."]
    for key, value in (("parts", []), ("parts", "Export"), ("expert", "customer:1"), ("words", "x" * 2001)):
        assert list(api("post", "tickets", {**body, "attributes": {key: value}}).json()["attributes"]) == [key]
    made = api("post", "tickets", {**body, "attributes": fields})
    assert made.status_code == 201 and made.json()["attributes"] == fields
    where = f"tickets/{made.json()['number']}"
    assert api("patch", where, {"attributes": {"seats": "x"}}).status_code == 400
    changed = api("patch", where, {"attributes": {"seats": 5, "plan": None}})
    assert changed.json()["attributes"] == {**{k: v for k, v in fields.items() if k != "plan"}, "seats": 5}
    assert api("get", where).json()["attributes"] == changed.json()["attributes"]
    told = [each.payload for each in Event.objects.filter(kind="ticket.updated").order_by("pk")]
    assert [(each["field"], each["was"], each["now"]) for each in told] == [("Seats", "4.5", "5"), ("Plan", "pro", "")]
    both = {"attribute.seats": [4.5, 5], "attribute.plan": ["pro", None]}
    assert told[0]["change"] == told[1]["change"] and told[1]["changes"] == both
    api("patch", where, {"attributes": {"seats": 5}})
    assert Event.objects.filter(kind="ticket.updated").count() == 2


def test_on_the_page_of_properties_nothing_typed_is_lost(browser, ana, fields, ticket):
    page, where, change = browser(ana), f"/tickets/{ticket.number}/properties/", f"/tickets/{ticket.number}/change/"
    said = {"all": "1", "priority": "high", "status": "open", "tags": "", "attribute_words": "Kept words"}
    for headers in ({}, {"HX-Request": "true"}):
        answer = page.post(change, {**said, "attribute_seats": "many", "attribute_expert": "nobody"}, headers=headers)
        text = answer.content.decode()
        assert answer.status_code == 422 and 'value="Kept words"' in text and 'id="id_attribute_seats_error"' in text
        assert "We know nothing of this name." in text and answer.headers.get("HX-Retarget", "") == (
            "#properties-body" if headers else ""
        )
    ticket.refresh_from_db()
    assert (ticket.attributes, ticket.priority) == ({}, "normal")
    right = {
        "attribute_seats": "4.5", "attribute_since": "2026-11-20", "attribute_lost": "false", "attribute_plan": "pro",
        "attribute_parts": ["", "Export", "Reports"], "attribute_expert": "ana@nordwind.example", "attribute_words": "NW-7",
    }  # fmt: skip
    for _ in range(2):
        assert page.post(change, {**said, **right}).status_code == 302
    ticket.refresh_from_db()
    assert (ticket.attributes, ticket.priority) == (fields, "high")
    changed = Event.objects.filter(kind="ticket.updated").exclude(payload__field="priority").order_by("pk")
    assert len(changed) == len(fields)
    lines = {each.payload["field"]: (each.payload["was"], each.payload["now"]) for each in changed}
    assert lines["Parts"] == ("", "Export, Reports") and lines["Expert"] == ("", "Ana Kowalczyk") and lines["Lost"] == ("", "No")
    text = unescape(page.get(f"/tickets/{ticket.number}/").content.decode())
    assert "<dt>Expert</dt><dd>Ana Kowalczyk</dd>" in text and "Seats: – → 4.5" in text
    shown = page.get(where).content.decode()
    assert f'value="Ana Kowalczyk ({ana.ref})"' in shown and 'value="2026-11-20"' in shown
    # the boxes say when none is ticked; what the form shows of a lookup means the same when it comes back
    page.post(change, {"attribute_parts": [""], "attribute_expert": f"Ana Kowalczyk ({ana.ref})", "attribute_lost": ""})
    ticket.refresh_from_db()
    assert ticket.attributes == {k: v for k, v in fields.items() if k not in ("parts", "lost")}


def test_who_may_not_change_a_ticket_sees_its_fields_and_changes_none(browser, lena, noor, fields, ticket):
    ticket.describe({"words": "NW-7"}, by="")
    page = browser(lena).get(f"/tickets/{ticket.number}/").content.decode()
    assert "<dd>NW-7</dd>" in page and "/properties/" not in page
    for user, status in ((lena, 403), (noor, 404)):
        assert browser(user).post(f"/tickets/{ticket.number}/change/", {"attribute_words": "x"}).status_code == status
    ticket.refresh_from_db()
    assert ticket.attributes == {"words": "NW-7"}


LEAVES = [
    ("attribute.words", "contains", "w-7"),
    ("attribute.seats", "gt", 4),
    ("attribute.since", "before", "2026-11-21"),
    ("attribute.lost", "is", False),
    ("attribute.plan", "is", "pro"),
    ("attribute.plan", "any_of", ["pro", "free"]),
    ("attribute.parts", "any_of", ["Export", "Sign-in"]),
    ("attribute.parts", "all_of", ["Export", "Reports"]),
    ("attribute.expert", "is", "{ana}"),
    ("attribute.expert", "is_set", None),
    ("customer.plan", "is", "pro"),
    ("company.tier", "is", "gold"),
]


def test_conditions_ask_each_in_its_own_type(fields, ana, ben, ticket):
    FieldDefinition.objects.create(subject="customer", key="plan", label="Plan", type="choice", choices=["free", "pro"])
    FieldDefinition.objects.create(subject="company", key="tier", label="Tier", type="text")
    identity.change(ben, Profile(company=CompanyFacts("Acme", "a-1", None, {"tier": "gold"})))
    other = Ticket.objects.create(subject="Another", requester=identity.customer_for_address("x@y.example"), channel="mail")
    ticket.describe(fields, by="")
    for field, op, value in LEAVES:
        leaf = {"field": field, "op": op} | ({} if value is None else {"value": ana.ref if value == "{ana}" else value})
        tree = conditions.clean(leaf, "ticket")
        assert list(Ticket.objects.filter(conditions.to_q(tree, "ticket", now()))) == [ticket], leaf
        fits = [conditions.matches(tree, "ticket", Ticket.objects.get(pk=each.pk), now()) for each in (ticket, other)]
        assert fits == [True, False], leaf
    with pytest.raises(conditions.ConditionError, match="is not one of the choices"):
        conditions.clean({"field": "attribute.plan", "op": "is", "value": "team"}, "ticket")


def test_a_lookup_means_one_and_only_one(fields, ben, ticket):
    assert definitions.find("customer", "ben@carter.example") == [(ben.ref, "Ben Carter")]
    assert definitions.find("ticket", f"#{ticket.number}") == [(f"ticket:{ticket.number}", f"#{ticket.number}")]
    identity.change(ben, Profile(company="Acme"))
    [(ref, name)] = definitions.find("company", "acme")
    assert name == "Acme" and definitions.names([ref, "company:999999", "x:1", "user:x", None]) == {ref: "Acme"}
    for hostile in ("\0", "%", "'; --", "9" * 30):
        assert all(definitions.find(target, hostile) == [] for target in FieldDefinition.Target.values), hostile


def test_an_admin_sets_one_up(browser, omar):
    said = {"subject": "ticket", "label": "Parts", "key": "parts", "type": "multi", "target": "", "hint": "What is broken"}
    answer = browser(omar).post("/fields/new/", said)
    assert answer.status_code == 422 and "Give at least one choice." in answer.content.decode()
    assert browser(omar).post("/fields/new/", {**said, "options": "A\nB\nA\n"}).status_code == 302
    assert FieldDefinition.objects.get().choices == ["A", "B"]
    answer = browser(omar).post("/fields/new/", {**said, "key": "who", "type": "lookup"})
    assert answer.status_code == 422 and "Say what it points to." in answer.content.decode()
    assert (
        browser(omar)
        .post("/fields/new/", {**said, "label": "Who", "key": "who", "type": "lookup", "target": "customer"})
        .status_code
        == 302
    )
    assert "Parts" in browser(omar).get("/fields/").content.decode()
    assert AuditEntry.objects.filter(action="field.added").count() == 2


def test_a_column_of_a_view(browser, ana, fields, ticket):
    ticket.describe(fields, by="")
    view = SavedView.objects.create(
        name="Told",
        conditions={"field": "attribute.plan", "op": "is", "value": "pro"},
        columns=["attribute.expert", "attribute.gone"],
    )
    page = browser(ana).get(f"/inbox/{view.slug}/").content.decode()
    assert "<dt>Expert</dt><dd>Ana Kowalczyk</dd>" in page and queues.fault(queues.of_saved(view), ana) == ""
