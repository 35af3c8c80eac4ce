"""Whatever is kept about a person is in their export: a canary in each text column of each table must come out again."""

import json
from base64 import b64decode
from io import StringIO

import pytest
from django.apps import apps
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import models

from helpdesk.accounts.models import User
from helpdesk.customers import consent, timeline
from helpdesk.customers.models import Address, Company, Consent, Customer, Event, Subscription
from helpdesk.files.models import Attachment, Blob
from helpdesk.lib.dates import now
from helpdesk.mail import inbox
from helpdesk.mail.models import Attempt, IncomingMail, Mailbox, Outgoing
from helpdesk.management.commands import export_customer
from outreach.models import Campaign, Enrolment, Version
from tickets import intake
from tickets.models import Draft, Message, Participant, Ticket

pytestmark = pytest.mark.django_db


def export(customer: Customer) -> tuple[dict[str, dict[str, list[dict[str, object]]]], str]:
    out = StringIO()
    export_customer.export(customer.pk, out)
    return json.loads(out.getvalue()), out.getvalue()


def marked(row: models.Model, name: str) -> list[str]:
    """Write a canary into every text and JSON column of a row that takes one; returns them."""
    canaries, values = [], {}
    for field in row._meta.concrete_fields:
        canary = f"canary-{name}-{field.name}"
        others = field.name in ("bcc", "only", "missed")  # who else was to have a message is a secret from whoever asks
        named = others or field.name in ("owner", "channel", "klass", "lane", "kind")
        free = not (field.choices or field.unique or field.is_relation or named)
        if free and isinstance(field, models.CharField | models.TextField) and (field.max_length or 999) >= len(canary):
            values[field.name] = canary
        elif free and isinstance(field, models.JSONField):
            values[field.name] = {"canary": canary}
        else:
            continue
        canaries.append(canary)
    type(row)._default_manager.filter(pk=row.pk).update(**values)
    return canaries


@pytest.fixture
def everything(ben: Customer, ana: User, support: Mailbox, tips: Subscription) -> list[str]:
    """Ben, in every table that knows him; the canaries."""
    company = Company.objects.create(name="canary-company-name")
    Customer.objects.filter(pk=ben.pk).update(company=company)
    address = Address.objects.create(customer=ben, canonical="second@carter.example", shown="x", is_primary=False)
    digest = consent.digest("ben@carter.example")
    consent.suppress("ben@carter.example", reason="manual", source="canary-suppression-source")
    consent.give(
        ben.pk, tips, source="canary-consent-source", wording="canary-consent-wording", proof={"ip": "canary-consent-proof"}
    )
    timeline.record("customer.updated", customer=ben.pk, changed={"x": "canary-event-payload"})
    ticket = intake.open_ticket(ben, "Subject", intake.Words("Text"), channel="form")
    message = ticket.messages.get()
    blob = Blob.objects.keep(ContentFile(b"canary-file-content"))
    file, drafted = (Attachment.objects.create(blob=blob, name=name) for name in ("canary-file-name", "canary-drafted-name"))
    message.attachments.add(file)
    draft = Draft.objects.create(ticket=ticket, user=ana)
    draft.attachments.add(drafted)
    participant = Participant.objects.create(ticket=ticket, canonical="third@carter.example", address="x")
    strangers = Ticket.objects.create(subject="not his", requester=Customer.objects.create(name="Somebody"), channel="form")
    elsewhere = Message.objects.create(ticket=strangers, kind="customer", customer=ben, text="x")
    Message.objects.create(ticket=strangers, kind="note", text="secret-of-another")
    raw = b"From: ben@carter.example\nSubject: x\n\nquarantined, canary"
    loose = inbox.receive(raw, support, source="smtp", envelope_from="Ben@Carter.example")
    ticketed = inbox.receive(
        b"From: a@b.example\n\nx", support, source="smtp", envelope_from="vouched-for-by-the-message@b.example"
    )
    inbox.receive(b"From: c@d.example\n\nsecret-of-another", support, source="smtp", envelope_from="secret-of-another@d.example")
    Message.objects.filter(pk=message.pk).update(incoming_id=ticketed.pk)
    IncomingMail.objects.filter(pk=ticketed.pk).update(ticket_message_id=message.pk)
    outgoing = Outgoing.objects.create(
        key="k", kind="ticket.reply", klass="reply", lane="replies", customer=ben, to="x", due_at=now()
    )
    attempt = Attempt.objects.create(outgoing=outgoing, number=1, owner="w")
    campaign = Campaign.objects.create(name="canary-campaign-name")
    version = Version.objects.create(campaign=campaign, number=1)
    enrolment = Enrolment.objects.create(campaign=campaign, version=version, customer=ben)
    canaries = [
        "canary-company-name", "canary-suppression-source", "canary-consent-source",
        "canary-consent-wording", "canary-consent-proof", "canary-event-payload",
        "canary-campaign-name", "vouched-for-by-the-message@b.example", digest,
    ]  # fmt: skip
    rows = {
        "customer": ben, "address": address, "ticket": ticket, "message": message, "draft": draft, "elsewhere": elsewhere,
        "participant": participant, "outgoing": outgoing, "attempt": attempt, "enrolment": enrolment, "file": file,
        "drafted": drafted,
    }  # fmt: skip
    for name, row in rows.items():
        if name not in ("file", "drafted"):
            canaries += marked(row, name)
    IncomingMail.objects.filter(pk=loose.pk).update(reason="canary-incoming-reason")
    assert Event.objects.filter(customer=ben).exists() and Consent.objects.filter(customer=ben).exists()
    return [*canaries, "canary-incoming-reason", "canary-file-name", "canary-drafted-name"]


