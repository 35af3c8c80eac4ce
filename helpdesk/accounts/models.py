"""People who work here: users with a role and teams, their API tokens, and the audit log of access and configuration."""

import hashlib
import secrets

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from helpdesk.lib.dates import now


class Role(models.TextChoices):
    ADMIN = "admin", _("Admin")
    MANAGER = "manager", _("Manager")
    AGENT = "agent", _("Agent")
    LIGHT = "light", _("Light agent")


class Reach(models.TextChoices):
    """Which tickets a person may read."""

    ALL = "all", _("All tickets")
    TEAM = "team", _("Tickets of own teams")
    ASSIGNED = "assigned", _("Own tickets only")


class Team(models.Model):
    name = models.CharField(max_length=80, unique=True)
    slug = models.SlugField(max_length=80, unique=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: object) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def active(self) -> models.QuerySet["User"]:
        return self.filter(is_active=True)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)


class User(AbstractBaseUser):
    email = models.EmailField(max_length=254)
    name = models.CharField(max_length=120)
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.AGENT)
    reach = models.CharField(max_length=10, choices=Reach.choices, default=Reach.ALL)
    teams = models.ManyToManyField(Team, related_name="members", blank=True)
    language = models.CharField(max_length=10, blank=True)
    zone = models.CharField(max_length=64, blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=now)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["name"]
    objects = UserManager()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_once")]

    def __str__(self) -> str:
        return self.name or self.email

    def has_role(self, *roles: str) -> bool:
        return self.is_active and self.role in roles

    @property
    def ref(self) -> str:
        """How events and the audit log name this person."""
        return f"user:{self.pk}"


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


class AuditEntry(models.Model):
    """What happened to configuration and access; the database refuses to change or delete a row."""

    at = models.DateTimeField(default=now)
    actor = models.CharField(max_length=80)
    action = models.CharField(max_length=80)
    subject = models.CharField(max_length=120)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    address = models.GenericIPAddressField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["subject", "-id"], name="audit_by_subject")]


def audit(
    action: str, *, actor: str, subject: str, before: object = None, after: object = None, address: str | None = None
) -> AuditEntry:
    """Record a change of configuration or access; call it in the change's own transaction."""
    return AuditEntry.objects.create(action=action, actor=actor, subject=subject, before=before, after=after, address=address)
