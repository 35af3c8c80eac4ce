"""Ctrl-K finds tickets, customers, campaigns and answers, each within the reader's reach, at a bounded price."""

import re
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from helpdesk.accounts.models import User
from helpdesk.customers import identity
from helpdesk.customers.models import Customer
from helpdesk.knowledge.models import Answer, Topic
from helpdesk.palette import EACH
from outreach.models import Campaign
from tests.conftest import colleague
from tickets import intake
from tickets.models import Ticket

Browser = Callable[[User], Client]


@pytest.fixture
def printer(ben: Customer) -> Ticket:
    """One of each kind that speaks of a printer, and others that do not."""
    Campaign.objects.create(name="Printer, first steps")
    Campaign.objects.create(name="Card expires")
    Answer.objects.create(title="Paper jam", body="Open the printer.", topic=Topic.objects.create(slug="hw", name="Hardware"))
    Answer.objects.create(title="Printer on fire", body="Leave the room.").archive(by=User.objects.create_user("x@y.example"))
    identity.customer_for_address("printer@carter.example", name="The <b>Printer</b> Ltd")
    cleo = identity.customer_for_address("cleo@marchetti.example", name="Cleo Marchetti")
    intake.open_ticket(cleo, "Lost parcel", intake.Words("Where is it?"), channel="form")
    return intake.open_ticket(ben, "It sulks", intake.Words("The printer, again."), channel="form")


def hits(client: Client, text: str) -> list[tuple[str, str]]:
    page = client.get("/palette/", {"q": text}).content.decode()
    urls = re.findall(r'data-href="([^"]+)"', page)
    return list(zip(urls, re.findall(r'class="ellipsis">(.*?)</span>', page), strict=True))


def test_it_finds_by_words_in_all_rooms(browser: Browser, ana: User, printer: Ticket) -> None:
    campaign, answer = Campaign.objects.get(name__startswith="Printer"), Answer.objects.living().get()
    company = Customer.objects.get(name__contains="Printer")
    assert hits(browser(ana), "printer") == [
        (f"/tickets/{printer.number}/", f"#{printer.number} It sulks"),
        (f"/customers/{company.pk}/", "The &lt;b&gt;Printer&lt;/b&gt; Ltd"),
        (f"/outreach/campaigns/{campaign.pk}/", "Printer, first steps"),
        (f"/knowledge/answers/{answer.pk}/", "Paper jam"),
    ]


def test_it_finds_the_settings_that_one_may_open(browser: Browser, ana: User, mia: User, omar: User) -> None:
    for text in ("promises", "polic", "SLA"):
        assert hits(browser(mia), text) == [("/policies/", "Promises")]
    assert [hits(browser(who), "teams") for who in (ana, mia, omar)] == [[], [], [("/teams/", "Teams")]]


def test_a_number_is_the_ticket_first_and_an_address_the_person(
    browser: Browser, ana: User, ben: Customer, printer: Ticket
) -> None:
    other = intake.open_ticket(ben, f"About {printer.number}", intake.Words("See there."), channel="form")
    for text in (str(printer.number), f"#{printer.number}", f"  #{printer.number} "):
        assert [url for url, _word in hits(browser(ana), text)][:1] == [f"/tickets/{printer.number}/"]
    assert f"/tickets/{other.number}/" in dict(hits(browser(ana), str(printer.number)))
    assert (f"/customers/{ben.pk}/", "Ben Carter") in hits(browser(ana), "ben@carter")


def test_nobody_finds_what_they_may_not_open(browser: Browser, client: Client, ana: User, printer: Ticket) -> None:
    lena = colleague("Lena", "light", reach="own")
    kinds = {url.split("/")[1] for url, _word in hits(browser(lena), "printer")}
    assert kinds == {"customers", "knowledge"}
    assert hits(browser(lena), str(printer.number)) == []
    assert {url.split("/")[1] for url, _word in hits(browser(ana), "printer")} == kinds | {"tickets", "outreach"}
    assert client.get("/palette/?q=printer").status_code == 302
    assert browser(ana).post("/palette/?q=printer").status_code == 405


@pytest.mark.parametrize(
    "text", ["", "   ", "\0", "%", "_", "'", "\\", "!&|:*()", "a" * 5000, "９" * 30, "#" + "9" * 40, "b b b b b b b b b b"]
)
def test_any_text_is_a_question(browser: Browser, ana: User, printer: Ticket, text: str) -> None:
    assert browser(ana).get("/palette/", {"q": text}).status_code == 200
    if not text.strip(" \0"):
        assert hits(browser(ana), text) == []


def test_its_price_does_not_grow_with_what_there_is(browser: Browser, ana: User, ben: Customer, printer: Ticket) -> None:
    client = browser(ana)

    def price() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            client.get("/palette/?q=printer")
        return len(queries)

    before = price()
    for n in range(EACH + 3):
        intake.open_ticket(ben, f"Printer {n}", intake.Words("?"), channel="form")
        identity.customer_for_address(f"printer{n}@carter.example")
        Campaign.objects.create(name=f"Printer {n}")
        Answer.objects.create(title=f"Printer {n}", body="?")
    assert price() == before
    found = [url.split("/")[1] for url, _word in hits(client, "printer")]
    assert found == ["tickets"] * EACH + ["customers"] * EACH + ["outreach"] * EACH + ["knowledge"] * EACH
