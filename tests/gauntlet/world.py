"""One small world with something behind every route, what the routes are, and exact pictures of the database."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO, StringIO
from typing import Any

from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from helpdesk.accounts.models import Absence, ApiToken, Calendar, Reach, Role, Scope, Skill, Team, User
from helpdesk.accounts.notifications import notify
from helpdesk.customers import consent
from helpdesk.customers.models import Address, Company, Customer, Event, EventDelivery, FieldDefinition, Segment, Subscription
from helpdesk.demo.people import PASSWORD
from helpdesk.files.models import Attachment, Blob
from helpdesk.incidents.models import Incident
from helpdesk.knowledge.models import Answer, Topic
from helpdesk.lib.dates import now
from helpdesk.lib.html import sanitize
from helpdesk.mail import webhooks
from helpdesk.mail.models import IncomingMail, Mailbox, Outgoing, State, Webhook, WebhookDelivery
from outreach import campaigns
from outreach.messages import unsubscribe_url
from outreach.models import Campaign
from tests.pictures import drawing
from tickets import replies
from tickets.models import BlockedSender, EscalationPath, Policy, Rule, RuleMeeting, SavedView, Ticket, TicketForm

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


# --- the routes -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Route:
    name: str
    pattern: str
    view: Callable[..., Any] = field(compare=False)

    @property
    def is_api(self) -> bool:
        """Of our API, which knows tokens only; its documentation is a page."""
        return hasattr(self.view, "cls") and not self.view.__module__.startswith("drf_spectacular")

    def methods(self, world: "World") -> set[str]:
        """What it answers: a class says it itself, a function by the Allow of its answer to OPTIONS."""
        view_class = getattr(self.view, "view_class", None) or getattr(self.view, "cls", None)
        if view_class is not None:
            return {m.upper() for m in view_class.http_method_names if hasattr(view_class, m)} - {"OPTIONS"}
        if self.name == "live":  # async and read-only: a stream
            return {"GET"}
        answer = world.browser(world.admin).options(world.url(self.name))
        assert "Allow" in answer, f"{self.name} does not say which methods it takes: {answer.status_code} {answer.headers}"
        return {method.strip() for method in answer["Allow"].split(",")} - {"OPTIONS"}


def routes(resolver: Any = None, prefix: str = "") -> Iterator[Route]:
    """Every route of the installation, from the URLconf itself."""
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLResolver):
            yield from routes(entry, prefix + str(entry.pattern))
        elif isinstance(entry, URLPattern):
            yield Route(entry.name or "", prefix + str(entry.pattern), entry.callback)


CALENDAR = ("calendar", "calendar-regions", "holiday-add", "holidays-country", "holidays-feed")


# --- the world --------------------------------------------------------------------------------------------------------


class World:
    """The demo, and beside it what a demo does not have: what is stuck, held, archived, suppressed, shut out."""

    def __init__(self) -> None:
        call_command("load_demo", stdout=StringIO())
        self.admin, self.manager, self.agent = (User.objects.get(role=r) for r in (Role.ADMIN, Role.MANAGER, Role.AGENT))
        support, billing = (Team.objects.get(slug=slug) for slug in ("support", "billing"))
        self.light = User.objects.create_user("light@nordwind.example", PASSWORD, name="Light", role=Role.LIGHT)
        self.other = User.objects.create_user("other@nordwind.example", PASSWORD, name="Other team", reach=Reach.TEAM)
        self.other.teams.add(billing)
        self.out = User.objects.create_user("out@nordwind.example", None, name="Shut out", is_active=False)
        self.unproved = EmailAddress.objects.create(user=self.agent, email="ana.k@nordwind.example", verified=False)
        begins = now() + timedelta(days=100)
        self.absence = Absence.objects.create(user=self.agent, starts_at=begins, ends_at=begins + timedelta(days=7))
        self.skill = Skill.objects.create(name="Tax", tags=["vat"])
        self.token, self.bearer = ApiToken.objects.issue("All scopes", Scope.values, by=self.admin)
        _token, self.powerless = ApiToken.objects.issue("No scope", [], by=self.admin)

        self.ticket = Ticket.objects.get(outgoing_id__isnull=False)  # answers a message of ours
        self.live_ticket = Ticket.objects.get(requester__external_id="cus_minh")
        self.solved_ticket = Ticket.objects.filter(status="solved").earliest("pk")
        Ticket.objects.update(team=support)
        self.file = Attachment.objects.create(
            blob=Blob.objects.keep(BytesIO(b"a,b\n")), name="export.csv", content_type="text/csv"
        )
        self.picture = Attachment.objects.create(
            blob=Blob.objects.keep(BytesIO(drawing())), name="plan.png", content_type="image/png"
        )
        first = self.ticket.messages.earliest("pk")
        first.attachments.add(self.file, self.picture)
        self.far = first.pk
        first.html = sanitize(f'{first.html or first.text}<img src="http://127.0.0.1/far.png">')
        came = IncomingMail.objects.create(
            mailbox=Mailbox.objects.get(slug="support"),
            raw=b"From: asa@lindqvist.example\r\nContent-Type: text/html\r\n\r\n<p style='color: red'>Hello</p>",
            digest="2" * 64,
            source="smtp",
            state=IncomingMail.State.TICKETED,
        )
        first.incoming_id = came.pk
        first.save(update_fields=["html", "incoming_id"])
        self.reply = replies.reply(self.live_ticket, "On its way.", by=self.admin)
        self.unknown = Outgoing.objects.filter(kind="ticket.reply", state=State.ACCEPTED).latest("pk")
        Outgoing.objects.filter(pk=self.unknown.pk).update(state=State.UNKNOWN, finished_at=None)
        self.held = Outgoing.objects.get(state=State.HELD)
        self.pending = Outgoing.objects.filter(state=State.PENDING).exclude(pk=self.reply.outgoing_id).latest("pk")
        self.sent = Outgoing.objects.filter(campaign_id__isnull=False, state=State.ACCEPTED).latest("pk")

        self.customer = Customer.objects.get(external_id="cus_asa")
        self.address = Address.objects.get(customer=self.customer)
        self.blocked = Address.objects.get(customer__external_id="cus_tomasz")
        consent.suppress(self.blocked.canonical, "manual", "page", actor=self.admin)
        self.company = Company.objects.earliest("pk")
        self.running = Campaign.objects.get(name="Card expires soon")
        self.paused = Campaign.objects.get(name="First steps")
        campaigns.pause(self.paused, by=self.manager)
        version = campaigns.draft_of(self.paused, by=self.manager)  # a draft that could be launched beside the live one
        self.draft = self.paused
        assert not campaigns.problems(version)
        self.spare_team = Team.objects.create(slug="spare", name="Spare")
        self.former_team = Team.objects.create(slug="former", name="Former", archived_at=now())
        self.spare_field = FieldDefinition.objects.create(subject="ticket", key="spare", label="Spare", type="text")
        self.former_field = FieldDefinition.objects.create(
            subject="ticket", key="former", label="Former", type="text", archived_at=now()
        )
        self.topic, self.answer = Topic.objects.get(slug="billing"), Answer.objects.earliest("pk")
        self.spare_topic = Topic.objects.create(slug="spare", name="Spare")
        self.archived_topic = Topic.objects.create(slug="former", name="Former", archived_at=now())
        self.archived = Answer.objects.latest("pk")
        self.archived.archive(by=self.admin)
        self.mailbox = Mailbox.objects.get(slug="support")
        self.subscription, self.segment = Subscription.objects.get(slug="tips"), Segment.objects.get()
        self.field = FieldDefinition.objects.get(key="seats")
        self.quarantined = IncomingMail.objects.create(
            mailbox=self.mailbox,
            raw=b"From: ben@carter.example\r\n\r\nHello",
            digest="0" * 64,
            source="smtp",
            state=IncomingMail.State.QUARANTINED,
            reason="It could not be placed.",
        )
        self.ignored = IncomingMail.objects.create(
            mailbox=self.mailbox,
            raw=b"From: ben@carter.example\r\nPrecedence: junk\r\nSubject: Where is it?\r\n\r\nHello",
            digest="1" * 64,
            source="imap",
            state=IncomingMail.State.IGNORED,
            reason="An automatic answer: Precedence: junk",
        )
        self.view = SavedView.objects.create(name="Hot", conditions={"field": "priority", "op": "is", "value": "urgent"})
        SavedView.objects.create(name="Cold", place=1)
        self.removed_view = SavedView.objects.create(name="Old", removed_at=now())
        self.shut = BlockedSender.objects.create(name="@evil.example", by=self.agent)
        self.calendar, self.policy = Calendar.objects.get(), Policy.objects.earliest("position")
        self.spare_policy = Policy.objects.create(name="Spare", position=8, is_on=False)
        self.former_policy = Policy.objects.create(name="Former", position=9, is_on=False, archived_at=now())
        self.former_rule = Rule.objects.create(kind="time", name="Former", removed_at=now())
        self.spare_calendar = Calendar.objects.create(name="Spare", zone="UTC", week=[[[540, 1020]]] * 7)
        self.holiday = self.calendar.holidays.filter(day__gte=f"{now():%Y}-01-01").earliest("day")
        event = Event.objects.filter(kind="ticket.opened").earliest("pk")
        self.failing = EventDelivery.objects.create(
            event_id=event.pk, subscriber="outreach.triggers.on_events", attempts=14, next_at=None, last_error="ValueError: no"
        )

        self.incident, self.past_incident = Incident.objects.open().get(), Incident.objects.get(resolved_at__isnull=False)
        self.rule, self.second_rule = Rule.objects.filter(kind="create").order_by("position")[:2]
        RuleMeeting.objects.filter(pk=RuleMeeting.objects.latest("pk").pk).update(state="failed", stopped="TypeError: no")
        self.form = TicketForm.objects.create(name="Returns", slug="returns")
        self.path = EscalationPath.objects.get()
        self.spare_path = EscalationPath.objects.create(name="Spare")
        self.former_path = EscalationPath.objects.create(name="Former", archived_at=now(), is_enabled=False)
        self.webhook = Webhook.objects.get()
        self.untold = webhooks.plan(self.webhook, "ticket.escalated", {}, key="test")
        WebhookDelivery.objects.update(state="failed", error="It answered 500.", attempts=10)
        notify([self.admin], "Look here", f"/tickets/{self.ticket.number}/")
        self.admin.refresh_from_db()

        self.sessions: dict[int, str] = {}
        for person in (self.admin, self.manager, self.agent, self.light, self.other):
            client = Client()
            client.force_login(person, backend=BACKEND)
            self.sessions[person.pk] = client.cookies[settings.SESSION_COOKIE_NAME].value

    def browser(self, who: User | None = None, **options: Any) -> Client:
        """Somebody's browser, signed in since the world began; or a stranger's."""
        client = Client(**options)
        if who:
            client.cookies[settings.SESSION_COOKIE_NAME] = self.sessions[who.pk]
        return client

    def url(self, name: str, query: str = "", **other: Any) -> str:
        return reverse(name, kwargs=self.arguments(name) | other) + ("?name=inbox" if name == "live" else query)

    def arguments(self, name: str) -> dict[str, Any]:
        """What a route's address needs, with a row behind it. A route that is missing here fails every test."""
        letter = unsubscribe_url(self.sent).rsplit("/", 1)[1]
        known: dict[str, dict[str, Any]] = {
            "account_confirm_email": {"key": EmailConfirmationHMAC(self.unproved).key},
            "account_reset_password_from_key": {"uidb36": "1", "key": "set-password"},
            "person": {"pk": self.agent.pk},
            "person-shut-out": {"pk": self.agent.pk},
            "person-let-in": {"pk": self.out.pk},
            "person-invite": {"pk": self.agent.pk},
            "who-team": {"pk": Team.objects.get(slug="billing").pk},
            "who-person": {"pk": self.agent.pk},
            "presence": {"pk": self.agent.pk},
            "hand-back": {"pk": self.agent.pk},
            "absence-remove": {"pk": self.agent.pk, "absence": self.absence.pk},
            "skill": {"pk": self.skill.pk},
            "skill-remove": {"pk": self.skill.pk},
            "team-remove": {"pk": self.spare_team.pk},
            "team-restore": {"pk": self.former_team.pk},
            "field-remove": {"pk": self.spare_field.pk},
            "field-restore": {"pk": self.former_field.pk},
            "escalation-path-remove": {"pk": self.spare_path.pk},
            "escalation-path-restore": {"pk": self.former_path.pk},
            "policy-remove": {"pk": self.spare_policy.pk},
            "policy-restore": {"pk": self.former_policy.pk},
            "team": {"pk": Team.objects.get(slug="billing").pk},
            "token-revoke": {"pk": self.token.pk},
            **{key: {"pk": self.calendar.pk} for key in CALENDAR},
            "calendar-remove": {"pk": self.spare_calendar.pk},
            "holidays-remove": {"pk": self.calendar.sources.get().pk},
            "holiday": {"pk": self.holiday.pk},
            **{key: {"pk": self.policy.pk} for key in ("policy", "policy-move", "policy-switch")},
            "address-suppress": {"pk": self.customer.pk, "address": self.address.pk},
            "address-lift": {"pk": self.blocked.customer_id, "address": self.blocked.pk},
            "subscription": {"pk": self.subscription.pk},
            "field": {"pk": self.field.pk},
            "segment": {"pk": self.segment.pk},
            **{key: {"pk": self.company.pk} for key in ("company", "company-edit")},
            "answer": {"pk": self.answer.pk},
            "answer-edit": {"pk": self.answer.pk},
            "answer-archive": {"pk": self.answer.pk},
            "answer-restore": {"pk": self.archived.pk},
            "incident": {"pk": self.incident.pk},
            "incident-resolve": {"pk": self.incident.pk},
            "incident-reopen": {"pk": self.past_incident.pk},
            "topic": {"pk": self.topic.pk},
            "topic-archive": {"pk": self.spare_topic.pk},
            "topic-restore": {"pk": self.archived_topic.pk},
            "suggestions-trust": {"pk": self.topic.pk},
            "mailbox": {"pk": self.mailbox.pk},
            "outgoing": {"pk": self.unknown.pk},
            "outgoing-body": {"pk": self.unknown.pk},
            "mail-source": {"pk": self.quarantined.pk},
            "mail-switch": {"turn": "off"},
            "mail-hook": {"provider": "mailgun", "part": "inbound"},
            "outgoing-decide": {"pk": self.unknown.pk, "verb": "arrived"},
            "campaign-launch": {"pk": self.draft.pk},
            "campaign-resume": {"pk": self.paused.pk},
            "inbox-view": {"slug": "open"},
            "ticket-unsend": {"number": self.live_ticket.number, "message": self.reply.pk},
            "ticket-resend": {
                "number": Ticket.objects.get(pk=self.unknown.ticket_id).number,
                "message": self.unknown.message_id,
            },
            "ticket-file": {"pk": self.file.pk},
            "ticket-file-look": {"pk": self.file.pk},
            "ticket-picture": {"pk": self.picture.pk, "size": "small"},
            "ticket-letter": {"message": self.far},
            "ticket-letter-frame": {"message": self.far},
            "ticket-source": {"message": self.far},
            "ticket-far-picture": {"message": self.far, "number": 0},
            "view": {"pk": self.view.pk},
            "view-remove": {"pk": self.view.pk},
            "view-restore": {"pk": self.removed_view.pk},
            "view-place": {"pk": self.view.pk},
            "view-in-rail": {"slug": "solved"},
            "unblock": {"pk": self.shut.pk},
            "form": {"pk": self.form.pk},
            "form-preview": {"pk": self.form.pk},
            "submit-form": {"slug": self.form.slug},
            "rule": {"pk": self.rule.pk},
            "rule-met": {"pk": self.rule.pk},
            "rule-switch": {"pk": self.rule.pk},
            "rule-move": {"pk": self.rule.pk},
            "rule-remove": {"pk": self.rule.pk},
            "rule-restore": {"pk": self.former_rule.pk},
            "escalation-path": {"pk": self.path.pk},
            "webhook": {"pk": self.webhook.pk},
            "webhook-rotate": {"pk": self.webhook.pk},
            "webhook-retry": {"pk": self.untold.pk},
        }
        if name in known:
            return known[name]
        if name in ("unsubscribe", "unsubscribe-undo", "subscriptions"):
            return {"token": letter}
        if name in ("api-ticket", "api-ticket-messages") or name.startswith("ticket"):
            return {"number": self.ticket.number}
        if name in ("api-customer", "api-consents", "customer", "customer-edit", "customer-mail") or name.startswith(
            "customer-con"
        ):
            return {"pk": self.customer.pk}
        if (name.startswith("campaign-") and name != "campaign-new") or name == "campaign":
            return {"pk": self.running.pk}
        return {}


