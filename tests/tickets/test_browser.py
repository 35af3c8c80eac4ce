"""The composer in Chromium: by keys alone an answer goes in, nothing typed is lost, and the seconds run down."""

from collections.abc import Iterator
from typing import Any

import pytest

from helpdesk.files import far
from helpdesk.knowledge.models import Answer, Topic
from helpdesk.lib.html import sanitize
from tests import chromium
from tests.tickets.test_far_pictures import elsewhere  # noqa: F401 - a fixture
from tickets import intake, replies
from tickets.models import Draft, Suggestion

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def page(live_server: Any, ana: Any, settings: Any) -> Iterator[Any]:
    settings.UNDO_SEND = 6
    complaints: list[str] = []
    with chromium.running() as browser:
        context = browser.new_context(base_url=live_server.url, viewport={"width": 1440, "height": 900})
        chromium.sign_in(context, chromium.session_of(ana), live_server.url)
        yield chromium.page_in(context, complaints)
    assert [each for each in complaints if "409" not in each and "503" not in each] == []


def test_writing_an_answer(page: Any, ticket: Any, ben: Any, support: Any) -> None:
    for title in ("Parcel is late", "Phone is new", "Phone is lost"):
        Answer.objects.create(title=title, body=f"{title}, so …")
    words = intake.Words("And a second thing", html='<p><a>dead</a> <a href="https://a.example">alive</a></p>')
    other = intake.open_ticket(ben, "Another", words, channel="mail", mailbox=support)
    page.goto(f"/tickets/{ticket.number}/")
    page.wait_for_selector("[data-js=ready]")
    composer = page.locator("[data-composer] textarea")

    # an answer by keys alone: the first that was found, whether or not it is there yet; then the second of two
    page.keyboard.press("m")
    page.locator("#answer-words:focus").wait_for()
    page.locator("#answers [data-insert]").first.wait_for()
    page.keyboard.type("parcel")
    page.keyboard.press("Enter")
    page.locator("#answers").wait_for(state="hidden")
    assert composer.input_value() == "Parcel is late, so …"
    composer.fill("")
    page.locator("#ticket-pane").focus()
    page.keyboard.press("m")
    page.locator("#answer-words:focus").wait_for()
    page.locator("#answers [aria-selected=true]").wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator("#answers").wait_for(state="hidden")
    assert composer.input_value() == "Phone is lost, so …"

    # words typed a moment before the page goes, or another ticket is opened, are in the draft
    page.get_by_text("Draft saved").wait_for()
    composer.select_text()
    page.keyboard.type("Half a sent")
    page.reload()
    page.wait_for_selector("[data-js=ready]")
    assert composer.input_value() == "Half a sent"
    composer.focus()
    page.keyboard.press("Control+End")
    page.keyboard.type("ence")
    page.get_by_role("link", name="Another").first.click()
    page.wait_for_url(f"**/tickets/{other.number}/**")
    page.locator(f"#ticket-pane[data-number='{other.number}']").wait_for()
    page.wait_for_timeout(200)
    assert Draft.objects.get().text == "Half a sentence"

    # only a link that leads somewhere looks like one
    look = "node => getComputedStyle(node).textDecorationLine"
    assert [page.get_by_text(text, exact=True).evaluate(look) for text in ("dead", "alive")] == ["none", "underline"]

    # the seconds run down, and at their end the conversation asks how it stands
    composer.fill("An answer")
    page.keyboard.press("Control+Enter")
    seen = [page.get_by_text(f"Leaves in {left} s").wait_for() or left for left in (2, 1)]
    assert seen == [2, 1]
    with page.expect_response(f"**/tickets/{other.number}/?part=thread*"):
        page.get_by_text("About to leave").wait_for()


