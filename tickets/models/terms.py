"""The words a ticket's state is said in."""

from collections.abc import Iterable
from unicodedata import normalize

from django.db import models
from django.utils.translation import gettext_lazy as _


class Status(models.TextChoices):
    NEW = "new", _("New")
    OPEN = "open", _("Open")
    PENDING = "pending", _("Pending")
    HOLD = "hold", _("On hold")
    SOLVED = "solved", _("Solved")
    CLOSED = "closed", _("Closed")
    SPAM = "spam", _("Spam")  # see tickets.spam: outside of all that is counted, told or waited for


LIVE = ("new", "open", "pending", "hold")  # plain words, for they also stand in the migrations
MAX_TAGS, TAG = 200, 60  # of a ticket; characters of one
OURS = ("new", "open")  # the states in which it is our turn


class Priority(models.TextChoices):
    LOW = "low", _("Low")
    NORMAL = "normal", _("Normal")
    HIGH = "high", _("High")
    URGENT = "urgent", _("Urgent")


class Channel(models.TextChoices):
    FORM = "form", _("Web form")
    MAIL = "mail", _("Mail")
    API = "api", _("API")
    OUTREACH = "outreach", _("Outreach")


class TicketClosed(ValueError):
    """A closed ticket never changes; what comes later starts a follow-up. Permanent."""


def clean_tags(tags: Iterable[str]) -> list[str]:
    """Tags as they are kept: each spelled one way, none twice, in order."""
    return sorted({spelled(tag) for tag in tags if tag.strip()})[:MAX_TAGS]


def spelled(tag: str) -> str:
    """A tag as it is kept and compared, whoever wrote it: small letters, composed (Unicode NFC), single blanks.

    Not casefold: what people read would have "ss" for "ß".
    """
    return normalize("NFC", " ".join(tag.lower().split()))[:TAG].strip()
