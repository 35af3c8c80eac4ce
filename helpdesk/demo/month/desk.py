"""The desk as it is set up before its first day: rows for all that the scheme says."""

from datetime import timedelta

from django.conf import settings

from helpdesk.accounts import presence
from helpdesk.accounts.models import Calendar, Holiday, Role, Skill, Team
from helpdesk.accounts.people import add_person
from helpdesk.demo.month.scheme import TOPICS, Scheme
from helpdesk.knowledge.models import Topic
from helpdesk.lib import dates
from helpdesk.mail.models import Mailbox
from tickets.models import EscalationPath, EscalationStep, Policy, Rule
from tickets.rules import keeping
from tickets.rules.keeping import Wording

BY = "simulation"


def furnish(scheme: Scheme) -> None:
    """All of it, the day before the month begins; the scheme learns the ids."""
    with dates.moved(to=scheme.begin - timedelta(days=1), still=True):
        _calendars(scheme)
        _topics(scheme)
        _teams(scheme)
        _people(scheme)
        _policies(scheme)
        _rules(scheme)


def _calendars(scheme: Scheme) -> None:
    for each in scheme.hours.values():
        row = Calendar.objects.create(name=each.name, zone="Europe/Berlin", week=each.week, is_default=each.name == "Office")
        days = dict.fromkeys(each.short, "Stocktaking") | each.holidays
        Holiday.objects.bulk_create(Holiday(calendar=row, day=day, name=days[day], hours=each.on(day)) for day in days)
        each.pk = row.pk


def _topics(scheme: Scheme) -> None:
    for slug, parent in TOPICS.items():
        row = Topic.objects.create(slug=slug, name=slug.capitalize(), parent_id=scheme.topics.get(parent))
        scheme.topics[slug] = row.pk


def _teams(scheme: Scheme) -> None:
    for team in scheme.teams.values():
        row = Team.objects.create(
            name=team.name,
            slug=team.name.lower(),
            mode=team.mode,
            cap=team.cap,
            urgent_streak=team.streak,
            calendar_id=scheme.hours[team.hours].pk,
        )
        team.pk = row.pk
    Mailbox.objects.get_or_create(
        slug="desk",
        defaults={
            "name": "Desk",
            "address": f"desk@{settings.MAIL_DOMAIN}",
            "team_id": scheme.teams["Support"].pk,
            "is_default": not Mailbox.objects.filter(is_default=True).exists(),
        },
    )
    for skill in scheme.skills.values():
        topics = [scheme.topics[slug] for slug in skill.topics]
        made = Skill.objects.create(name=skill.name, languages=list(skill.languages), tags=list(skill.tags), topics=topics)
        skill.pk = made.pk


def _people(scheme: Scheme) -> None:
    for place, person in enumerate(scheme.people):
        person.user = add_person(
            person.email,
            person.name,
            by=BY,
            teams=Team.objects.filter(name__in=person.teams),
            skills=Skill.objects.filter(name__in=person.skills),
            role=Role.MANAGER if place == 0 else Role.AGENT,
            zone="Europe/Berlin",
            calendar_id=scheme.hours[person.hours].pk if person.hours else None,
            capacity=person.capacity,
            away_since=None,  # they work from the first day, and sign in on none
        )
        person.pk = person.user.pk
        for first, last in person.absences:
            presence.add_absence(person.user, first, last, "Out of office", by=scheme.people[0].user)


def _policies(scheme: Scheme) -> None:
    for position, each in enumerate(scheme.promised, 1):
        asked: dict[str, object] = {}
        if each.topic:
            asked = {"field": "topic", "op": "is", "value": scheme.topics[each.topic]}
        elif each.tag:
            asked = {"field": "tags", "op": "any_of", "value": [each.tag]}
        row = Policy.objects.create(
            name=each.name,
            position=position,
            conditions=asked,
            targets=each.targets,
            pauses=list(each.pauses),
            warn_minutes=each.warn,
            calendar_id=scheme.hours[each.hours].pk if each.hours else None,
        )
        each.pk = row.pk


def _rules(scheme: Scheme) -> None:
    """Some that change what clocks and queues go by, and a path that takes what was missed to the lead and then to a team."""
    lead = scheme.people[0].user
    path = EscalationPath.objects.create(name="Missed")
    EscalationStep.objects.create(path=path, position=0, user=lead, minutes=120)
    EscalationStep.objects.create(path=path, position=1, team_id=scheme.teams["Technical"].pk)
    locked = {"all": [{"field": "subject", "op": "contains", "value": "locked out"}]}
    urgent = {"all": [{"field": "priority", "op": "is", "value": "urgent"}]}
    waits = {"all": [{"field": "priority", "op": "any_of", "value": ["normal", "low"]}]}
    key = {"all": [{"field": "tags", "op": "any_of", "value": ["key"]}]}
    for kind, wording in (
        ("create", Wording("Who is locked out comes first", locked, {"priority": "high", "add_tags": ["access"]})),
        ("create", Wording("A partner's API is technical", {"all": [{"field": "tags", "op": "any_of", "value": ["api"]}]},
                           {"team": scheme.teams["Technical"].pk})),
        ("update", Wording("A key customer came back", key, {"priority": "high"}, ["ticket.reopened"])),
        ("update", Wording("Missed and urgent", urgent, {"escalate": {"path": path.pk, "reason": "A promise was missed"}},
                           ["ticket.breached"])),
        ("time", Wording("They wait too long", waits, {"priority": "high", "add_tags": ["late"]}, [], "waiting", 950)),
    ):  # fmt: skip
        keeping.switch(keeping.save(Rule(kind=kind), wording, by=lead), True, by=lead)