def test_what_others_do_shows_at_once_and_an_answer_to_it_is_no_collision(page: Any, ticket: Any, ben: Any, omar: Any) -> None:
    parcel, _billing = (Topic.objects.create(name=name, slug=name.lower()) for name in ("Parcel", "Billing"))
    Suggestion.objects.create(ticket=ticket, state=Suggestion.State.OFFERED, topic=parcel, level=95)
    page.goto(f"/tickets/{ticket.number}/")
    page.wait_for_selector("[data-js=ready]")
    composer, head = page.locator("[data-composer] textarea"), page.locator("#ticket-state")
    changed = "() => htmx.trigger('#ticket-pane [data-live]', 'live')"  # what the stream would say

    page.get_by_label("Another topic").select_option("Billing")
    ticket.assign(omar, by=omar)
    intake.hear(ticket, ben, intake.Words("One thing more"))
    page.evaluate(changed)
    page.get_by_text("One thing more").wait_for()
    head.get_by_text(str(omar)).wait_for()
    assert page.get_by_label("Another topic").locator("option:checked").inner_text() == "Billing"  # half-made, and kept

    # an answer begun before the next message arrived is asked about; nothing typed is lost
    composer.fill("To the first two")
    intake.hear(ticket, ben, intake.Words("A third"))
    page.evaluate(changed)
    page.get_by_text("A third").wait_for()
    page.keyboard.press("Control+Enter")
    page.get_by_role("alert").get_by_text("Something new arrived").wait_for()
    assert composer.input_value() == "To the first two"
    composer.fill("")

    # one begun after it is an answer to it
    intake.hear(ticket, ben, intake.Words("A fourth"))
    page.evaluate(changed)
    page.get_by_text("A fourth").wait_for()
    composer.fill("To all four")
    page.keyboard.press("Control+Enter")
    page.locator(".message").get_by_text("To all four").wait_for()
    assert ticket.messages.filter(kind="reply").count() == 1


def test_pictures_from_elsewhere_come_when_asked_and_stay_while_the_page_does(
    page: Any, ticket: Any, ben: Any, elsewhere: str  # noqa: F811
) -> None:  # fmt: skip
    html = sanitize(f'<p>Look</p><img alt="Logo" src="{elsewhere}/logo.png"><img alt="Photo" src="{elsewhere}/photo.jpg">')
    message = intake.hear(ticket, ben, intake.Words("Look", html=html))
    page.goto(f"/tickets/{ticket.number}/")
    page.wait_for_selector("[data-js=ready]")
    width = lambda: page.get_by_alt_text("Logo").evaluate("image => image.naturalWidth")  # noqa: E731
    assert width() == 0
    for _ in range(far.IN_ALL):  # there is no room for them just now: the page asks again by itself
        far._inside.acquire()
    with page.expect_response("**/pictures/0/") as refused:
        page.get_by_role("link", name="Show pictures").click()
    assert refused.value.status == 503
    for _ in range(far.IN_ALL):
        far._inside.release()
    page.wait_for_function("() => [...document.querySelectorAll('.words img')].every(image => image.naturalWidth > 0)")
    assert page.get_by_text("from elsewhere").count() == 0 and page.locator(f"#message-{message.pk}").count() == 1
    intake.hear(ticket, ben, intake.Words("One thing more"))
    page.evaluate("() => htmx.trigger('#ticket-pane [data-live]', 'live')")
    page.get_by_text("One thing more").wait_for()
    shown = "() => [...document.querySelectorAll('.words img')].every(image => image.naturalWidth > 0)"
    page.wait_for_function(shown)
    page.get_by_role("button", name="Solve").click()
    page.get_by_role("button", name="Reopen").wait_for()
    page.wait_for_function(shown)
    page.reload()
    page.get_by_role("link", name="Show pictures").wait_for()


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_nothing_is_cut_off_and_word_covers_no_tool(page: Any, ticket: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto("/inbox/")
    cut = page.locator(".strip h1").evaluate("node => node.scrollWidth - node.clientWidth")
    room = """node => { const pen = document.createElement("canvas").getContext("2d"), look = getComputedStyle(node);
        pen.font = look.font;
        const room = node.clientWidth - parseFloat(look.paddingLeft) - parseFloat(look.paddingRight);
        return room - pen.measureText(node.placeholder).width }"""
    assert cut <= 0 and page.locator("#find").evaluate(room) >= 0
    people = [f"{name}@department-{name}.carter.example" for name in ("anna", "boris", "clara")]
    replies.read_along(ticket, people)
    page.goto(f"/tickets/{ticket.number}/")
    page.wait_for_selector("[data-js=ready]")
    shown = page.locator(".people > summary")
    assert all(each in shown.inner_text() for each in people)
    assert shown.evaluate("node => node.scrollWidth <= node.clientWidth && node.scrollHeight <= node.clientHeight")
    page.get_by_text("Forward", exact=True).first.click()
    assert page.locator("#forward-to").evaluate(room) >= 0
    page.get_by_text("Reply", exact=True).first.click()
    page.locator("h1").first.click()
    page.keyboard.press("e")
    toast = page.locator(".toast").first
    toast.wait_for()
    box, composer = toast.bounding_box(), page.locator("[data-composer]").bounding_box()
    apart = box["x"] + box["width"] <= composer["x"] or box["y"] + box["height"] <= composer["y"]
    assert apart and box["x"] >= 0 and box["x"] + box["width"] <= width
    toast.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Solve", exact=True).wait_for()
    ticket.refresh_from_db()
    assert ticket.status == "new"
