"""Whoever has a message not although it left: some in Cc or Bcc whom a mail server refused, at once or by a late report.

The message names them. Whom a server refuses only for now gets a copy of their own, which is tried again like any message.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta

from django.db import transaction

from helpdesk.lib.dates import now
from helpdesk.live.streams import announce
from helpdesk.mail import outbox
from helpdesk.mail.models import Outgoing, State

COPY_AFTER = timedelta(minutes=1)


@transaction.atomic
def tell(outgoing: Outgoing, told: Mapping[str, str | None]) -> bool:
    """Write on the message, of which this may be a copy, who has it not and why; None for who has it now. False: no news."""
    row = (
        Outgoing.objects.select_for_update(of=("self",))
        .only("missed", "state", "ticket_id")
        .get(pk=outgoing.copy_of_id or outgoing.pk)
    )
    missed = {address: words for address, words in {**(row.missed or {}), **told}.items() if words is not None}
    if missed == (row.missed or {}):
        return False
    changed: dict[str, object] = {"missed": missed or None}
    if row.state in (State.ACCEPTED, State.DELIVERED):
        changed["reason"] = outbox.not_to(missed)
    Outgoing.objects.filter(pk=row.pk).update(**changed)
    if row.ticket_id:
        announce(f"ticket:{row.ticket_id}")
    return True


def later(outgoing: Outgoing, addresses: Iterable[str]) -> None:
    """A copy for each of these, whom a server asked for patience, in the caller's transaction."""
    same = ("kind", "klass", "lane", "to", "cc", "bcc", "mailbox_id", "title", "topic_id", "ticket_id", "message_id")
    outbox.plan(
        [
            Outgoing(
                **{name: getattr(outgoing, name) for name in same},
                key=f"{outgoing.key[:60]}#{outgoing.attempts}#{number}",
                copy_of_id=outgoing.pk,
                only=[address],
                due_at=now() + COPY_AFTER,
            )
            for number, address in enumerate(addresses)
        ]
    )
