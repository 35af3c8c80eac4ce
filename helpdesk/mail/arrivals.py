"""Mail that a provider posts to us, out of its webhook and into ``inbox.receive``.

Where the provider gives the mail itself, its bytes are kept as they are and nobody parses them here; else django-anymail
puts a mail together from what the provider cut apart. What is proved to come from the provider but cannot be read is kept
too, as it was posted.
"""

import hashlib
import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.encoders import encode_base64
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from helpdesk.lib.dates import now
from helpdesk.live import bell
from helpdesk.mail import inbox
from helpdesk.mail.hooks import Knock, Misdirected, NotNow, events
from helpdesk.mail.models import IncomingMail, Mailbox
from helpdesk.mail.parsing import addressed
from helpdesk.mail.parsing.addresses import valid

log = structlog.get_logger(__name__)
HEAD = 64 * 1024  # bytes of a mail that are looked at for its recipients, and kept of one that is too large


@dataclass(frozen=True)
class Arrival:
    """One mail. ``recipients`` and ``sender`` are the envelope's, as far as the provider tells."""

    raw: bytes
    recipients: tuple[str, ...] = ()
    sender: str = ""


def keep(knock: Knock) -> str:
    """Commit every mail of this request; the same request again keeps nothing more. Raises NotNow, Misdirected."""
    try:
        found = list(_found(knock))
    except (NotNow, Misdirected):
        raise
    except Exception as error:
        log.exception("hook_not_read", provider=knock.provider)
        what = _("What %(provider)s posted could not be read (%(error)s): here it is as it came")
        words = what % {"provider": knock.view.esp_name, "error": f"{type(error).__name__}: {error}"[:150]}
        posted = f"Content-Type: {knock.request.content_type}\r\n\r\n".encode() + knock.request.body
        _keep(Arrival(posted), words)
        return "Kept, but not understood."
    for arrival in found:
        _keep(arrival)
    return f"Kept: {len(found)}."


def _found(knock: Knock) -> Iterator[Arrival]:
    """As the provider gives it; else put together. Raises NotNow, Misdirected, and whatever a foreign shape leads to."""
    whole = WHOLE.get(knock.provider)
    try:
        found = list(whole(knock)) if whole else []
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        found = []  # another shape than we know: perhaps anymail knows it
    yield from found or _put_together(knock)


def _put_together(knock: Knock) -> Iterator[Arrival]:
    for event in events(knock, mail=True):
        if event.message is not None:
            known = event.message.envelope_recipient
            sender = str(event.message.envelope_sender or "")
            yield Arrival(_bytes(event.message), tuple(str(known).split(",")) if known else (), sender)


def _bytes(message: Any) -> bytes:
    """The same bytes for the same mail, so that its second copy is known: boundaries come from the content."""
    seed = hashlib.sha256(repr(message.items()).encode("utf-8", "replace"))
    parts = list(message.walk())
    for part in parts:
        if part.is_multipart():
            continue
        if part.get_payload() is None:  # a mail without a word
            part.set_payload("")
        seed.update(part.get_payload(decode=True) or b"")
        if "Content-Transfer-Encoding" not in part:  # else its lines would be ended anew, also those of a picture
            encode_base64(part)
    for number, part in enumerate(parts):
        if part.get_content_maintype() == "multipart" and not part.get_boundary():
            part.set_boundary(f"=_{seed.hexdigest()[:40]}_{number}")
    raw: bytes = message.as_bytes()
    return raw


def _keep(arrival: Arrival, aside: str = "") -> None:
    """A row for each of our mailboxes among the recipients; for none of ours, one that a person places."""
    raw = arrival.raw
    if len(raw) > settings.MAIL_MAX_BYTES:
        aside = aside or _("Too large (%d bytes): only its beginning was kept") % len(raw)
        raw = raw[: min(HEAD, settings.MAIL_MAX_BYTES)]
    sender = valid(arrival.sender.strip(" <>")) or ""
    recipients = [good for one in arrival.recipients if (good := valid(one.strip(" <>")))] or addressed(raw[:HEAD])
    boxes = inbox.mailboxes_for(recipients)
    if not boxes:
        usual = Mailbox.objects.order_by("-is_default", "pk").first()
        if usual is None:
            raise NotNow("there is no mailbox yet")
        boxes = [(usual, "")]
        aside = aside or _("For %s, which is no mailbox of ours") % (", ".join(recipients)[:150] or _("nobody"))
    with transaction.atomic():
        for box, address in boxes:
            row = inbox.receive(raw, box, source="webhook", envelope_from=sender, envelope_to=address)
            new = not row.get_deferred_fields()  # of a second copy we get the row of the first, by its state alone
            if aside and new:
                inbox.set_aside(row, aside)
            elif not aside and not new:
                _found_its_place(row, address)


