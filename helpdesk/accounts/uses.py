"""What names a team, a skill or a calendar among people (settings.USES)."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from helpdesk.accounts.models import ApiToken, Calendar, Skill, Team
from helpdesk.accounts.removal import MOST, Tie, Use


def uses(thing: Any) -> Iterator[Use]:
    if isinstance(thing, Team):
        for token in ApiToken.objects.live().filter(team=thing):
            yield Use(Tie.HOLDS, _("API token “%s”") % token.name, reverse("tokens"))
        if members := thing.members.active().count():
            told = ngettext("%(n)d member is in one team less.", "%(n)d members are in one team less.", members)
            yield Use(Tie.ENDS, told % {"n": members})
    if isinstance(thing, Skill):
        for person in thing.people.active():
            yield Use(Tie.HOLDS, _("%s has it") % person, reverse("person", args=[person.pk]), admins=True)
        if needing := _needing(thing):
            told = _("Tickets %s can be given to everybody then who has room.")
            yield Use(Tie.ENDS, told % get_text_list(needing, _("or")))

    if isinstance(thing, Calendar):
        yield from _of_calendar(thing)


def _of_calendar(calendar: Calendar) -> Iterator[Use]:
    """Whoever goes by it, archived teams and those who are out too: they come back to it."""
    if calendar.is_default:
        yield Use(Tie.HOLDS, _("Whoever names no other: it is the usual calendar"), reverse("calendars"))
    for team in calendar.teams.all()[:MOST]:
        words = _("Team “%s”, archived") if team.archived_at else _("Team “%s”")
        yield Use(Tie.HOLDS, words % team, reverse("team", args=[team.pk]), admins=True)
    for person in calendar.users.all()[:MOST]:
        yield Use(Tie.HOLDS, _("%s works by it") % person, reverse("person", args=[person.pk]), admins=True)


def _needing(skill: Skill) -> list[str]:
    """Which tickets need it, in words."""
    spoken = dict(settings.SPOKEN_LANGUAGES)
    found = [_("in %s") % ", ".join(str(spoken.get(code, code)) for code in skill.languages)] if skill.languages else []
    found += [_("with the tags %s") % ", ".join(skill.tags)] if skill.tags else []
    return found + ([_("on its topics")] if skill.topics else [])
