"""Which message of ours a mail answers or reports on, by what only we can have signed."""

import re
from collections.abc import Iterable, Iterator

from helpdesk.lib import signing
from helpdesk.mail.models import Outgoing
from helpdesk.mail.parsing import Mail

MAX_CANDIDATES = 200  # addresses and ids whose signature is checked

_OWN_ID = re.compile(r"<([a-z2-7]{39})\.\d{1,5}@[^<>@\s]+>", re.IGNORECASE)


def answered(mail: Mail, envelope_to: str = "") -> int | None:
    """The id of the Outgoing row that this mail belongs to: by a signed plus address, then by a signed Message-ID.

    The envelope and what the last hops wrote come before To and Cc; In-Reply-To before References, newest first. A
    token that does not verify names nothing, and there is no second form of it.
    """
    people = [envelope_to, *mail.delivered_to, *(one.address for one in (*mail.to, *mail.cc))]
    return _first(_tokens_in_addresses(people)) or _first(_tokens_in_ids([mail.in_reply_to or "", *reversed(mail.references)]))


def reported(mail: Mail, envelope_to: str = "") -> int | None:
    """The row that a delivery report is about: by our return path, or by the Message-ID in what came back."""
    ids = [mail.bounce.message_id or ""] if mail.bounce else []
    return answered(mail, envelope_to) or _first(_tokens_in_ids(ids))


def _tokens_in_addresses(addresses: Iterable[str]) -> Iterator[str]:
    for address in addresses:
        local = address.rpartition("@")[0]
        if "+" in local:
            yield local.rpartition("+")[2]


def _tokens_in_ids(ids: Iterable[str]) -> Iterator[str]:
    return (found[1] for one in ids if (found := _OWN_ID.fullmatch(one)))


def _first(tokens: Iterator[str]) -> int | None:
    """The first token that we signed and whose row exists."""
    for _, token in zip(range(MAX_CANDIDATES), tokens, strict=False):
        row = signing.read("outgoing", token)
        if row is not None and Outgoing.objects.filter(pk=row).exists():
            return row
    return None
