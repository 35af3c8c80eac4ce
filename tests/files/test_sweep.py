"""What nothing holds goes after two days; what anything holds, or is about to, stays."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, connections, transaction

from helpdesk.customers.tasks import tidy
from helpdesk.files.models import Attachment, Blob
from helpdesk.files.sweep import UNCLAIMED, sweep
from helpdesk.lib import dates
from helpdesk.mail.models import Outgoing
from tickets import attachments
from tickets.models import Classifier, Draft, Ticket


@pytest.fixture
def moved() -> Iterator[None]:
    with dates.moved(by=timedelta()):
        yield


def kept(name: str, text: bytes = b"") -> Attachment:
    return attachments.keep(ContentFile(text or name.encode()), name)


@pytest.mark.django_db
def test_only_what_nothing_holds_goes(moved: None, ticket: Ticket, ana: Any, django_capture_on_commit_callbacks: Any) -> None:
    on_message, on_draft, on_mail = kept("message"), kept("draft"), kept("mail")
    ticket.messages.get().attachments.add(on_message)
    Draft.objects.create(ticket=ticket, user=ana).attachments.add(on_draft)
    outgoing = Outgoing.objects.create(
        key="k", kind="ticket.reply", klass="reply", lane="replies", to="x", due_at=dates.now(), customer=ticket.requester
    )
    outgoing.attachments.add(on_mail)
    model = Blob.objects.keep(ContentFile(b"numbers"))
    Classifier.objects.create(state=Classifier.State.READY, content=model)
    key = kept("left").blob.key
    kept("twin", b"message")  # its bytes are another's too
    dates.advance(UNCLAIMED - timedelta(minutes=1))
    tidy()
    assert Attachment.objects.count() == 5
    young = kept("young")
    dates.advance(timedelta(minutes=2))
    with django_capture_on_commit_callbacks(execute=True):
        tidy()
    assert set(Attachment.objects.all()) == {on_message, on_draft, on_mail, young}
    assert set(Blob.objects.all()) == {on_message.blob, on_draft.blob, on_mail.blob, young.blob, model}
    assert not default_storage.exists(key) and all(default_storage.exists(each.key) for each in Blob.objects.all())


@pytest.mark.django_db(transaction=True)
def test_bytes_that_come_again_in_the_moment_of_the_sweep_stay(moved: None) -> None:
    Blob.objects.keep(ContentFile(b"again"))
    dates.advance(UNCLAIMED + timedelta(minutes=1))
    other = connection.copy()
    with transaction.atomic():
        again = Blob.objects.keep(ContentFile(b"again"))
        ours, connections["default"] = connections["default"], other  # somebody else sweeps before anything points to it
        try:
            sweep()
        finally:
            other.close()
            connections["default"] = ours
        file = Attachment.objects.create(blob=again, name="again.txt")
    assert Attachment.objects.get() == file and file.blob.open().read() == b"again"
