"""The small scripts, used as a person would: keys, dialogs, menus, forms sent twice, live updates, and none at all."""

import re

import pytest

from tests.look import urls
from tests.look.test_browser import DESK, GUIDE, PAGE, PORTAL, SIGN_IN, go

pytestmark = pytest.mark.django_db  # the server has a database of its own connection
expect = pytest.importorskip("playwright.sync_api").expect


def focused(page) -> str:
    """Who the focused row of the list is about, or the name of the focused element."""
    return page.evaluate("""() => {
        const here = document.activeElement;
        return here.matches('.row') ? here.querySelector('.who').textContent : here.tagName;
    }""")


def test_g_and_a_letter_go_to_a_place_and_a_slow_hand_starts_again(tab):
    page = tab()
    go(page, DESK)
    page.keyboard.press("g")
    page.keyboard.press("o")
    expect(page).to_have_url(page.url.split("?")[0] + "?shell=page")
    go(page, DESK)
    page.clock.install()
    page.keyboard.press("g")
    page.clock.run_for(1500)
    page.keyboard.press("o")
    assert "shell=desk" in page.url


def test_j_and_k_walk_the_list_and_stop_at_its_ends(tab):
    page = tab()
    go(page, DESK)
    page.keyboard.press("j")  # from the row in use to the next
    assert focused(page) == "Ben Carter"
    page.keyboard.press("k")
    page.keyboard.press("k")
    assert focused(page).startswith("Oluwaseun")
    for _ in range(5):
        page.keyboard.press("k")
    assert focused(page).startswith("Freiwillige")


def test_keys_stay_out_of_the_way_of_writing_but_combinations_work(tab):
    page = tab()
    go(page, DESK)
    page.keyboard.press("r")
    box = page.get_by_role("textbox", name="Your reply")
    expect(box).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("go ?je")
    expect(box).to_have_value("go ?je")
    page.evaluate("""() => {
        window.sent = 0;
        document.querySelector('[data-key="mod+Enter"]').addEventListener('click', () => window.sent++);
    }""")
    page.keyboard.press("Control+Enter")
    assert page.evaluate("window.sent") == 1


def test_single_keys_can_be_switched_off_and_stay_off(tab):
    page = tab()
    go(page, DESK)
    page.keyboard.press("?")
    help_ = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(help_).to_be_visible()
    expect(help_).to_contain_text("Outreach")
    expect(help_).to_contain_text("Next and previous in the list")
    page.get_by_label("Single keys do something").uncheck()
    page.keyboard.press("Escape")
    page.reload()
    page.wait_for_selector("html[data-js=ready]", state="attached")
    page.keyboard.press("?")
    page.keyboard.press("j")
    expect(help_).not_to_be_visible()
    assert focused(page) == "BODY"
    page.keyboard.press("Control+k")  # not a single key
    expect(page.get_by_role("dialog", name="Search and jump")).to_be_visible()


def test_the_palette_finds_without_accents_and_goes(tab):
    page = tab()
    go(page, PAGE)
    page.keyboard.press("Control+k")
    page.keyboard.type("osterreich")
    expect(page.get_by_role("option")).to_have_count(1)
    expect(page.get_by_role("option")).to_have_text("Kundenbetreuung Österreich und Schweiz")
    page.keyboard.press("Control+a")
    page.keyboard.type("waiting")
    page.keyboard.press("Enter")
    expect(page).to_have_url(page.url.split("?")[0] + "?shell=desk")
    page.wait_for_selector("html[data-js=ready]", state="attached")
    page.keyboard.press("Control+k")
    page.keyboard.type("zzz")
    expect(page.get_by_text("Nothing by that name here.")).to_be_visible()


def test_the_palette_finds_what_the_server_knows_behind_what_the_page_has(tab):
    page = tab(width=390, height=844)
    go(page, PAGE)
    page.keyboard.press("Control+k")
    search = page.get_by_role("combobox", name="Search and jump")
    page.keyboard.type("printer")
    found = page.get_by_role("option")
    expect(found).to_have_count(1)
    expect(found).to_have_text("#812 The printer <b>sulks</b>Ben Carter")
    expect(found).to_have_attribute("aria-selected", "true")
    assert search.get_attribute("aria-activedescendant") == found.get_attribute("id")
    box = found.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    expect(page.get_by_text("Nothing by that name here.")).not_to_be_visible()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("t=812"))


