"""Which message of ours a mail answers or reports on, by what only we can have signed.

Everything that names a message of ours is a signed token: in the reply address and the return path, in our Message-IDs, and
in a line of the body, for relays that write new ids. There is one verifier (`lib.signing`), and no second form of a token.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from django.conf import settings

from helpdesk.lib import signing
from helpdesk.mail.models import Mailbox, Outgoing
from helpdesk.mail.parsing import Mail

MAX_CANDIDATES = 200  # addresses, ids and markers whose signature is checked

_TOKEN = re.compile(r"[a-z2-7]{39}", re.IGNORECASE)
_OWN_ID = re.compile(r"<([a-z2-7]{39})\.\d{1,5}@([^<>@\s]+)>", re.IGNORECASE)
_MARKER = re.compile(r"\bref:\s{0,3}([a-z2-7]{39})\b", re.IGNORECASE)
_MARKED_LINE = re.compile(r"^[ \t>|]*ref:[ \t\xa0]{0,3}([a-z2-7]{39})[ \t\xa0]*(?:\n|\Z)", re.IGNORECASE | re.MULTILINE)


def answered(mail: Mail, envelope_to: str = "") -> int | None:
    """The id of the Outgoing row that this mail belongs to: by a signed plus address, then by a signed Message-ID.

    The envelope and what the last hops wrote come before To and Cc; In-Reply-To before References, newest first. A
    token that does not verify names nothing.
    """
    return _first(_tokens_in_addresses(_recipients(mail, envelope_to))) or _first(_tokens_in_ids(_ids(mail)))


def reported(mail: Mail, envelope_to: str = "") -> int | None:
    """The row that a delivery report is about: by our return path, or by the Message-ID in what came back."""
    ids = [mail.bounce.message_id or ""] if mail.bounce else []
    return answered(mail, envelope_to) or _first(_tokens_in_ids(ids))


def foreign_ids(mail: Mail) -> list[str]:
    """The other Message-IDs that a mail answers, In-Reply-To first, then References from newest to oldest.

    An id of our own shape is not among them: it is ours and verifies, or it is nobody's.
    """
    return [one for one in dict.fromkeys(_ids(mail)) if one and not _at_home(one)]


# --- the marker in the body -------------------------------------------------------------------------------------------


def marker(outgoing: Outgoing) -> str:
    """The line by which an answer is known that quotes us, whatever became of its headers on the way."""
    return f"Ref: {outgoing.token}"


def marked(mail: Mail) -> int | None:
    """The row whose marker stands in the body, quotes included; from the top, where the newest quote is."""
    return _first(found[1] for body in (mail.text, mail.html) for found in _MARKER.finditer(body))


def unmarked(mail: Mail) -> Mail:
    """The same mail as people read it: without the markers that we signed. One that we did not sign stays, to be seen."""
    if not _MARKER.search(mail.text) and not _MARKER.search(mail.html):
        return mail
    text, reply = (_MARKER.sub(_unless_ours, _MARKED_LINE.sub(_unless_ours, body)) for body in (mail.text, mail.reply))
    html, reply_html = (_MARKER.sub(_unless_ours, body) for body in (mail.html, mail.reply_html))
    return replace(mail, text=text, reply=reply, html=html, reply_html=reply_html)


def _unless_ours(found: re.Match[str]) -> str:
    return found[0] if signing.read("outgoing", found[1]) is None else ""


# --- what only looks like ours ----------------------------------------------------------------------------------------


def forged(mail: Mail, envelope_to: str = "") -> str:
    """The first address or id in this mail that looks like one we signed, and is none; "" if there is no such thing.

    Of an address, only one of ours counts; of a Message-ID, one of our domain: others may have names of that shape.
    """
    for one in islice(_ids(mail), MAX_CANDIDATES):
        if (found := _at_home(one)) and signing.read("outgoing", found[1]) is None:
            return one[:120]
    for address in islice(_recipients(mail, envelope_to), MAX_CANDIDATES):
        base, token = _cut(address)
        if _TOKEN.fullmatch(token) and signing.read("outgoing", token) is None and _is_ours(base):
            return address[:120]
    return ""


def _at_home(one: str) -> re.Match[str] | None:
    """An id of the shape of ours at our own domain."""
    found = _OWN_ID.fullmatch(one)
    return found if found and found[2].lower() == settings.MAIL_DOMAIN.lower() else None


def _is_ours(address: str) -> bool:
    return address.lower() == settings.BOUNCE_ADDRESS.lower() or Mailbox.objects.filter(address__iexact=address).exists()


# --- where tokens stand -----------------------------------------------------------------------------------------------


def _recipients(mail: Mail, envelope_to: str) -> Iterator[str]:
    yield from (envelope_to, *mail.delivered_to)
    yield from (one.address for one in (*mail.to, *mail.cc))


def _ids(mail: Mail) -> Iterator[str]:
    yield from (mail.in_reply_to or "", *reversed(mail.references))


def _cut(address: str) -> tuple[str, str]:
    """An address without its plus part (RFC 5233), and that part."""
    local, _at, domain = address.rpartition("@")
    base, _plus, detail = local.rpartition("+")
    return (f"{base}@{domain}", detail) if base else (address, "")


def named(candidates: Iterable[str]) -> int | None:
    """The row that one of these names: a bare token, or our Message-ID, with its brackets or without."""
    bare = [one.strip().strip("<>") for one in candidates]
    return _first(iter([*bare, *_tokens_in_ids(f"<{one}>" for one in bare)]))


def _tokens_in_addresses(addresses: Iterable[str]) -> Iterator[str]:
    return (token for address in addresses if (token := _cut(address)[1]))


def _tokens_in_ids(ids: Iterable[str]) -> Iterator[str]:
    return (found[1] for one in ids if (found := _OWN_ID.fullmatch(one)))


def _first(tokens: Iterable[str]) -> int | None:
    """The first token that we signed and whose row exists."""
    for token in dict.fromkeys(islice(tokens, MAX_CANDIDATES)):
        row = signing.read("outgoing", token)
        if row is not None and Outgoing.objects.filter(pk=row).exists():
            return row
    return None
