"""What may call us: API tokens, and the answers to calls that may be repeated."""

import hashlib
import secrets

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts.models.people import Team, User
from helpdesk.lib.dates import now


class Scope(models.TextChoices):
    TICKETS_READ = "tickets:read", _("Read tickets")
    TICKETS_WRITE = "tickets:write", _("Open and change tickets")
    CUSTOMERS_READ = "customers:read", _("Read customers")
    CUSTOMERS_WRITE = "customers:write", _("Create and change customers")
    EVENTS_WRITE = "events:write", _("Send events")
    METRICS_READ = "metrics:read", _("Read the metrics of this installation")


class ApiTokenManager(models.Manager["ApiToken"]):
    def issue(self, name: str, scopes: list[str], *, by: User | None = None, **fields: object) -> tuple["ApiToken", str]:
        """Make a token; its text is returned here and kept nowhere (only its SHA-256, it has 256 random bits)."""
        text = ApiToken.PREFIX + secrets.token_urlsafe(32)
        token = self.create(
            name=name,
            scopes=scopes,
            created_by=by,
            digest=ApiToken.digest_of(text),
            hint=text[len(ApiToken.PREFIX) :][:4],
            **fields,
        )
        return token, text

    def live(self) -> models.QuerySet["ApiToken"]:
        """Those that still open something, as `ApiToken.is_live` has it."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=now()), revoked_at=None)

    def find(self, text: str) -> "ApiToken | None":
        """The living token of this text, or None; the look-up is by digest, so timing says nothing about the text."""
        token = self.filter(digest=ApiToken.digest_of(text)).first()
        return token if token and token.is_live else None


class ApiToken(models.Model):
    PREFIX = "twofold_"

    name = models.CharField(max_length=80)
    digest = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=8)
    scopes = ArrayField(models.CharField(max_length=40, choices=Scope.choices))
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.CASCADE)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    objects = ApiTokenManager()

    def __str__(self) -> str:
        return f"{self.name} ({self.PREFIX}{self.hint}…)"

    @property
    def is_live(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now())

    @staticmethod
    def digest_of(text: str) -> str:
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def ref(self) -> str:
        return f"token:{self.pk}"

    @property
    def is_authenticated(self) -> bool:
        """DRF's name for "somebody is there"."""
        return True


class IdempotentCall(models.Model):
    """The answer to an API call that carried an Idempotency-Key, kept so that a repeat gets it again."""

    token = models.ForeignKey(ApiToken, on_delete=models.CASCADE)
    key = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    body = models.JSONField()
    created_at = models.DateTimeField(default=now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["token", "key"], name="idempotency_key_once")]