def test_enter_before_the_answer_goes_where_the_answer_says(tab):
    page = tab()
    go(page, PAGE)
    page.keyboard.press("Control+k")
    page.keyboard.insert_text("printer")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("t=812"))


def test_an_answer_to_an_older_question_is_not_shown(tab):
    page = tab()
    go(page, PAGE)
    held = []
    page.route("**/palette/?q=printer", lambda route: held.append(route))
    page.keyboard.press("Control+k")
    with page.expect_request("**/palette/?q=printer"):
        page.keyboard.type("printer")
    page.keyboard.press("Control+a")
    with page.expect_response("**/palette/?q=zzz"):
        page.keyboard.type("zzz")
    expect(page.get_by_text("Nothing by that name here.")).to_be_visible()
    held[0].fulfill(body='<li role="option" data-href="/">old</li>', content_type="text/html")
    page.wait_for_timeout(300)
    expect(page.get_by_role("option")).to_have_count(0)


def test_a_dialog_takes_the_focus_and_gives_it_back(tab):
    page = tab()
    go(page, GUIDE)
    opener = page.get_by_role("button", name="Open a dialog")
    opener.click()
    dialog = page.get_by_role("dialog", name="Erase Ben Carter and all that is his?")
    expect(dialog).to_be_visible()
    expect(page.get_by_label("Type 12 to go on")).to_be_focused()
    page.mouse.click(5, 5)  # the veil
    expect(dialog).not_to_be_visible()
    expect(opener).to_be_focused()
    opener.click()
    dialog.get_by_role("button", name="Keep him").click()
    expect(dialog).not_to_be_visible()


@pytest.mark.parametrize("width", [1440, 390])
def test_a_menu_opens_beside_its_button_and_inside_the_window(tab, width):
    page = tab(width=width, height=844)
    go(page, DESK + "&open=ticket")
    button = page.get_by_role("button", name="Other ways to send")
    button.click()
    menu = page.locator("#ways")
    expect(menu).to_have_attribute("data-placed", "")
    expect(menu).to_be_visible()
    at, box = button.bounding_box(), menu.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width
    assert box["y"] >= 0 and box["y"] + box["height"] <= 844
    assert box["y"] + box["height"] <= at["y"] + 1 or box["y"] >= at["y"] + at["height"] - 1
    expect(menu.get_by_role("button").first).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(menu.get_by_role("button").nth(1)).to_be_focused()
    page.keyboard.press("Escape")
    expect(menu).not_to_be_visible()
    expect(button).to_be_focused()


def test_a_double_click_sends_a_form_once(tab, site):
    page = tab()
    go(page, GUIDE)
    urls.received.clear()
    page.evaluate("""() => {
        const form = document.createElement('form'); form.method = 'post'; form.action = '/count/'; form.id = 'f';
        form.innerHTML = '<input name="text" value="once"><button id="b" name="how" value="now">Send</button>';
        const token = JSON.parse(document.body.getAttribute('hx-headers'))['X-CSRFToken'];
        const field = document.createElement('input');
        form.append(Object.assign(field, { type: 'hidden', name: 'csrfmiddlewaretoken', value: token }));
        document.body.append(form);
    }""")
    # the first is at the server, which takes its time; a second would reach it too
    page.evaluate("for (const wait of [0, 250]) setTimeout(() => document.getElementById('b').click(), wait)")
    page.wait_for_url("**/styleguide/?toast=1")
    assert urls.received == ["once"]


def test_after_an_answer_without_a_new_page_the_form_can_be_sent_again(tab):
    page = tab()
    go(page, PAGE)
    sent = []
    page.route("**/swap/", lambda route: (sent.append(1), route.fulfill(status=200, content_type="text/html", body="<p>ok</p>")))
    page.evaluate("""() => {
        const form = '<form id="f" hx-post="/swap/" hx-target="#t"><button>Go</button></form><div id="t"></div>';
        document.querySelector('.page').insertAdjacentHTML('beforeend', form);
        htmx.process(document.getElementById('f'));
    }""")
    button = page.locator("#f button")
    button.dblclick()
    expect(page.locator("#t")).to_have_text("ok")
    assert len(sent) == 1
    expect(button).not_to_have_attribute("data-sent", "")
    with page.expect_response("**/swap/"):
        button.click()
    assert len(sent) == 2


