"""Web forms with questions of their own: set up by a manager, filled in without script, and what reaches the ticket."""

import re
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from helpdesk.accounts.models import AuditEntry
from helpdesk.customers.models import FieldDefinition
from helpdesk.knowledge.models import Topic
from helpdesk.lib import dates
from tickets.models import Ticket, TicketForm

pytestmark = pytest.mark.django_db
URL = "/write/returns/"
BEN = {"email": "ben@carter.example", "subject": "A broken lamp", "text": "It fell.", "name": "Ben"}
LINES = {  # the questions as the editor sends them: what, required, after which answer
    "reason": ("on", "", ""),
    "parts": ("on", "reason", "Broken"),
    "seen": ("", "parts", ""),
    "pieces": ("", "reason", "Wrong, Broken"),
}


@pytest.fixture
def fields(db):
    kinds = {"reason": "choice", "parts": "multi", "seen": "date", "pieces": "number"}
    choices = {"choice": ["Broken", "Wrong", "Other"], "multi": ["Lamp", "Cable"]}
    for key, kind in kinds.items():
        FieldDefinition.objects.create(subject="ticket", key=key, label=key.title(), type=kind, choices=choices.get(kind, []))
    FieldDefinition.objects.create(subject="ticket", key="friend", label="Friend", type="lookup", target="customer")


def written(**more):
    """A form as the editor sends it."""
    said = {"name": "Returns", "slug": "returns", "intro": "We take it back.", "priority": "high", "is_open": "on"}
    said |= {"tags": "parcel, back", "q-TOTAL_FORMS": str(len(LINES)), "q-INITIAL_FORMS": "0"}
    for n, (key, (required, when, values)) in enumerate(LINES.items()):
        said |= {f"q-{n}-key": key, f"q-{n}-required": required, f"q-{n}-when": when, f"q-{n}-values": values}
        said[f"q-{n}-place"] = str(n + 1)
    return said | more


@pytest.fixture
def form(fields, mia, browser, support):
    answer = browser(mia).post("/forms/new/", written())
    assert answer.status_code == 302, answer.content.decode()
    return TicketForm.objects.get()


@pytest.fixture
def send(client, form):
    """Send the page, as it was shown last, without script."""
    page = {}

    def typed(**said):
        if not page:
            page["text"] = client.get(URL).content.decode()
        hidden = dict(re.findall(r'name="(nonce|shown|kept)" value="([^"]*)"', page["text"]))
        hidden["nonce"] = re.search(r'<input[^>]*name="nonce"[^>]*value="([^"]*)"', page["text"])[1]
        dates.advance(timedelta(seconds=30))
        answer = client.post(URL, {**BEN, **hidden, **said})
        page["text"] = answer.content.decode()
        return answer

    with dates.moved(by=timedelta()):
        yield typed


def visible(text):
    return re.findall(r'data-question="(\w+)"(?![^>]* hidden)', text)


