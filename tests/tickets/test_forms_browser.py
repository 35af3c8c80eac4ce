"""Forms in Chromium: the page and the server agree on which questions are there, and what one answers arrives."""

import random
from typing import Any

import pytest
from django.http import QueryDict

from helpdesk.customers.models import FieldDefinition
from tests import chromium
from tickets.asking import AskingForm
from tickets.models import Question, Ticket, TicketForm

pytestmark = pytest.mark.django_db(transaction=True)
KINDS = {"plan": "choice", "parts": "multi", "lost": "boolean", "words": "text"}
ANSWERS = {"plan": ["free", "pro"], "parts": ["free", "pro", "Other"], "lost": ["true", "false"], "words": ["pro", "x"]}
SET = """said => { for (const input of document.querySelectorAll("[name^=attribute_]:not([type=hidden])")) {
  const given = said[input.name] || [];
  if (input.type === "checkbox") input.checked = given.includes(input.value); else input.value = given[0] || "";
}
const form = document.querySelector("[data-questions]");
form.dispatchEvent(new Event("input", {bubbles: true}));
return [[...form.querySelectorAll("[data-question]")].filter(row => row.checkVisibility()).map(row => row.dataset.question),
  form.elements.shown.value,
  new URLSearchParams([...new FormData(form)].filter(pair => typeof pair[1] === "string")).toString()]; }"""


def questions(dice: random.Random) -> list[dict[str, Any]]:
    """The fields in any order, each after any answer to one before it."""
    asked: list[dict[str, Any]] = []
    for key in dice.sample(sorted(KINDS), len(KINDS)):
        when = dice.choice(["", *(each["key"] for each in asked)]) if asked else ""
        values = dice.sample(ANSWERS[when], dice.randint(0, 2)) if when else []
        asked.append(Question(key, when=when, values=values).to_json())
    return asked


def test_page_and_server_agree_on_what_is_there(live_server: Any, support: Any) -> None:
    for key, kind in KINDS.items():
        choices = ANSWERS[key] if kind in ("choice", "multi") else []
        FieldDefinition.objects.create(subject="ticket", key=key, label=key.title(), type=kind, choices=choices)
    dice, complaints, hidden = random.Random(7), [], 0
    with chromium.running() as browser:
        page = chromium.page_in(browser.new_context(base_url=live_server.url), complaints)
        for n in range(5):
            form = TicketForm.objects.create(name=f"F{n}", slug=f"f{n}", questions=questions(dice))
            page.goto(f"/write/f{n}/")
            page.wait_for_selector("[data-js=ready]")
            page.wait_for_selector("[data-questions][data-ready]")
            for _turn in range(12):
                said = {f"attribute_{key}": dice.sample(ANSWERS[key], dice.randint(0, 2)) for key in KINDS}
                seen, shown, sent = page.evaluate(SET, said)
                there = [each.key for each in AskingForm(QueryDict(sent), form=form).appearing]
                assert seen == there == shown.split(), (form.questions, said)
                hidden += len(KINDS) - len(there)
        assert hidden > 30  # questions were hidden often enough to say something

        form.questions = [Question("plan").to_json(), Question("words", required=True, when="plan", values=["pro"]).to_json()]
        form.save()
        page.goto("/write/f4/")
        page.wait_for_selector("[data-questions][data-ready]")
        assert not page.locator("#id_attribute_words").is_visible()
        page.get_by_label("Plan").select_option("pro")
        page.locator("#id_attribute_words").fill("NW-7")
        page.get_by_label("Your email").fill("ben@carter.example")
        page.get_by_label("In a few words").fill("A broken lamp")
        page.get_by_label("What happened").fill("It fell.")
        page.wait_for_timeout(3000)  # faster than a person would be asked once more
        page.get_by_role("button", name="Send").click()
        page.wait_for_url("**/write/thanks/")
    assert Ticket.objects.get().attributes == {"plan": "pro", "words": "NW-7"} and complaints == []