def test_every_canary_comes_out_and_nobody_elses_words(ben: Customer, everything: list[str]) -> None:
    data, text = export(ben)
    assert [canary for canary in everything if canary not in text] == []
    assert len(everything) > 50
    assert "secret-of-another" not in text
    assert set(data) == {"customers", "mail", "tickets", "outreach"}


def test_mails_and_files_are_there_byte_for_byte(ben: Customer, everything: list[str]) -> None:
    data, text = export(ben)
    assert {b64decode(str(row["content"])) for row in data["tickets"]["files"]} == {b"canary-file-content"}
    assert [b64decode(str(row["raw"])) for row in data["tickets"]["mails"]] == [b"From: a@b.example\n\nx"]
    assert [b64decode(str(row["raw"])).endswith(b"quarantined, canary") for row in data["mail"]["incoming"]] == [True]
    assert "c2VjcmV0LW9mLWFub3RoZXI" not in text


def test_no_table_that_knows_a_customer_is_forgotten(ben: Customer, everything: list[str]) -> None:
    """A new model with a key to Customer must appear in the export, with at least the row that names them."""
    covered = {
        Address: "addresses", Consent: "consents", Event: "events", Outgoing: "outgoing", Ticket: "tickets",
        Message: "messages", Enrolment: "enrolments",
    }  # fmt: skip
    pointing = {
        model
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if field.is_relation and field.related_model is Customer
    }
    assert pointing == set(covered)
    data, _text = export(ben)
    tables = {table: rows for room in data.values() for table, rows in room.items()}
    for model, table in covered.items():
        [link] = [f.attname for f in model._meta.concrete_fields if f.is_relation and f.related_model is Customer]
        assert ben.pk in [row[link] for row in tables[table]], table


@pytest.mark.django_db(transaction=True)
def test_the_command_writes_one_moment_and_knows_who_is_not_there(ben: Customer) -> None:
    out = StringIO()
    call_command("export_customer", str(ben.pk), stdout=out)
    assert json.loads(out.getvalue())["customers"]["customer"][0]["name"] == "Ben Carter"
    with pytest.raises(CommandError, match="There is no customer 404"):
        call_command("export_customer", "404")