def test_a_toast_says_it_and_leaves_but_not_while_pointed_at(tab):
    page = tab()
    page.clock.install()
    go(page, PAGE + "&toast=1")
    toast = page.locator("#toasts .toast")
    expect(toast).to_have_text("#812 solved, the answer leaves in 8 s")
    toast.hover()
    page.clock.run_for(20_000)
    expect(toast).to_be_visible()
    page.mouse.move(5, 5)
    page.clock.run_for(9_000)
    expect(toast).to_have_count(0)


def test_a_change_named_by_the_stream_is_asked_for_by_its_own_door(tab):
    page = tab()
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/rail/" in request.url else None)
    page.unroute("**/live/**")
    page.route(
        "**/live/**",
        lambda route: route.fulfill(
            content_type="text/event-stream",
            body="".join(f"event: changed\ndata: {name}\n\n" for name in ("ticket:9", "inbox", "inbox")),
        ),
    )
    with page.expect_response("**/rail/") as answer:
        go(page, DESK)
    assert answer.value.status == 200
    expect(page.locator("#rail-views [aria-current]")).to_have_text("Waiting on us 37", use_inner_text=True)
    assert len(asked) == 1  # two rings of one bell are one question


def test_a_poll_takes_over_while_the_stream_is_away(tab):
    page = tab()
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/rail/" in request.url else None)
    page.clock.install()
    go(page, DESK)  # /live/ answers 204: the browser gives up
    page.wait_for_timeout(300)
    assert asked == []
    with page.expect_response("**/rail/"):
        page.clock.run_for(21_000)
    assert asked


def test_the_theme_is_chosen_at_once_and_drawn_by_the_server_next_time(tab):
    page = tab()
    go(page, DESK)
    page.locator("[popovertarget=me-menu]").click()
    page.locator("#me-menu").get_by_role("button", name="Dark").click()
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(19, 18, 17)"
    page.locator("#me-menu").get_by_role("button", name="Compact").click()
    body = page.goto(DESK).text()
    assert 'data-theme="dark"' in body and 'data-density="compact"' in body


def test_without_script_everything_can_still_be_done(tab):
    stranger = tab(script=False, width=390, stranger=True)
    stranger.goto(SIGN_IN)
    stranger.get_by_label("Email").fill("nobody@look.example")
    stranger.get_by_label("Password").fill("wrong")
    stranger.get_by_role("button", name="Sign in").click()
    expect(stranger.get_by_role("alert")).to_contain_text("not correct")
    expect(stranger.get_by_label("Email")).to_have_value("nobody@look.example")
    page = tab(script=False, width=390)
    page.goto(PORTAL)
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    page.goto(PAGE + "&toast=1")
    expect(page.get_by_text("#812 solved")).to_be_visible()
    expect(page.locator("[data-dismiss]")).not_to_be_visible()
    page.get_by_role("button", name="More").click()  # a native popover
    expect(page.locator("#more-places").get_by_role("link", name="Reports")).to_be_visible()


def test_the_newest_message_is_in_view_without_script(tab):
    page = tab(script=False, height=700)
    page.goto(DESK)
    expect(page.get_by_text("Rechnung-2026-1148.pdf")).to_be_in_viewport()
    expect(page.get_by_text("We wrote first")).not_to_be_in_viewport()


def test_the_skip_link_is_the_first_stop_and_leads_past_the_rail(tab):
    page = tab()
    go(page, PAGE)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_focus_can_be_seen_at_every_stop(tab):
    page = tab()
    go(page, PAGE)
    for stops in range(40):  # noqa: B007
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            break  # past the last one
        node = page.evaluate(
            """() => {
                const here = document.activeElement, style = getComputedStyle(here);
                return [here.outerHTML.slice(0, 80), style.outlineStyle, style.outlineWidth];
            }"""
        )
        assert node[1] == "solid" and node[2] == "2px", node
    assert stops > 20
