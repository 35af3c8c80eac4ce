"""The pages in Chromium: axe finds nothing in either theme, nothing is wider than a phone, and one can write there."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from helpdesk.customers import consent, identity
from helpdesk.customers.models import Address, Customer, FieldDefinition, Segment, Subscription
from helpdesk.customers.timeline import Fact, record_all
from helpdesk.lib.dates import now
from helpdesk.mail.models import Mailbox, Outgoing
from outreach import campaigns, unsubscribe
from outreach.messages import unsubscribe_url
from outreach.models import Campaign
from tests import chromium

SHOTS = os.environ.get("OUTREACH_SHOTS", "")  # a folder: every page is photographed into it
pytestmark = pytest.mark.django_db(transaction=True)

BODY = """Hello {{ customer.first_name | default: "there" }},

your parcel **{{ event.order_id }}** is on its way. Most questions we get now are answered here:

- [Where it is](https://shop.example/track/{{ event.order_id }})
- [What to do when nobody is at home](https://shop.example/help)

{% if customer.plan == "pro" %}
As a Pro customer you can have it brought in the evening.
{% endif %}"""


@pytest.fixture
def page(live_server: Any) -> Iterator[Any]:
    complaints: list[str] = []
    with chromium.running() as browser:
        yield chromium.page_in(browser.new_context(base_url=live_server.url), complaints)
    assert [each for each in complaints if "422" not in each] == []


@pytest.fixture
def world(mia: Any, support: Mailbox, tips: Subscription, drain: Any) -> dict[str, Any]:
    """A shop after a day: two campaigns, messages sent, held, left out and to come."""
    FieldDefinition.objects.create(subject="customer", key="plan", label="Plan", type="text")
    names = [
        "Ben Carter",
        "Anneliese Hohenlohe-Schillingsfürst",
        "Minh Khai",
        "Åsa Lind",
        "Cleo Marchetti",
        "Tomás Ruiz",
        "Rechtsschutzversicherungsgesellschaft Königsbrück-Laußnitz",
    ]
    people = [identity.customer_for_address(f"p{n}@people.example", name=name) for n, name in enumerate(names)]
    Customer.objects.update(attributes={"plan": "pro"}, zone="UTC")
    consent.withdraw(people[4].pk, tips, source="portal")
    Address.objects.filter(customer=people[5]).update(reachability="unreachable", reason="550 no such user")
    made = Campaign.objects.create(name="Parcel on its way", subscription=tips, mailbox=support, created_by=mia)
    version = campaigns.draft_of(made, by=mia)
    version.trigger_kind, version.entry_key, version.exit_kind = "order_shipped", "order_id", "order_cancelled"
    version.quiet_from = version.quiet_until = None
    version.conditions = {"all": [{"field": "attribute.plan", "op": "is", "value": "pro"}]}
    send = {"do": "send", "subject": "Your parcel {{ event.order_id }}", "body": BODY, "fallbacks": {}, "too_late": 172800}
    version.steps = [send, {"do": "wait", "seconds": 172800}, {**send, "subject": "Did {{ event.order_id }} arrive?"}]
    version.save()
    campaigns.launch(version, by=mia)
    record_all(
        [
            Fact("order_shipped", person.pk, now(), "", {"order_id": f"A-10{n}"}, source="shop", external_id=str(n))
            for n, person in enumerate(people)
        ]
    )
    drain()
    return {"campaign": made, "people": people}


def looked_at(page: Any, name: str) -> None:
    """No axe finding in light or dark, no page wider than its window."""
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        for width in (1440, 1024, 390):
            page.set_viewport_size({"width": width, "height": 900})
            if SHOTS:
                page.screenshot(path=f"{SHOTS}/{name}-{width}-{theme}.png", full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)
        assert chromium.findings(page) == [], f"{name} {theme}"


def test_what_is_asked_and_what_is_wrong_is_sound_in_both_themes_and_three_widths(page, live_server, mia, world):
    chromium.sign_in(page.context, chromium.session_of(mia), live_server.url)
    campaign = world["campaign"]
    pros = Segment.objects.create(name="Pros", conditions=campaign.live.conditions)
    paths = {
        "segment": f"/segments/{pros.pk}/?q=people",
        "who": f"/outreach/campaigns/{campaign.pk}/who/?q=people",
    }
    for name, path in paths.items():
        page.goto(path)
        looked_at(page, name)
    page.goto("/outreach/campaigns/new/")
    page.get_by_role("button", name="Save and read it").click()
    page.wait_for_selector(".fault")
    looked_at(page, "errors")


def test_the_public_pages_are_sound(page, live_server, settings, world):
    settings.BASE_URL = ""
    message = Outgoing.objects.filter(state="accepted").first()
    path = unsubscribe_url(message)
    for name, where in {"unsubscribe": path, "choices": f"{path}/choices"}.items():
        page.goto(where)
        looked_at(page, name)
    page.goto(path)
    page.get_by_role("button", name="Unsubscribe").click()
    page.wait_for_selector("text=You will get no more")
    looked_at(page, "unsubscribed")
    assert not page.context.cookies()
    assert [getting for subscription, getting in unsubscribe.choices(message)] == [False]


def settled(page):
    """What was swapped in listens by now; no hand is quicker than that, but a script is."""
    page.wait_for_selector(".htmx-request, .htmx-swapping, .htmx-settling, .htmx-added", state="detached")


def test_a_segment_is_written_and_a_campaign_starts_from_it(page, live_server, mia, ben, cleo):
    chromium.sign_in(page.context, chromium.session_of(mia), live_server.url)
    page.goto("/segments/new/")
    page.get_by_label("Name").fill("Bens")
    page.locator("#c0-field").select_option(label="name")
    page.wait_for_selector("#c0-value")
    assert page.locator("#conditions .error").count() == 0
    page.locator("#c0-value").fill("Ben Carter")
    page.get_by_role("button", name="Add and count").click()
    page.wait_for_selector("text=1 customer fits")
    settled(page)
    page.locator("#c1-field").select_option(label="event")
    page.wait_for_selector("#c1-count")
    page.get_by_role("button", name="Remove condition 2").click()
    page.wait_for_selector("#c1-count", state="detached")
    page.get_by_role("button", name="Add this segment").click()
    page.wait_for_url("**/segments/*/")
    assert Segment.objects.get().conditions == {"all": [{"field": "name", "op": "is", "value": "Ben Carter"}]}
    page.goto("/outreach/campaigns/new/")
    page.get_by_label("Name").fill("To the Bens")
    page.get_by_label("Start from a segment").select_option("Bens")
    page.get_by_role("button", name="Copy its conditions").click()
    page.wait_for_selector("text=1 customer fits")
    assert page.locator("#c0-value").input_value() == "Ben Carter"
    assert page.get_by_label("Name").input_value() == "To the Bens"


def test_what_is_typed_stays_and_is_counted(page, live_server, mia, ben, cleo):
    """Somebody types on while the editor is redrawn: nothing is swallowed, and the count follows without a button."""
    chromium.sign_in(page.context, chromium.session_of(mia), live_server.url)
    page.goto("/segments/new/")
    page.locator("#c0-field").select_option(label="name")
    page.wait_for_selector("#c0-value")
    settled(page)
    held = []
    page.route("**/segments/new/", lambda route: held.append(route) if redraws(route.request) else route.continue_())
    page.evaluate("document.querySelector('#conditions').classList.add('old')")
    with page.expect_request(redraws):
        page.locator("#c0-op").select_option("contains")
    page.locator("#c0-value").press_sequentially("Cart")
    held.pop().continue_()
    page.wait_for_selector("#conditions:not(.old)")
    assert page.locator("#c0-op").input_value() == "contains"
    assert page.locator("#c0-value:focus").input_value() == "Cart"
    page.wait_for_selector("#meant >> text=1 customer fits")
    page.keyboard.type("wheel")
    page.wait_for_selector("#meant >> text=0 customers fit")
    assert page.locator("#c0-value:focus").input_value() == "Cartwheel"
    page.locator("#c0-value").fill("Cleo")
    page.wait_for_selector("#meant >> text=1 customer fits")
    assert not held and page.locator("#meant").get_by_role("img", name="Cleo Marchetti").count() == 1
    page.get_by_role("button", name="Remove condition 1").click()
    while not held:
        page.wait_for_timeout(20)
    held.pop().continue_()
    page.wait_for_selector("#meant >> text=2 customers fit")
    assert page.locator("#c0-value").count() == 0


def redraws(request):
    return request.headers.get("hx-target") == "conditions"


def test_a_manager_writes_and_starts_a_campaign_in_the_browser(page, live_server, mia, support, tips, ben):
    FieldDefinition.objects.create(subject="customer", key="plan", label="Plan", type="text")
    chromium.sign_in(page.context, chromium.session_of(mia), live_server.url)
    page.goto("/outreach/")
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/empty-1440-light.png")
    page.get_by_role("link", name="Write a campaign").click()
    page.get_by_label("Name").fill("Trial ending")
    page.locator("#id_subscription").select_option("Product tips")
    page.get_by_label("It starts when this happens").fill("trial_ends_soon")
    page.locator("#c0-field").select_option(label="Plan")
    page.wait_for_selector("#c0-value")
    page.locator("#c0-value").fill("pro")
    page.get_by_role("button", name="Add and count").click()
    page.wait_for_selector("text=1 customer fits")
    assert page.get_by_label("Name").input_value() == "Trial ending"  # only the segment was redrawn
    page.get_by_label("Subject").fill("Three days left")
    page.get_by_label("Text").fill("Hello {{ customer.first_name }}")
    page.get_by_role("button", name="Save and read it").click()
    page.wait_for_selector("text=Not ready yet")
    page.get_by_role("link", name="Go on writing").click()
    page.get_by_label("When something is not known").fill("customer.first_name: there")
    page.get_by_role("button", name="Save and read it").click()
    page.get_by_role("button", name="Start with the next “trial_ends_soon”").dblclick()
    page.wait_for_selector("text=It runs")
    made = Campaign.objects.get()
    assert made.status == "running" and made.live.number == 1
