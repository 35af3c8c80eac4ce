"""Row 8: no header from outside sets anything: not ours, not another helpdesk's."""

import pytest
from django.forms import model_to_dict

from tickets.models import Message, Ticket

pytestmark = pytest.mark.django_db
NAMES = [
    "Priority",
    "Status",
    "Team",
    "Assignee",
    "Tags",
    "Ticket",
    "Number",
    "Topic",
    "Requester",
    "Verified",
    "User",
    "Kind",
    "Spam",
]
PREFIXES = ["X-Twofold-", "Twofold-", "RT-", "X-RT-", "X-Zammad-Ticket-", "X-Zammad-", "X-OTRS-", "X-Znuny-", "X-FreeScout-"]
OTHERS = {
    "Auto-Submitted": "no", "X-Priority": "1", "Importance": "high", "X-Twofold-Signature": "valid", "X-Zammad-Ignore": "true",
    "X-OTRS-Loop": "yes", "X-Spam-Flag": "YES", "X-Spam-Status": "Yes, score=99", "X-Original-From": "ana@nordwind.example",
}  # fmt: skip
PASSING = {"id", "number", "opened_at", "waiting_since", "last_customer_message_at", "last_message_at", "last_message_id"}


def facts(row, passing):
    return {name: value for name, value in model_to_dict(row).items() if name not in passing}


def test_they_change_no_field(post, letter, ana):
    dressed = letter("Hello", Message_ID="<two@carter.example>")
    for prefix in PREFIXES:
        for name in NAMES:
            dressed[f"{prefix}{name}"] = "urgent" if name == "Priority" else str(ana.pk)
    for name, value in OTHERS.items():
        dressed[name] = value
    post(letter("Hello", Message_ID="<one@carter.example>"), dressed)
    plain, other = Ticket.objects.order_by("pk")
    assert facts(plain, PASSING) == facts(other, PASSING)
    said = [facts(message, {"id", "ticket", "incoming_id", "rfc_id", "at"}) for message in Message.objects.order_by("pk")]
    assert said[0] == said[1]


def test_our_own_mark_makes_a_mail_automatic_at_most(post, letter):
    post(*(letter("Hello", X_Twofold_Automatic=value) for value in ("yes", "no", "auto-replied", "x" * 900)))
    for ticket in Ticket.objects.all():
        assert (ticket.status, ticket.priority, ticket.assignee, ticket.tags) == ("new", "normal", None, [])
        assert ticket.messages.get().kind == "automatic" and not ticket.participants.exists()
    assert Ticket.objects.count() == 4
