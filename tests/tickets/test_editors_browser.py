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
    assert [each for each in complaints if "409" not in each] == []


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


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_the_arrows_of_a_list_stand_beside_each_other(page: Any, rule: Any, width: int) -> None:
    hours = {"hours": "calendar", "first_reply": 60, "next_reply": 90, "resolution": 2880}
    targets = {priority: {**hours, "first_reply": 10 * n} for n, priority in enumerate(("urgent", "high", "normal", "low"), 1)}
    for n in (1, 2, 3):
        Policy.objects.create(name=f"Customers who pay for much care {n}", position=n, targets=targets)
        rule("create", {"field": "subject", "op": "contains", "value": "please be quick " * 5}, priority="high")
    page.set_viewport_size({"width": width, "height": 900})
    for address in ("/policies/", "/rules/"):
        page.goto(address)
        lines = page.locator("td form[action$='/move/']").evaluate_all(
            """forms => forms.map(form => [...form.querySelectorAll('.number, button')].map(each => {
                const box = each.getBoundingClientRect(); return box.top + box.height / 2; }))"""
        )
        assert len(lines) == 3 and all(len(each) > 1 or address == "/rules/" for each in lines)
        assert all(max(each) - min(each) < 4 for each in lines), address


def test_saving_what_is_on_is_agreed_to_by_its_own_button(page: Any, ben: Any, support: Any) -> None:
    """Enter in a field saves as the Save button does, which asks; it agrees to nothing."""
    policy = Policy.objects.create(name="Gold", position=1, targets={"normal": {"hours": "calendar", "first_reply": 60}})
    intake.open_ticket(ben, "Lamp", intake.Words("Please."), channel="form", mailbox=support)
    page.goto(f"/policies/{policy.pk}/")
    for _twice in range(2):
        page.locator("#id_normal_first_reply").fill("4 min")
        page.locator("#id_normal_first_reply").press("Enter")
        page.get_by_role("button", name="Save it all the same").wait_for()
    policy.refresh_from_db()
    assert policy.targets["normal"]["first_reply"] == 60
    page.get_by_role("link", name="Back to editing").click()
    assert page.locator("#id_normal_first_reply").input_value() == "4 min"
    page.get_by_role("button", name="Save it all the same").click()
    page.get_by_text("Saved. Open tickets are counted anew.").wait_for()
    policy.refresh_from_db()
    assert policy.targets["normal"]["first_reply"] == 4
