"""The editors of rules and of policies in Chromium: a condition is built and counted as one types, and what it says is kept."""

from collections.abc import Iterator
from typing import Any

import pytest

from helpdesk.accounts.models import Calendar
from tests import chromium
from tickets import intake
from tickets.models import Policy, Rule

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def page(live_server: Any, mia: Any) -> Iterator[Any]:
    complaints: list[str] = []
    with chromium.running() as browser:
        context = browser.new_context(base_url=live_server.url, viewport={"width": 1440, "height": 900})
        chromium.sign_in(context, chromium.session_of(mia), live_server.url)
        yield chromium.page_in(context, complaints)
    assert complaints == []


@pytest.mark.parametrize("address", ["/rules/new/?list=create", "/policies/new/"])
def test_it_counts_as_one_types(page: Any, address: str, ben: Any, support: Any) -> None:
    Calendar.objects.create(name="Always", zone="UTC", week=[[[0, 1440]]] * 7, is_default=True)
    for subject in ("Lamp is dead", "Lamp is dim", "Chair"):
        intake.open_ticket(ben, subject, intake.Words("Please."), channel="form", mailbox=support)
    page.goto(address)
    page.wait_for_selector("[data-js=ready]")
    page.locator("#c0-field").select_option("subject")
    page.locator("#c0-op").select_option("contains")
    meant = page.locator("#meant")
    for typed, words in (
        ("lamp", "2 fit now"),
        ("lamp is dead", "1 fits now"),
        ("sofa", "0 fit now"),
        ("", "when every condition"),
    ):
        page.locator("#c0-value").fill(typed)
        meant.get_by_text(words).wait_for()
        assert page.locator("#c0-value").input_value() == typed  # the count alone was drawn anew
    page.locator("#c0-value").fill("lamp")
    page.get_by_label("Name", exact=True).fill("Lamps")
    if "rules" in address:
        page.get_by_label("Priority").select_option("high")
        page.get_by_role("button", name="Add this rule").click()
    else:
        page.locator("#id_normal_first_reply").fill("1 h")
        page.get_by_role("button", name="Add this policy").click()
    page.get_by_role("heading", name="Lamps").wait_for()
    kept = Rule.objects.get().version if "rules" in address else Policy.objects.get()
    assert kept is not None and kept.conditions == {"all": [{"field": "subject", "op": "contains", "value": "lamp"}]}


def test_a_button_beside_the_form_asks_before_what_was_typed_is_lost(page: Any) -> None:
    policy = Policy.objects.create(
        name="Gold", position=1, is_on=False, targets={"normal": {"hours": "calendar", "first_reply": 60}}
    )
    page.goto(f"/policies/{policy.pk}/")
    page.wait_for_selector("[data-js=ready]")
    asked: list[str] = []
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    page.get_by_label("Name", exact=True).fill("Golden")
    page.get_by_role("button", name="Switch on").click()
    assert asked == ["What you typed is not saved yet. Go on without it?"]
    assert page.get_by_label("Name", exact=True).input_value() == "Golden"
    policy.refresh_from_db()
    assert not policy.is_on
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Switch on").click()
    page.wait_for_url("**/policies/")
    policy.refresh_from_db()
    assert (policy.is_on, policy.name) == (True, "Gold")
