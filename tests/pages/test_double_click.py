"""A double click on any button that writes sends one request: the second half of "one effect", beside the server's own care.

That two requests that do arrive have one effect is `tests/gauntlet/test_20_second_post.py`, and runs with every change.
"""

import pytest

from tests import chromium
from tests.pages.table import PAGES

pytestmark = pytest.mark.django_db  # the server has a database of its own connection
FIND = """() => [...document.querySelectorAll('button, input[type=submit]')].flatMap((node, index) => {
  const form = node.form, type = node.getAttribute('type') || 'submit';
  const method = node.hasAttribute('formmethod') ? node.formMethod : form?.method;
  if (node.disabled || !(node.hasAttribute('hx-post') || (type === 'submit' && form && method === 'post'))) return [];
  const to = node.getAttribute('hx-post') || node.getAttribute('formaction') || form.getAttribute('action') || location.pathname;
  const path = new URL(to || location.pathname, location).pathname;
  const kind = path.replace(/\\d+/g, 'N').replace(/^\\/u\\/[^/]+/, '/u/T');
  return [{index, kind: `${kind} ${node.name || ''} ${node.innerText.trim()}`}];
})"""
# Open what hides it and fill in what it asks for, as a person would have.
READY = """index => {
  const node = [...document.querySelectorAll('button, input[type=submit]')][index], form = node.form;
  for (let up = node; up; up = up.parentElement) {
    if (up.matches('details')) up.open = true;
    if (up.matches('[popover]:not(:popover-open)')) up.showPopover();
    if (up.matches('dialog:not([open])')) up.showModal();
  }
  const choices = form?.querySelectorAll('input[type=radio]') ?? [];
  choices.forEach(choice => node.checkVisibility() || choice.click());
  for (const field of form?.elements ?? []) {
    if (field.required && !field.value && field.type === 'text') field.value = 'word';
    if (field.tagName === 'TEXTAREA' && !field.value) field.value = 'word';
  }
  return node.checkVisibility();
}"""


@pytest.mark.long
def test_every_button_that_writes_sends_one_request_for_a_double_click(contexts, world):
    seen, twice, silent, hidden = set(), [], [], []
    held = []

    def hold_back(route):
        """Nothing reaches the world, and the first request is still on its way when the second click comes."""
        if route.request.method == "POST":
            held.append(route)
        else:
            route.fallback()

    for row in PAGES:
        page = chromium.page_in(contexts[row.who], [], patience=15_000)
        page.route("**/*", hold_back)
        address = row.address.format(**world)
        page.goto(address)
        for each in [each for each in page.evaluate(FIND) if each["kind"] not in seen]:
            seen.add(each["kind"])
            page.goto(address)
            if not page.evaluate(READY, each["index"]):
                hidden.append(f"{row.name}: {each['kind']}")
                continue
            held.clear()
            page.locator("button, input[type=submit]").nth(each["index"]).dblclick(force=True, timeout=3_000, no_wait_after=True)
            for _ in range(15):  # on a busy machine the first takes its time; a second follows at once
                page.wait_for_timeout(150)
                if held:
                    break
            page.wait_for_timeout(150)
            own = [route.request.url for route in held if not route.request.url.endswith("/draft/")]
            if len(own) > 1:
                twice.append(f"{row.name}: {each['kind']} sent {len(own)}")
            if not own:
                silent.append(f"{row.name}: {each['kind']}")
            for route in held:
                route.fulfill(status=204)
        page.close()
    assert (twice, hidden) == ([], [])
    assert len(seen) > 40 and len(silent) <= len(seen) // 10, (len(seen), silent)
