"""People who work here: users with a role, teams and skills."""

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts.models.archive import Archivable
from helpdesk.accounts.models.calendars import Calendar
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


class Mode(models.TextChoices):
    """How a team's tickets find their people."""

    MANUAL = "manual", _("By hand: people choose for themselves")
    ROUND_ROBIN = "round_robin", _("Round robin: each in turn")
    LEAST_LOADED = "least_loaded", _("Least loaded: whoever has the fewest open tickets")


class Team(Archivable):
    """Archived, its old tickets stay in it and its members may read them; nothing new comes to it."""

    name = models.CharField(max_length=80, unique=True)
    slug = models.SlugField(max_length=80, unique=True)
    # when it works; none: the workspace's calendar
    calendar = models.ForeignKey(Calendar, null=True, blank=True, on_delete=models.PROTECT, related_name="teams")
    mode = models.CharField(max_length=12, choices=Mode.choices, default=Mode.MANUAL)
    # how many open tickets of this team each member is given; none: their own capacity alone counts
    cap = models.PositiveSmallIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    # how many urgent tickets in a row a member is given before the next goes to somebody else; none: any number
    urgent_streak = models.PositiveSmallIntegerField(null=True, blank=True, default=3, validators=[MinValueValidator(1)])

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def ref(self) -> str:
        return f"team:{self.pk}"

    @property
    def hands_out(self) -> bool:
        """Whether its tickets are given to people by the desk."""
        return self.mode != Mode.MANUAL


class Skill(models.Model):
    """What some people can do and some tickets need: those in these languages, with one of these tags, or on these topics."""

    name = models.CharField(max_length=80, unique=True)
    languages = ArrayField(models.CharField(max_length=10), default=list, blank=True)
    tags = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    topics = ArrayField(models.BigIntegerField(), default=list, blank=True)  # plain ids of knowledge's topics, which lies above

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def ref(self) -> str:
        return f"skill:{self.pk}"


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
    # when they work; none: when their teams do
    calendar = models.ForeignKey(Calendar, null=True, blank=True, on_delete=models.PROTECT, related_name="users")
    hidden_views = ArrayField(models.CharField(max_length=40), default=list, blank=True)  # what they do not want in their rail
    away_since = models.DateTimeField(null=True)  # they said so, until they say otherwise; invited, until they sign in
    # how many open tickets they are given; none: as many as there are
    capacity = models.PositiveSmallIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    skills = models.ManyToManyField(Skill, related_name="people", blank=True)
    is_active = models.BooleanField(default=True)
    unread = models.PositiveIntegerField(default=0)  # notifications not read yet
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


class Absence(models.Model):
    """Out of office: from the beginning of their first day away to the end of the last, as instants."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="absences", db_index=False)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    note = models.CharField(max_length=120, blank=True)

    class Meta:
        ordering = ["starts_at"]
        constraints = [
            models.CheckConstraint(condition=models.Q(ends_at__gt=models.F("starts_at")), name="absence_ends_later"),
            models.UniqueConstraint(fields=["user", "starts_at", "ends_at"], name="absence_once"),
        ]
        indexes = [models.Index(fields=["user", "ends_at"], name="absence_of_user")]
