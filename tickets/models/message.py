"""What was said on a ticket, who else reads along, and what each person here has read and begun to write."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import Q
from django.db.models.functions import Left
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts.models import User
from helpdesk.customers.models import Customer
from helpdesk.files.models import Attachment
from helpdesk.lib.dates import now
from tickets.models.ticket import Ticket

SEARCHED = 50_000  # characters: a tsvector holds 1 MB, and a hostile text must not break the insert


def words() -> SearchVector:
    """The indexed words of a message; a search must use this very expression to meet the index."""
    return SearchVector(Left("text", SEARCHED), config="simple")


class Message(models.Model):
    class Kind(models.TextChoices):
        CUSTOMER = "customer", _("Message")
        REPLY = "reply", _("Reply")
        NOTE = "note", _("Note, team only")
        FORWARD = "forward", _("Forward")
        AUTOMATIC = "automatic", _("Automatic")

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="messages", db_index=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    user = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    customer = models.ForeignKey(Customer, null=True, on_delete=models.SET_NULL, related_name="+")
    name = models.CharField(max_length=200, blank=True)  # as the author was called then; an API's own words for itself
    address = models.CharField(max_length=320, blank=True)  # where a customer's message came from
    stranger = models.BooleanField(default=False)  # the author is not on this ticket
    verified = models.BooleanField(null=True)  # it is from whom it says, by mail.authentication; null: nobody can tell
    text = models.TextField()  # the new part
    html = models.TextField(blank=True)  # the same, through lib.html.sanitize
    quote = models.TextField(blank=True)  # what was quoted below it, folded
    reason = models.CharField(max_length=200, blank=True)  # why we take it for automatic
    to = models.CharField(max_length=320, blank=True)
    cc = ArrayField(models.CharField(max_length=320), default=list, blank=True)
    bcc = ArrayField(models.CharField(max_length=320), null=True, blank=True)  # of a reply; people here alone see it
    forwards = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    rfc_id = models.CharField(max_length=998, blank=True)  # their Message-ID; that of a reply is on its ledger row
    references = ArrayField(models.CharField(max_length=998), default=list, blank=True)
    incoming_id = models.BigIntegerField(null=True, unique=True)  # mail.IncomingMail: processed twice is one message
    outgoing_id = models.BigIntegerField(null=True, unique=True)  # mail.Outgoing: how a reply is delivered
    once = models.CharField(max_length=120, null=True, unique=True)  # of the form it was sent with: two clicks are one
    before = models.JSONField(null=True)  # of a reply: what the ticket was, so that taking it back is exact
    attachments = models.ManyToManyField(Attachment, blank=True, related_name="messages")
    at = models.DateTimeField(default=now)

    class Meta:
        indexes = [
            models.Index(fields=["ticket", "id"], name="message_of_ticket"),
            models.Index(fields=["rfc_id"], name="message_rfc_id", condition=~Q(rfc_id="")),
            models.Index(fields=["forwards"], name="message_forwards", condition=Q(forwards__isnull=False)),
            GinIndex(words(), name="message_words"),
        ]

    def __str__(self) -> str:
        return self.text[:80]

    @property
    def is_ours(self) -> bool:
        return self.kind in (self.Kind.REPLY, self.Kind.NOTE, self.Kind.FORWARD)

    @property
    def leaves(self) -> bool:
        """It goes out as mail: its recipients and what became of it are shown below it."""
        return self.kind in (self.Kind.REPLY, self.Kind.FORWARD)

    @property
    def is_doubtful(self) -> bool:
        """Our mail server could not confirm its sender: it is heard, and gives nobody any right."""
        return self.verified is False

    @property
    def is_empty(self) -> bool:
        """Nothing was written: an empty mail, one whose content is only a file or encrypted."""
        return not self.is_ours and not self.text.strip() and not (self.html or self.quote).strip()

    @property
    def author(self) -> str:
        return self.name or str(self.user or self.customer or self.address)

    @property
    def quoted_lines(self) -> int:
        return sum(1 for line in self.quote.splitlines() if line.strip())


class Participant(models.Model):
    """Somebody beside the requester who gets our replies."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="participants")
    canonical = models.CharField(max_length=320)
    address = models.CharField(max_length=320)
    name = models.CharField(max_length=200, blank=True)
    added_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["ticket", "canonical"], name="participant_once")]

    def __str__(self) -> str:
        return self.name or self.address


class Draft(models.Model):
    """What a person has begun to write on a ticket, saved as they type."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="drafts")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    KINDS = [("reply", _("Reply")), ("note", _("Note")), ("forward", _("Forward"))]
    kind = models.CharField(max_length=10, default="reply", choices=KINDS)
    text = models.TextField(blank=True)
    cc = models.TextField(blank=True)
    bcc = models.TextField(blank=True, default="", db_default="")
    to = models.TextField(blank=True, default="", db_default="")  # of a forward
    forwards = models.ForeignKey(Message, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    saved_at = models.DateTimeField(default=now)
    attachments = models.ManyToManyField(Attachment, blank=True, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["ticket", "user"], name="draft_once")]


class ReadMark(models.Model):
    """How far a person has read a ticket."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="+", db_index=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    message_id = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["ticket", "user"], name="read_mark_once")]
