"""The public form: one message in, whoever presses how often, and nothing told about anybody."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from helpdesk.customers.models import Customer
from helpdesk.knowledge.models import Topic
from helpdesk.lib import dates
from helpdesk.mail import outbox
from helpdesk.mail.models import Outgoing
from tickets import intake, letters
from tickets.models import Ticket

pytestmark = pytest.mark.django_db
URL = "/write/"


def test_a_stranger_writes_with_a_file_and_a_topic(fill):
    topic = Topic.objects.create(slug="billing", name="An invoice or a payment")
    answer = fill(topic=topic.pk, files=[SimpleUploadedFile("../../Rechnung\u202egpj.pdf", b"%PDF-1", "application/pdf")])
    assert answer.status_code == 302 and answer.url == reverse("submit-thanks")
    ticket = Ticket.objects.get()
    message = ticket.messages.get()
    assert (ticket.subject, ticket.channel, ticket.status, ticket.topic) == ("Invoice twice", "form", "new", topic)
    assert ticket.waiting_since == message.at and str(ticket.requester) == "Ben"
    assert message.text == "I got <b>two</b>." and "<b>" not in message.html
    kept = message.attachments.get()
    assert kept.name == "Rechnunggpj.pdf" and kept.blob.open().read() == b"%PDF-1"


def test_two_clicks_are_one_ticket_and_one_confirmation(fill, client):
    nonce = client.get(URL).context["form"].initial["nonce"]
    assert [fill(nonce).status_code, fill(nonce).status_code] == [302, 302]
    assert Ticket.objects.count() == 1 and Outgoing.objects.count() == 1


def test_the_confirmation_repeats_nothing_and_comes_once_a_day(fill, drain, sink):
    for subject in ("BUY PILLS", "BUY MORE PILLS"):
        fill(subject=subject, text="at https://evil.example", name="Evil Name")
        drain()
    [mail] = sink.to("ben@carter.example")
    raw = mail.raw.decode()
    assert not any(word in raw for word in ("PILLS", "evil.example", "Evil Name"))
    assert mail.message["Auto-Submitted"] == "auto-replied" and mail.envelope_from in ("", "<>", None)
    assert str(Ticket.objects.earliest("id").number) in mail.message["Subject"]
    dates.advance(timedelta(hours=25))
    fill()
    drain()
    assert len(sink.to("ben@carter.example")) == 2


def test_no_confirmation_goes_to_ourselves_or_to_a_machine(fill, drain, sink):
    for address in ("support@nordwind.example", "Support+x@nordwind.example", "no-reply@shop.example"):
        fill(email=address)
    drain()
    assert sink == [] and Ticket.objects.count() == 3


def test_known_and_unknown_addresses_read_the_same(fill, client, ben):
    known, unknown = fill(email="ben@carter.example"), fill(email="nobody@else.example")
    assert known.url == unknown.url
    assert client.get(known.url).content == client.get(unknown.url).content
    assert Customer.objects.count() == 2


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(fill):
    answer = fill(email="ben@", text="", subject="Kept words")
    page = answer.content.decode()
    assert answer.status_code == 422 and not Ticket.objects.exists()
    assert 'href="#id_email"' in page and 'id="id_email_error"' in page and 'id="id_text_error"' in page
    assert 'value="Kept words"' in page and 'value="ben@"' in page


def test_files_too_many_and_too_large_are_refused_by_name(fill, settings):
    settings.MAX_ATTACHMENT_BYTES, settings.MAX_ATTACHMENTS = 1_000_000, 2
    file = lambda size: SimpleUploadedFile("a.txt", b"x" * size)  # noqa: E731
    assert "1 MB" in fill(files=[file(600_000), file(600_000)]).content.decode()
    assert "At most 2 files" in fill(files=[file(1), file(1), file(1)]).content.decode()
    assert not Ticket.objects.exists()


def test_machines_believe_they_were_heard(fill):
    for waits in (30, 0):
        assert fill(website="https://spam.example", waits=waits).status_code == 302
    assert not Ticket.objects.exists()


def test_whoever_is_very_quick_is_asked_to_press_again_and_is_heard(fill):
    """A browser that fills in the form for Ben is no machine: nothing that he sent may be thanked for and thrown away."""
    answer = fill(waits=0, subject="Typed by the browser", files=[SimpleUploadedFile("a.txt", b"x")])
    page = answer.content.decode()
    assert answer.status_code == 422 and "Please press Send again" in page and not Ticket.objects.exists()
    for kept in ("Typed by the browser", "I got &lt;b&gt;two&lt;/b&gt;.", "ben@carter.example", 'value="Ben"'):
        assert kept in page
    assert "Please choose your files again" in page
    nonce = answer.context["form"]["nonce"].value()
    assert [fill(nonce, waits=2).status_code, fill(nonce).status_code] == [302, 302]
    assert Ticket.objects.count() == 1


def test_a_nonce_that_is_none_or_old_asks_to_send_again_and_then_works(fill, client):
    for nonce, waits in (("forged", 30), ("", 25 * 3600)):
        answer = fill(nonce, waits)
        assert answer.status_code == 422 and "Send again" in answer.content.decode()
        assert not Ticket.objects.exists()
    fresh = answer.context["form"].data["nonce"]
    assert fill(fresh).status_code == 302 and Ticket.objects.count() == 1


@pytest.mark.parametrize("text", ["nul \0 byte", "x" * 50_001])
def test_hostile_text_is_an_error_and_no_crash(fill, text):
    assert fill(text=text).status_code == 422


def test_other_methods_are_refused(client, db):
    assert client.put(URL).status_code == 405 and client.post(reverse("submit-thanks")).status_code == 405


def test_two_that_were_planned_at_once_are_one_mail(ticket, drain, sink):
    """The form looks before it plans; of two that looked at the same moment, the stamp lets one go."""
    other = intake.open_ticket(ticket.requester, "Again", intake.Words("again"), channel="form", address=ticket.address)
    outbox.plan(
        [
            Outgoing(
                key=f"confirm:{n}",
                kind=letters.CONFIRMATION,
                klass="transactional",
                lane="replies",
                customer=ticket.requester,
                address=ticket.address,
                to="ben@carter.example",
                ticket_id=n,
                due_at=dates.now(),
            )
            for n in (ticket.pk, other.pk)
        ]
    )
    drain()
    assert len(sink.to("ben@carter.example")) == 1
    assert sorted(Outgoing.objects.values_list("state", flat=True)) == ["accepted", "withheld"]
