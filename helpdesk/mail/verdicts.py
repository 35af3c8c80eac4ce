"""What a guard may answer about a message, always with its reason in words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Go:
    pass


@dataclass(frozen=True)
class Hold:
    """Wait until a time, or until what ``event`` names is announced by ``outbox.release_for`` or, where settings.HOLDS
    knows its first word, holds no longer; at longest until ``limit``."""

    reason: str
    until: datetime | None = None
    event: str = ""
    limit: datetime | None = None


@dataclass(frozen=True)
class Never:
    reason: str


Verdict = Go | Hold | Never
GO = Go()


@dataclass(frozen=True)
class Content:
    """A message as its half wrote it; the outbox adds envelope, ids and the MIME around it."""

    subject: str
    text: str
    html: str = ""
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)  # for example List-Unsubscribe
    automatic: str = ""  # "", "auto-generated" or "auto-replied" (RFC 3834)
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()  # envelope recipients that no header names
    without: Mapping[str, str] = field(default_factory=dict)  # who was to read along and may not, with the reason
    attachments: tuple[int, ...] = ()  # ids of files.Attachment


@dataclass(frozen=True)
class Missing:
    """Rendering found a value missing that has no fallback: this message is not sent, and counted."""

    reason: str
