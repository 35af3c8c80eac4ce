"""How the demo's desk is set up: what it promises, what it does by itself, and what is broken."""

from datetime import date, datetime, timedelta

from django.conf import settings

from helpdesk.accounts import calendars
from helpdesk.accounts.models import Calendar, HolidaySource, Mode, Team, User
from helpdesk.accounts.vault import seal
from helpdesk.customers import timeline
from helpdesk.incidents.models import Incident
from helpdesk.knowledge.models import Topic
from helpdesk.lib import dates
from helpdesk.mail.models import Webhook
from helpdesk.mail.models.webhooks import new_secret
from tickets.models import EscalationPath, EscalationStep, Policy, Question, Rule, TicketForm
from tickets.rules import keeping
from tickets.rules.keeping import Wording


def promises(staff: dict[str, User]) -> None:
    """Office hours with a lunch break and Berlin's holidays; what is urgent is looked at around the clock."""
    day = [[8 * 60, 12 * 60 + 30], [13 * 60, 18 * 60]]
    week = [*[day] * 4, [[8 * 60, 16 * 60]], [], []]
    office = Calendar.objects.create(name="Office Berlin", zone="Europe/Berlin", week=week, is_default=True)
    year = calendars.today(office).year
    berlin = HolidaySource(calendar=office, country="DE", subdivision="BE", first_year=year)
    calendars.add_source(berlin, by=staff["omar"])
    for number, name in ((24, "Christmas Eve"), (31, "New Year’s Eve")):
        calendars.add_day(office, date(year, 12, number), name, hours=[[8 * 60, 13 * 60]], by=staff["omar"])
    quick = {"hours": "calendar", "first_reply": 30, "next_reply": 60, "resolution": 8 * 60}
    usual = {"hours": "business", "first_reply": 4 * 60, "next_reply": 6 * 60, "resolution": 24 * 60}
    everybody = {"urgent": quick, **dict.fromkeys(("high", "normal", "low"), usual)}
    trial = {"hours": "business", "first_reply": 2 * 60, "next_reply": 4 * 60, "resolution": None}
    Policy.objects.create(
        name="Signing in",
        position=1,
        targets=everybody | {"normal": trial},
        conditions={"field": "topic", "op": "is", "value": Topic.objects.get(slug="sign-in").pk},
    )
    Policy.objects.create(name="Everybody", position=2, targets=everybody)


def rules(staff: dict[str, User]) -> None:
    """Four rules that are on, and where a ticket goes that nobody takes."""
    mia = staff["mia"]
    tool = Webhook.objects.create(name="On-call", url=f"https://oncall.{settings.MAIL_DOMAIN}/twofold", secret=seal(new_secret()))
    path = EscalationPath.objects.create(name="Nobody takes it")
    EscalationStep.objects.create(path=path, position=0, user=mia)
    EscalationStep.objects.create(path=path, position=1, webhook=tool)
    sign_in = {"field": "topic", "op": "is", "value": Topic.objects.get(slug="sign-in").pk}
    locked = {"any": [sign_in, {"field": "subject", "op": "contains", "value": "locked out"}]}
    complaint = {"all": [{"field": "tags", "op": "any_of", "value": ["complaint"]}]}
    nobody = {"all": [{"field": "assignee", "op": "is_not_set"}]}
    told = {"people": [mia.pk], "words": "somebody complains"}
    for kind, wording in (
        ("create", Wording("Who is locked out comes first", locked, {"priority": "high", "add_tags": ["access"]})),
        ("create", Wording("Complaints are heard", complaint, {"notify": told})),
        ("update", Wording("A reopened ticket finds its person", {}, {"notify": {"assignee": True}}, ["ticket.reopened"])),
        (
            "time",
            Wording("Nobody took it", nobody, {"escalate": {"path": path.pk, "reason": "Nobody took it"}}, [], "opened", 120),
        ),
    ):
        keeping.switch(keeping.save(Rule(kind=kind), wording, by=mia), True, by=mia)


def incidents(staff: dict[str, User], start: datetime) -> None:
    """What failed for many last week, and what does since this morning."""
    omar = staff["omar"]
    for title, words, topic, ago, hours in (
        ("Sign-in mails came an hour late", "", "sign-in", timedelta(days=6), 5),
        (
            "Saving a card in German loses the VAT number",
            "The fix goes out on Thursday. Until then it can be written again under Settings, Company.",
            "vat",
            timedelta(hours=3.6),
            0,
        ),
    ):
        with dates.moved(to=start - ago):
            topic_of = Topic.objects.get(slug=topic)
            incident = Incident.objects.create(title=title, words=words, topic=topic_of, opened_by=omar)
            timeline.record("incident.opened", actor=omar, **incident.told())
        if hours:
            with dates.moved(to=start - ago + timedelta(hours=hours)):
                incident.resolve(by=omar)


def forms() -> None:
    """A form of its own for what is broken."""
    asked = [
        Question("affected", required=True),
        Question("since"),
        Question("device", when="affected", values=["Sign-in"]),
        Question("data_lost", when="affected", values=["Export", "Invoices", "Reports"]),
    ]
    form = TicketForm.objects.create(
        name="Something is broken",
        slug="broken",
        intro="Tell us what you see. We look at it within the hour.",
        team=Team.objects.get(slug="support"),
        questions=[each.to_json() for each in asked],
    )
    form.topics.set(Topic.objects.filter(slug__in=("export", "bank", "sign-in")))


def teams() -> None:
    """Billing hands its tickets out to whoever has the fewest."""
    Team.objects.filter(slug="billing").update(mode=Mode.LEAST_LOADED, cap=12)
