"""What one message says, as the rest of the project reads it."""

from dataclasses import dataclass
from datetime import datetime

from .addresses import Address
from .bounces import Bounce
from .headers import Headers


@dataclass(frozen=True)
class Attachment:
    """A file in a message. `inline` ones are shown by the HTML under their Content-ID (without brackets)."""

    name: str
    content_type: str
    size: int  # bytes
    content: bytes
    content_id: str = ""
    inline: bool = False


@dataclass(frozen=True)
class Mail:
    """One message. All text is safe to store in PostgreSQL; `html` and `reply_html` have passed the sanitiser."""

    from_: Address | None
    reply_to: tuple[Address, ...]
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    subject: str
    text: str
    reply: str  # the new part of the text; all of it when nothing else is there
    html: str  # "" when the message has none
    reply_html: str  # the new part of the html
    attachments: tuple[Attachment, ...]
    message_id: str  # with angle brackets; made from sender and content when the message has none
    in_reply_to: str | None
    references: tuple[str, ...]  # oldest first
    automatic: str | None  # why this was not written by a person for us
    bounce: Bounce | None
    date: datetime | None  # UTC, as claimed
    delivered_to: tuple[str, ...]  # where the last hops put it: Delivered-To, X-Original-To, Envelope-To …
    return_path: str | None  # "" is the null sender, None is not known
    headers: Headers
    notes: tuple[str, ...] = ()  # in words: what the limits left out