def test_a_manager_sets_it_up_with_its_line_in_the_audit_log(form, mia, browser):
    assert [each.key for each in form.asked] == list(LINES) and form.tags == ["parcel", "back"]
    entry = AuditEntry.objects.get(action="form.added")
    assert entry.after["questions"][1] == {"key": "parts", "required": True, "when": "reason", "values": ["Broken"]}
    assert "Returns" in browser(mia).get("/forms/").content.decode()
    assert "nothing is sent" in browser(mia).get(f"/forms/{form.pk}/preview/").content.decode()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"q-1-values": "Lost"}, "“Lost” is none of its answers: Broken, Wrong, Other"),
        ({"q-2-when": "pieces", "q-2-place": "9", "q-2-values": "two"}, "“two” is no answer to “Pieces”, which takes a number"),
        ({"q-3-when": "seen", "q-3-values": "23.11.2026"}, "“Seen”, which takes a date such as 2026-11-23"),
        ({"q-1-when": ""}, "to which question these are answers"),
        ({"q-1-key": ""}, "Choose which field is asked"),
        ({"q-0-when": "seen"}, "must stand before it"),
        ({"q-3-key": "parts"}, "is asked twice"),
        ({"q-0-key": "friend"}, "is not one of the available choices"),
        ({"slug": "thanks"}, "another address"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(fields, mia, browser, wrong, said):
    answer = browser(mia).post("/forms/new/", written(**wrong))
    assert answer.status_code == 422 and said in answer.content.decode() and not TicketForm.objects.exists()


def test_a_choice_that_holds_a_comma_can_be_waited_for(fields, mia, browser):
    FieldDefinition.objects.filter(key="reason").update(choices=["Broken", "Broken, partly", "Other"])
    answer = browser(mia).post("/forms/new/", written(**{"q-1-values": "other,  BROKEN,partly", "q-3-values": "Broken"}))
    assert answer.status_code == 302, answer.content.decode()
    assert TicketForm.objects.get().asked[1].values == ["Other", "Broken, partly"]
    assert 'value="Other, Broken, partly"' in browser(mia).get(answer["Location"]).content.decode()


def test_a_question_that_nobody_can_be_asked_any_more_is_named_in_the_list(form, mia, browser):
    assert "nobody can answer any more" not in browser(mia).get("/forms/").content.decode()
    FieldDefinition.objects.filter(key="reason").update(choices=["Wrong", "Other"])
    page = browser(mia).get("/forms/").content.decode()
    assert "waits for “Broken”, which nobody can answer any more." in page
    topic = Topic.objects.create(slug="billing", name="An invoice", is_public=True)
    form.questions = [{"key": "pieces", "required": True, "when": "topic", "values": ["billing"]}]
    form.save()
    assert "nobody can answer any more" not in browser(mia).get("/forms/").content.decode()
    topic.archive(by=mia)
    assert "waits for “billing”, which nobody can answer any more." in browser(mia).get("/forms/").content.decode()


def test_without_script_the_next_step_asks_and_keeps_the_files(send):
    answer = send(attribute_reason="Broken", files=[SimpleUploadedFile("lamp.txt", b"crack")])
    text = answer.content.decode()
    assert answer.status_code == 422 and visible(text) == ["reason", "parts", "pieces"] and not Ticket.objects.exists()
    assert "One more step" in text and "lamp.txt" in text and "It fell." in text
    answer = send(attribute_reason="Broken", attribute_parts=[])
    assert answer.status_code == 422 and "Please answer this." in answer.content.decode()
    answer = send(attribute_reason="Broken", attribute_parts=["Lamp", "Cable"], attribute_pieces="2")
    assert visible(answer.content.decode()) == ["reason", "parts", "seen", "pieces"]  # one that waited for the second
    assert send(attribute_reason="Broken", attribute_parts=["Lamp", "Cable"], attribute_pieces="2").status_code == 302
    ticket = Ticket.objects.get()
    assert ticket.attributes == {"reason": "Broken", "parts": ["Lamp", "Cable"], "pieces": 2}
    assert (ticket.priority, ticket.tags, ticket.channel) == ("high", ["back", "parcel"], "form")
    assert [each.name for each in ticket.messages.get().attachments.all()] == ["lamp.txt"]


def test_what_is_hidden_is_neither_required_nor_checked_nor_kept(send):
    answer = send(attribute_reason="Other", attribute_parts=["Lamp"], attribute_pieces="many", attribute_seen="2026-01-01")
    assert answer.status_code == 302 and Ticket.objects.get().attributes == {"reason": "Other"}


def test_what_is_typed_wrongly_stays_with_its_error(send):
    text = send(attribute_reason="Wrong", attribute_pieces="many", email="nowhere").content.decode()
    assert 'value="many"' in text and "Enter a number." in text and "This is no email address" in text
    assert not Ticket.objects.exists()


def test_files_of_another_page_are_not_taken(send, client, form):
    send(attribute_reason="Broken", files=[SimpleUploadedFile("lamp.txt", b"crack")])
    text = send(attribute_reason="Broken").content.decode()
    kept = re.search(r'name="kept" value="([^"]*)"', text)[1]
    other = re.search(r'<input[^>]*name="nonce"[^>]*value="([^"]*)"', client.get(URL).content.decode())[1]
    dates.advance(timedelta(seconds=30))
    assert client.post(URL, {**BEN, "nonce": other, "kept": kept, "attribute_reason": "Other"}).status_code == 302
    assert not Ticket.objects.get().messages.get().attachments.exists()


def test_files_of_all_steps_count_together(send, settings):
    settings.MAX_ATTACHMENTS = 2
    two = [SimpleUploadedFile(name, b"crack") for name in ("lamp.txt", "cable.txt")]
    send(attribute_reason="Broken", files=two)
    answer = send(attribute_reason="Other", files=[SimpleUploadedFile("third.txt", b"more")])
    assert answer.status_code == 422 and "At most 2 files." in answer.content.decode()
    assert send(attribute_reason="Other").status_code == 302
    assert {each.name for each in Ticket.objects.get().messages.get().attachments.all()} == {"lamp.txt", "cable.txt"}


def test_files_of_a_page_that_was_open_too_long_are_asked_for_again(send):
    send(attribute_reason="Broken")
    dates.advance(timedelta(hours=25))
    text = send(attribute_reason="Other", files=[SimpleUploadedFile("lamp.txt", b"crack")]).content.decode()
    assert "open for a long time" in text and "Please choose your files again." in text and "lamp.txt" not in text
    assert "lamp.txt" in send(attribute_reason="Broken", files=[SimpleUploadedFile("lamp.txt", b"crack")]).content.decode()
    dates.advance(timedelta(hours=25))
    assert "Please choose your files again." in send(attribute_reason="Other").content.decode()  # as those kept are gone


def test_a_topic_brings_a_question_and_the_trap_still_catches(send, form, client):
    topic = Topic.objects.create(slug="billing", name="An invoice")
    form.questions = [{"key": "pieces", "required": True, "when": "topic", "values": ["billing"]}]
    form.topic = topic
    form.save()
    assert visible(send(topic=topic.pk).content.decode()) == ["pieces"]
    assert send(topic=topic.pk, website="x").status_code in (302, 422) and not Ticket.objects.exists()
    assert send().status_code == 302 and Ticket.objects.get().topic == topic


def test_what_is_not_open_is_not_there(client, form, ana, browser):
    TicketForm.objects.update(is_open=False)
    assert client.get(URL).status_code == 404 and client.post(URL, BEN).status_code == 404
    assert browser(ana).get("/forms/").status_code in (403, 404)
