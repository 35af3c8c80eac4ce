"""Row 4: whatever a mail from an agent's address quotes, it is never an agent's words, and a false token is told."""

import pytest

from helpdesk.accounts.models import AuditEntry
from tests.tickets.conftest import back
from tickets.models import Message, Ticket

pytestmark = pytest.mark.django_db
ANA = "Ana Kowalczyk <ana@nordwind.example>"


def test_a_forged_notification_is_no_agents_mail(post, letter, ana, ticket, sink, settings):
    forged = f"<{'a' * 39}.1@{settings.MAIL_DOMAIN}>"
    named = (forged, f"<notify-1-{ana.pk}-x@{settings.MAIL_DOMAIN}>")
    post(*(letter("Give him the money.", sender=ANA, In_Reply_To=each) for each in named))
    assert ticket.messages.count() == 1 and not sink
    assert not Message.objects.filter(user__isnull=False).exists()
    assert [entry.after["named"] for entry in AuditEntry.objects.filter(action="mail.token_invalid")] == [forged]


@pytest.mark.parametrize("active", [True, False])
def test_nor_is_one_with_a_token_that_is_good(post, letter, answered, ticket, ana, sink, active, browser, omar):
    ana.is_active = active
    ana.save()
    sent = len(sink)
    post(back(letter, answered, text="Give him the money.", sender=ANA, Cc="attacker@evil.example"))
    said = ticket.messages.latest("pk")
    assert (said.kind, said.user, said.stranger, said.is_ours) == ("customer", None, True, False)
    assert len(sink) == sent and Ticket.objects.count() == 1 and not ticket.participants.exists()
    assert "Not on this ticket" in browser(omar).get(f"/tickets/{ticket.number}/").content.decode()
