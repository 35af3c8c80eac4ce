"""The pages of companies: found, read, changed, and what agents see of them beside a ticket."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from helpdesk.accounts.models import AuditEntry, User
from helpdesk.customers import identity
from helpdesk.customers.models import Company, Customer, FieldDefinition
from helpdesk.customers.profile import CompanyFacts, Profile
from helpdesk.mail.models import Mailbox
from tickets import intake

Browser = Callable[[User], Client]


@pytest.fixture
def bakery(ben: Customer) -> Company:
    FieldDefinition.objects.create(subject="company", key="contract", label="Contract", type="choice", choices=["Gold", "Basic"])
    FieldDefinition.objects.create(subject="company", key="renews", label="Renews", type="date")
    facts = CompanyFacts('Carter & "Sons"', external_id="c-1", attributes={"contract": "Basic", "seats": 4})
    identity.upsert(Profile(company=facts), emails=["ben@carter.example"], actor="test")
    return Company.objects.get(external_id="c-1")


def test_a_company_is_found_by_part_of_its_name_and_by_its_id(browser: Browser, ana: User, bakery: Company) -> None:
    Company.objects.create(name="Nguyễn Tea")
    page = browser(ana)
    for words in ("", "cart", "SONS", "c-1"):
        html = page.get("/companies/", {"q": words}).content.decode()
        assert "Carter &amp; &quot;Sons&quot;" in html and ("Nguyễn Tea" in html) is (words == "")
    assert "No company matches" in page.get("/companies/", {"q": "%"}).content.decode()  # a sign, not a wildcard
    assert page.get("/companies/", {"q": "a\0b", "before": "9" * 30}).status_code == 200
    assert page.get("/companies/", {"before": str(bakery.pk)}).context["rows"].count() == 0


def test_its_page_shows_its_people_page_by_page(
    browser: Browser, ana: User, bakery: Company, ben: Customer, django_assert_max_num_queries: Any
) -> None:
    identity.by_address({f"p{n}@one.example": f"p{n}@one.example" for n in range(60)})
    Customer.objects.exclude(pk=ben.pk).update(company=bakery)
    page, seen, url = browser(ana), [], f"/companies/{bakery.pk}/"
    page.get(url)
    while url:
        with django_assert_max_num_queries(12):
            answer = page.get(url)
        seen += [row.pk for row in answer.context["rows"]]
        url = f"/companies/{bakery.pk}/{answer.context['older']}" if answer.context["older"] else ""
    assert seen == sorted(bakery.customers.values_list("pk", flat=True), reverse=True) and len(seen) == 61
    html = page.get(f"/companies/{bakery.pk}/").content.decode()
    assert "<dt>Contract</dt><dd>Basic" in html and "<dt>seats</dt><dd>4" in html and "c-1" in html
    assert page.get("/companies/999999/").status_code == 404


def test_its_tickets_are_one_click_away(browser: Browser, ana: User, ben: Customer, cleo: Customer, support: Mailbox) -> None:
    for who, name in ((ben, "Carter, Ltd."), (cleo, "Carter")):
        identity.change(who, Profile(company=name), actor="test")
        intake.open_ticket(who, f"Of {who.name}", intake.Words("Hello"), channel="mail", mailbox=support)
    page = browser(ana)
    html = page.get(f"/companies/{Company.objects.get(name='Carter, Ltd.').pk}/").content.decode()
    address = html.partition('href="/inbox/?q=')[2].partition('"')[0]
    found = page.get(f"/inbox/?q={address}").content.decode()
    assert "Of Ben Carter" in found and "Of Cleo" not in found


def test_an_agent_changes_it_and_the_audit_log_says_so(browser: Browser, ana: User, bakery: Company) -> None:
    page, url = browser(ana), f"/companies/{bakery.pk}/edit/"
    said = {"name": "Carter", "zone": "Europe/London", "attribute_contract": "Gold", "attribute_renews": "2027-01-31"}
    for wrong in ({"zone": "Mars"}, {"name": ""}, {"attribute_contract": "Platinum"}, {"attribute_renews": "soon"}):
        answer = page.post(url, said | wrong)
        assert answer.status_code == 422 and 'value="' in answer.content.decode(), wrong
    for _twice in range(2):
        assert page.post(url, said).status_code == 302
    bakery.refresh_from_db()
    assert (bakery.name, bakery.zone) == ("Carter", "Europe/London")
    assert bakery.attributes == {"contract": "Gold", "renews": "2027-01-31", "seats": 4}  # what has no field stays
    [entry] = AuditEntry.objects.filter(subject=f"company:{bakery.pk}")
    assert entry.actor == ana.ref and entry.before["attributes"] == {"contract": "Basic", "seats": 4}
    assert page.post(url, said | {"attribute_contract": "", "attribute_renews": ""}).status_code == 302
    bakery.refresh_from_db()
    assert bakery.attributes == {"seats": 4}


def test_who_changes_what_somebody_else_just_changed_is_told(browser: Browser, ana: User, omar: User, bakery: Company) -> None:
    anas, url = browser(ana), f"/companies/{bakery.pk}/edit/"
    said = {"name": "Mine", "zone": "", "attribute_contract": "Gold", "seen": anas.get(url).context["seen"].mark}
    assert browser(omar).post(url, {**said, "name": "Theirs"}).status_code == 302
    asked = anas.post(url, said)
    assert asked.status_code == 409 and "Omar Haddad saved this while you were writing" in asked.content.decode()
    bakery.refresh_from_db()
    assert bakery.name == "Theirs"


def test_what_it_says_stands_beside_the_tickets_of_its_people(
    browser: Browser, ana: User, ben: Customer, bakery: Company, support: Mailbox
) -> None:
    ticket = intake.open_ticket(ben, "Bread", intake.Words("Hello"), channel="mail", mailbox=support)
    html = browser(ana).get(f"/tickets/{ticket.number}/").content.decode()
    assert f'href="/companies/{bakery.pk}/"' in html and "<dt>Contract</dt><dd>Basic</dd>" in html
    assert f'href="/companies/{bakery.pk}/"' in browser(ana).get(f"/customers/{ben.pk}/").content.decode()
