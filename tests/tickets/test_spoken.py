"""A ticket has the language of its words, so that it finds those who speak it; who knows better says so."""

import pytest
from django.urls import reverse

from helpdesk.accounts.models import ApiToken, Mode, Skill, Team
from helpdesk.customers.models import Event
from helpdesk.lib.languages import spoken
from tickets.models import Ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def german(support, ana, omar):
    """Support hands out in turn; Omar alone speaks German."""
    support.team.members.set([ana, omar])
    Team.objects.filter(pk=support.team.pk).update(mode=Mode.ROUND_ROBIN)
    skill = Skill.objects.create(name="German", languages=["de"])
    omar.skills.add(skill)
    return skill


def test_mail_of_a_stranger_goes_to_who_speaks_its_language(german, post, letter, drain, omar, ana):
    said = "Guten Tag, seit gestern bricht der Export ab. Können Sie bitte nachsehen?"
    for n in range(3):
        post(letter(said, sender=f"Jonas <jonas{n}@weber.example>", subject="Export"))
    post(letter("Since yesterday the export stops. Could you have a look?", sender="Kim <kim@lee.example>", subject="Export"))
    drain()
    assert [(ticket.language, ticket.assignee) for ticket in Ticket.objects.order_by("pk")][:3] == [("de", omar)] * 3
    assert Ticket.objects.get(language="en").assignee == ana


def test_a_form_goes_by_its_text_then_the_customer_then_the_browser(fill, support, ben, drain):
    assert not spoken("Passwort vergessen")
    fill(subject="Hilfe", text="Ich kann mich seit heute nicht mehr anmelden.", speaks="en-GB")
    fill(subject="Passwort", text="Passwort vergessen", email="neu@weber.example", speaks="de-CH, en;q=0.5")
    type(ben).objects.filter(pk=ben.pk).update(language="da")
    fill(subject="Passwort", text="Passwort vergessen", speaks="de-CH")
    assert list(Ticket.objects.order_by("pk").values_list("language", flat=True)) == ["de", "de", "da"]


def test_a_tool_that_knows_is_believed_and_may_say_otherwise_later(client, support, drain):
    token = ApiToken.objects.issue("shop", ["tickets:write", "tickets:read"])[1]
    said = {"requester": {"email": "kim@lee.example"}, "subject": "Export", "text": "Since yesterday the export stops."}
    known = {"HTTP_AUTHORIZATION": f"Bearer {token}", "content_type": "application/json"}
    made = [client.post("/api/v1/tickets", said | more, **known).json() for more in ({}, {"language": "fr"})]
    assert [each["language"] for each in made] == ["en", "fr"]
    changed = client.patch(f"/api/v1/tickets/{made[1]['number']}", {"language": "en"}, **known)
    assert changed.status_code == 200 and changed.json()["language"] == "en"


def test_who_reads_it_knows_better(german, post, letter, drain, browser, ana):
    post(letter("Passwort vergessen", subject="Passwort"))
    ticket = Ticket.objects.get()
    assert ticket.language == ""
    page = browser(ana)
    assert 'name="language"' in page.get(reverse("ticket-properties", args=[ticket.number])).content.decode()
    change = reverse("ticket-change", args=[ticket.number])
    assert page.post(change, {"language": "xx"}).status_code == 422
    assert page.post(change, {"language": "de"}).status_code == 302
    told = Event.objects.get(kind="ticket.updated", payload__field="language").payload
    assert (told["was"], told["now"], told["changes"]) == ("", "German", {"language": ["", "de"]})
    assert "German" in page.get(reverse("ticket", args=[ticket.number])).content.decode()
    assert f"/tickets/{ticket.number}/" in page.get("/inbox/?q=language:de").content.decode()