def _found_its_place(row: IncomingMail, address: str) -> None:
    """A copy of it was for nobody here and waits for a person; this one says where it belongs."""
    astray = IncomingMail.objects.filter(
        pk=row.pk, state=IncomingMail.State.QUARANTINED, source="webhook", envelope_to="", attempts=0
    )
    if astray.update(state=IncomingMail.State.ACCEPTED, reason="", envelope_to=address, next_at=now(), processed_at=None):
        bell.ring(inbox.PROCESS_TASK)


# --- who gives the mail itself ----------------------------------------------------------------------------------------


def _encoded(raw: str, base64: bool) -> bytes:
    return b64decode(raw) if base64 else raw.encode("utf-8", "replace")


def _mailgun(knock: Knock) -> Iterator[Arrival]:
    said = knock.request.POST
    if "body-mime" in knock.fields:
        yield Arrival(knock.fields["body-mime"], tuple(said.get("recipient", "").split(",")), said.get("sender", ""))


def _sendgrid(knock: Knock) -> Iterator[Arrival]:
    if "email" in knock.fields:
        envelope = json.loads(knock.request.POST.get("envelope", "{}"))
        yield Arrival(knock.fields["email"], tuple(envelope.get("to", ())), envelope.get("from", ""))


def _mandrill(knock: Knock) -> Iterator[Arrival]:
    for event in json.loads(knock.request.POST["mandrill_events"]):
        if event.get("event") == "inbound":
            yield Arrival(_encoded(event["msg"]["raw_msg"], False), (event["msg"].get("email") or "",))


def _postmark(knock: Knock) -> Iterator[Arrival]:
    said = knock.json
    if "RawEmail" in said:
        first: dict[str, str] = next(iter(said.get("Headers", [])), {})
        sender = first["Value"] if first.get("Name", "").lower() == "return-path" else ""
        yield Arrival(_encoded(said["RawEmail"], False), (said.get("OriginalRecipient") or "",), sender)


def _amazon_ses(knock: Knock) -> Iterator[Arrival]:
    if knock.json.get("Type") != "Notification":
        return
    said = json.loads(knock.json["Message"])
    action = said.get("receipt", {}).get("action", {})
    if said.get("notificationType") == "Received" and action.get("type") == "SNS":
        raw = _encoded(said["content"], action.get("encoding") == "BASE64")
        yield Arrival(raw, tuple(said["receipt"].get("recipients", ())), said.get("mail", {}).get("source") or "")


def _sparkpost(knock: Knock) -> Iterator[Arrival]:
    for wrapped in knock.json:
        if event := wrapped["msys"].get("relay_message"):
            content = event["content"]
            raw = _encoded(content["email_rfc822"], content["email_rfc822_is_base64"])
            yield Arrival(raw, (event.get("rcpt_to") or "",), event.get("msg_from") or "")


def _postal(knock: Knock) -> Iterator[Arrival]:
    said = knock.json
    if "message" in said and "rcpt_to" in said:
        raw = _encoded(said["message"], said.get("base64") is True)
        yield Arrival(raw, (said.get("rcpt_to") or "",), said.get("mail_from") or "")


def _mailersend(knock: Knock) -> Iterator[Arrival]:
    said = knock.json
    if said.get("type") == "inbound.message":
        to = tuple(one["email"] for one in said["data"].get("recipients", {}).get("rcptTo", ()))
        yield Arrival(_encoded(said["data"]["raw"], False), to, said["data"].get("sender", {}).get("email", ""))


WHOLE: dict[str, Callable[[Knock], Iterator[Arrival]]] = {
    "amazon_ses": _amazon_ses,
    "mailersend": _mailersend,
    "mailgun": _mailgun,
    "mandrill": _mandrill,
    "postal": _postal,
    "postmark": _postmark,
    "sendgrid": _sendgrid,
    "sparkpost": _sparkpost,
}