# --- pictures of the database -----------------------------------------------------------------------------------------

Picture = dict[str, Counter[str]]
PASSING = re.compile(  # moments, how long something took, the second of a signature, random names
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*(?:[+-]\d\d(?::?\d\d)?|Z)?"
    r'|(?<="waited": )\d+|(?<="seconds": )\d+|(?<=:)\w{6}(?=:)|[\w=+/-]{20,}'
)
RANDOM = ["hint"]  # the first letters of a token's text
UNSEEN = {"django_session", "django_migrations"}


def picture() -> Picture:
    """Every row of every table."""
    with connection.cursor() as cursor:
        tables = [name for name in connection.introspection.table_names(cursor) if name not in UNSEEN]
        rows = " UNION ALL ".join(f"SELECT '{t}', (to_jsonb(t) - %s::text[])::text FROM \"{t}\" t" for t in tables)
        cursor.execute(rows, [RANDOM] * len(tables))
        shown: Picture = {table: Counter() for table in tables}
        for table, row in cursor:
            shown[table][row] += 1
    return shown


def blotted(seen: Picture) -> Picture:
    """The same without moments and random names: what two runs of the same must have in common."""
    return {table: Counter(PASSING.sub("~", row) for row in rows.elements()) for table, rows in seen.items()}


def apart(one: Picture, other: Picture) -> tuple[Picture, Picture]:
    """What only the one shows, and what only the other: all that a difference is made of, and little."""
    return {table: one[table] - other[table] for table in one}, {table: other[table] - one[table] for table in one}


def difference(before: Picture, after: Picture) -> dict[str, list[str]]:
    """What came (+) and went (-) by table; a row that changed is both."""
    found = {}
    for table in after:
        came, went = after[table] - before[table], before[table] - after[table]
        if came or went:
            found[table] = sorted([*(f"+{row}" for row in came.elements()), *(f"-{row}" for row in went.elements())])
    return found


@contextmanager
def undone(*, numbers: bool = False) -> Iterator[None]:
    """Whatever happens inside leaves nothing; with ``numbers`` the next time has the same ones, for sequences begin again."""
    if not numbers:
        with transaction.atomic():
            yield
            transaction.set_rollback(True)
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(sequencename), last_value FROM pg_sequences WHERE schemaname = 'public'")
        numbers = cursor.fetchall()
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setval(name, coalesce(last, 1), last IS NOT NULL) FROM unnest(%s::regclass[], %s::bigint[]) AS s(name, last)",
            [[name for name, _last in numbers], [last for _name, last in numbers]],
        )
