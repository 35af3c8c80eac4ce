"""Mailboxes, every mail that came, and the one ledger of everything that leaves."""

from django.db import models
from django.db.models import Q
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts.models import Team
from helpdesk.accounts.vault import SealedField
from helpdesk.customers.models import Address, Customer, Subscription
from helpdesk.files.models import Attachment
from helpdesk.lib import signing
from helpdesk.lib.dates import now


class Mailbox(models.Model):
    """An address of ours: what arrives there, and what is sent in its name."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120, help_text=_("Shown to customers as the sender"))
    address = models.EmailField(max_length=254, unique=True)
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.SET_NULL)
    is_default = models.BooleanField(default=False)
    signature = models.TextField(blank=True)
    imap_host = models.CharField(max_length=200, blank=True)
    imap_port = models.PositiveIntegerField(default=993)
    imap_tls = models.BooleanField(default=True)
    imap_user = models.CharField(max_length=200, blank=True)
    imap_secret = SealedField(blank=True, default=b"")  # the password or, with a provider, the refresh token
    imap_folder = models.CharField(max_length=120, default="INBOX")
    provider = models.CharField(max_length=20, blank=True)  # a key of settings.MAIL_SIGN_IN; empty: by password
    signed_in_at = models.DateTimeField(null=True)  # when an admin last signed in at the provider
    access_secret = SealedField(blank=True, default=b"")  # the provider's access token, see mail.oauth
    access_until = models.DateTimeField(null=True)
    uidvalidity = models.BigIntegerField(null=True)
    last_uid = models.BigIntegerField(default=0)
    past_uid = models.BigIntegerField(default=0)  # up to this number is the mailbox's past, of which not all is fetched
    past_since = models.DateField(null=True)  # of the past: what is unread, and what came since this day
    stumbled_uid = models.BigIntegerField(null=True)  # the mail at which the connection broke off last
    stumbles = models.PositiveSmallIntegerField(default=0)  # and how often it did there
    fetched_at = models.DateTimeField(null=True)  # the last sign of somebody who looks, whatever came of it
    worked_at = models.DateTimeField(null=True)  # the last look that found nothing wrong
    last_error = models.TextField(blank=True)
    created_at = models.DateTimeField(default=now)

    PLACE = ["uidvalidity", "last_uid", "past_uid", "past_since", "last_error"]  # how far we are in it

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["is_default"], condition=Q(is_default=True), name="mailbox_default")]

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>"

    def begin_anew(self) -> None:
        """It is another mailbox at the server: its numbers mean nothing yet. The caller saves."""
        self.uidvalidity, self.last_uid, self.past_uid, self.past_since, self.last_error = None, 0, 0, None, ""


class IncomingMail(models.Model):
    """A mail we accepted, byte for byte. It ends as exactly one of ticketed, ignored or quarantined."""

    class State(models.TextChoices):
        ACCEPTED = "accepted", _("In flight")
        TICKETED = "ticketed", _("Ticketed")
        IGNORED = "ignored", _("Ignored")
        QUARANTINED = "quarantined", _("Quarantined")

    mailbox = models.ForeignKey(Mailbox, on_delete=models.PROTECT)
    raw = models.BinaryField()
    digest = models.CharField(max_length=64)  # SHA-256 without the trace headers, so a second delivery is known
    source = models.CharField(max_length=12)  # smtp, pipe, imap
    envelope_from = models.CharField(max_length=320, blank=True)
    envelope_to = models.CharField(max_length=320, blank=True)
    uidvalidity = models.BigIntegerField(null=True)
    uid = models.BigIntegerField(null=True)
    message_id = models.CharField(max_length=998, blank=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.ACCEPTED)
    reason = models.CharField(max_length=300, blank=True)
    by_hand = models.BooleanField(default=False)  # somebody looked and says that a person wrote it
    ticket_id = models.BigIntegerField(null=True)
    ticket_message_id = models.BigIntegerField(null=True)
    outgoing_id = models.BigIntegerField(null=True)  # the message of ours that it answers or reports on
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(default=now)
    lease_until = models.DateTimeField(null=True)
    owner = models.CharField(max_length=60, blank=True)
    received_at = models.DateTimeField(default=now)
    processed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["mailbox", "digest"], name="incoming_once"),
            models.UniqueConstraint(
                fields=["mailbox", "uidvalidity", "uid"], name="incoming_uid_once", condition=Q(uid__isnull=False)
            ),
        ]
        indexes = [
            models.Index(fields=["next_at", "id"], name="incoming_due", condition=Q(state="accepted")),
            models.Index(fields=["mailbox", "state"], name="incoming_sums"),
            models.Index(fields=["-id"], name="incoming_quarantine", condition=Q(state="quarantined")),
            models.Index(fields=["-id"], name="incoming_ignored", condition=Q(state="ignored")),
            models.Index(fields=["message_id", "mailbox"], name="incoming_threading", condition=~Q(message_id="")),
        ]


class Class(models.TextChoices):
    """Which guards a message meets: see the table in outreach.guards and on /outreach/guards/."""

    REPLY = "reply", _("Reply")
    TRANSACTIONAL = "transactional", _("Transactional")
    INCIDENT = "incident", _("Incident")
    LIFECYCLE = "lifecycle", _("Lifecycle")
    PROMOTIONAL = "promotional", _("Promotional")


class Lane(models.TextChoices):
    """Who sends it: replies never stand in the queue of a campaign."""

    REPLIES = "replies", _("Replies")
    CAMPAIGNS = "campaigns", _("Campaigns")


class State(models.TextChoices):
    PENDING = "pending", _("Planned")
    HELD = "held", _("Held")
    WITHHELD = "withheld", _("Not sent")
    CANCELLED = "cancelled", _("Cancelled")
    QUEUED = "queued", _("About to go")
    CLAIMED = "claimed", _("Being sent")
    SENDING = "sending", _("Being handed over")
    RETRY_WAIT = "retry_wait", _("Trying again")
    ACCEPTED = "accepted", _("Sent")
    DELIVERED = "delivered", _("Delivered")
    BOUNCED = "bounced", _("Bounced")
    COMPLAINED = "complained", _("Complained")
    FAILED = "failed", _("Failed")
    UNKNOWN = "unknown", _("Unknown")


# Not handed over yet: what comes next for a customer, and what may still be cancelled or held.
WAITING = (State.PENDING, State.HELD, State.QUEUED, State.RETRY_WAIT)
# Handed over, perhaps: counts against a cap.
GONE = (State.SENDING, State.ACCEPTED, State.DELIVERED, State.BOUNCED, State.COMPLAINED, State.UNKNOWN)


class OutgoingQuerySet(models.QuerySet["Outgoing"]):
    def waiting(self) -> "OutgoingQuerySet":
        return self.filter(state__in=WAITING)

    def gone(self) -> "OutgoingQuerySet":
        return self.filter(state__in=GONE)


class Outgoing(models.Model):
    """One message to one customer: delivery, outbox and ledger in one row. Its life is in ``outbox``."""

    key = models.CharField(max_length=120, unique=True)  # says what it is for; planning it twice makes one
    kind = models.CharField(max_length=40)  # a key of settings.OUTBOX
    klass = models.CharField(max_length=14, choices=Class.choices)
    lane = models.CharField(max_length=10, choices=Lane.choices)
    channel = models.CharField(max_length=20, default="email")
    customer = models.ForeignKey(Customer, null=True, on_delete=models.SET_NULL, related_name="outgoing", db_index=False)
    address = models.ForeignKey(Address, null=True, on_delete=models.SET_NULL, related_name="outgoing")
    to = models.CharField(max_length=320)  # the address as written when it was planned
    cc = models.JSONField(default=list)
    bcc = models.JSONField(null=True)  # recipients that no header names; shown to people here alone
    only = models.JSONField(null=True)  # of its recipients, those who still want it; null: all of them
    missed = models.JSONField(null=True)  # of one that left, who has it not: {address: the words of who refused}
    copy_of = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="copies", db_index=False)
    # No index for the next two: nobody looks for messages by them, and each message would write into it four times.
    mailbox = models.ForeignKey(Mailbox, null=True, on_delete=models.PROTECT, db_index=False)
    subscription = models.ForeignKey(Subscription, null=True, on_delete=models.PROTECT, db_index=False)
    title = models.CharField(max_length=200, blank=True)  # what a person calls it: "Card expires soon, 1 of 2"

    topic_id = models.BigIntegerField(null=True)
    ticket_id = models.BigIntegerField(null=True)
    message_id = models.BigIntegerField(null=True)  # the ticket's message
    campaign_id = models.BigIntegerField(null=True)
    version_id = models.BigIntegerField(null=True)
    enrolment_id = models.BigIntegerField(null=True)
    step = models.CharField(max_length=40, blank=True)
    variant = models.CharField(max_length=40, blank=True)
    arm = models.CharField(max_length=10, blank=True)
    variables = models.JSONField(default=dict)  # with the version it renders the same text again, for ever
    rendered = models.JSONField(null=True)  # {subject, text, html} as handed over

    due_at = models.DateTimeField()
    too_late_at = models.DateTimeField(null=True)  # after this it is not worth sending
    state = models.CharField(max_length=12, choices=State.choices, default=State.PENDING)
    reason = models.CharField(max_length=300, blank=True)
    hold_until = models.DateTimeField(null=True)
    hold_for = models.CharField(max_length=120, blank=True)  # what releases it: "customer:42:ticket.solved", "person"
    hold_limit = models.DateTimeField(null=True)  # longest wait; then it is withheld
    released_by = models.CharField(max_length=80, blank=True)  # a person who overruled the soft holds
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(null=True)
    owner = models.CharField(max_length=60, blank=True)
    lease_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=now)
    sent_at = models.DateTimeField(null=True)  # the stamp
    finished_at = models.DateTimeField(null=True)
    rfc_id = models.CharField(max_length=255, blank=True)

    attachments = models.ManyToManyField(Attachment, blank=True)
    objects = OutgoingQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["lane", "due_at", "id"], name="outgoing_due", condition=Q(state="pending")),
            models.Index(fields=["lane", "due_at", "id"], name="outgoing_queued", condition=Q(state="queued")),
            models.Index(fields=["lane", "next_at"], name="outgoing_retry", condition=Q(state="retry_wait")),
            models.Index(fields=["lane", "hold_until"], name="outgoing_held", condition=Q(state="held")),
            models.Index(fields=["lane", "hold_limit"], name="outgoing_held_limit", condition=Q(state="held")),
            models.Index(fields=["hold_for", "lane"], name="outgoing_held_for", condition=Q(state="held")),
            models.Index(fields=["lease_until"], name="outgoing_leased", condition=Q(state__in=("claimed", "sending"))),
            models.Index(fields=["-id"], name="outgoing_unknown", condition=Q(state="unknown")),
            models.Index(fields=["customer", "-due_at", "-id"], name="outgoing_ledger"),
            models.Index(fields=["ticket_id", "id"], name="outgoing_ticket", condition=Q(ticket_id__isnull=False)),
            models.Index(fields=["campaign_id", "state"], name="outgoing_campaign", condition=Q(campaign_id__isnull=False)),
            models.Index(fields=["enrolment_id"], name="outgoing_enrolment", condition=Q(enrolment_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.title or f"{self.kind} {self.pk}"

    @cached_property
    def token(self) -> str:
        """The signed id in this message's links, reply address and return path."""
        return signing.token("outgoing", self.pk)


class Attempt(models.Model):
    """One hand-over. Written, and committed, before the first byte leaves."""

    class Outcome(models.TextChoices):
        STARTED = "started", _("Handed over, no answer yet")
        ACCEPTED = "accepted", _("Accepted")
        RETRY = "retry", _("Refused for now")
        FAILED = "failed", _("Refused for good")
        UNKNOWN = "unknown", _("No answer")

    outgoing = models.ForeignKey(Outgoing, on_delete=models.CASCADE, related_name="tries", db_index=False)
    number = models.PositiveSmallIntegerField()
    owner = models.CharField(max_length=60)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, default=Outcome.STARTED)
    code = models.PositiveSmallIntegerField(null=True)
    answer = models.CharField(max_length=500, blank=True)
    started_at = models.DateTimeField(default=now)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["outgoing", "number"], name="attempt_once")]


class MailSwitch(models.Model):
    """The kill switches: the workspace's, and one per lane. A row that exists stops it."""

    name = models.CharField(max_length=40, unique=True)  # "all", "campaigns", "replies"
    reason = models.CharField(max_length=300)
    by = models.CharField(max_length=80)
    at = models.DateTimeField(default=now)
