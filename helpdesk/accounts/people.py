"""Who works here and what may call us: added, changed, shut out, always with a line in the audit log."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.text import slugify

from helpdesk.accounts import calendars, names, presence
from helpdesk.accounts.locks import one_at_a_time
from helpdesk.accounts.models import ApiToken, Role, Skill, Team, User, audit
from helpdesk.lib.dates import now

SHOWN = ("email", "name", "role", "reach", "zone", "language", "capacity")
OF_TEAM = ("name", "mode", "cap", "urgent_streak")


class LastAdmin(ValueError):
    """Nobody would be left who could let anybody in; permanent until there is another admin."""


class NameTaken(ValueError):
    """A token of this name opens something; permanent until that one is revoked or over."""


def _facts(user: User) -> dict[str, Any]:
    return {name: getattr(user, name) for name in SHOWN} | {
        "calendar": str(user.calendar or ""),
        "teams": sorted(user.teams.values_list("name", flat=True)),
        "skills": sorted(user.skills.values_list("name", flat=True)),
    }


@transaction.atomic
def add_person(
    email: str,
    name: str,
    *,
    by: User | str,
    teams: Iterable[Team] = (),
    skills: Iterable[Skill] = (),
    password: str | None = None,
    **facts: Any,
) -> User:
    """A new person. Without a password they set one through the link of an invitation, and are away until they sign in."""
    facts.setdefault("away_since", None if password else now())
    user = User.objects.create_user(email, password, name=name, **facts)
    user.teams.set(teams)
    user.skills.set(skills)
    audit("person.added", actor=_ref(by), subject=user.ref, after=_facts(user))
    return user


@transaction.atomic
def change_person(user: User, *, by: User, teams: Iterable[Team], skills: Iterable[Skill] = (), **facts: Any) -> bool:
    """New facts of a person; False when all of them are so already. Raises LastAdmin."""
    admins = _locked_admins()
    stood = User.objects.get(pk=user.pk)
    before, zone = _facts(stood), presence.own_zone(stood)
    if facts.get("role", user.role) != Role.ADMIN and admins == [user.pk]:
        raise LastAdmin
    for name, value in facts.items():
        setattr(user, name, value)
    user.save(update_fields=list(facts))
    user.teams.set([*teams, *user.teams.archived()])  # which no form offers
    user.skills.set(skills)
    after = _facts(user)
    if after == before:
        return False
    if presence.own_zone(user) != zone:
        presence.keep_days(user, zone)
    audit("person.changed", actor=by.ref, subject=user.ref, before=before, after=after)
    return True


@transaction.atomic
def set_zone(user: User, zone: str, *, by: User) -> bool:
    """The time zone that they read times in, "" for the workspace's; False when it is so already."""
    kept = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    was, before = kept.zone, presence.own_zone(kept)
    if was == zone:
        return False
    kept.zone = zone
    kept.save(update_fields=["zone"])
    presence.keep_days(kept, before)
    audit("person.changed", actor=by.ref, subject=kept.ref, before={"zone": was}, after={"zone": zone})
    return True


@transaction.atomic
def shut_out(user: User, *, by: User) -> int | None:
    """End somebody's access: every session at its next request, and the tokens they issued. Raises LastAdmin.

    Returns how many tokens went with it, or None when they were out already.
    """
    if _locked_admins() == [user.pk]:
        raise LastAdmin
    if not User.objects.filter(pk=user.pk, is_active=True).update(is_active=False):
        return None
    user.is_active = False
    tokens = [revoke_token(token, by=by) for token in ApiToken.objects.filter(created_by=user, revoked_at=None)]
    audit("person.shut_out", actor=by.ref, subject=user.ref, after={"tokens_revoked": len(tokens)})
    return len(tokens)


@transaction.atomic
def let_in(user: User, *, by: User) -> bool:
    """Give access back; the tokens stay revoked."""
    if not User.objects.filter(pk=user.pk, is_active=False).update(is_active=True):
        return False
    user.is_active = True
    audit("person.let_in", actor=by.ref, subject=user.ref)
    return True


def _locked_admins() -> list[int]:
    """The admins, locked in id order, so that two who demote each other at once do not both succeed."""
    return list(
        User.objects.select_for_update().filter(role=Role.ADMIN, is_active=True).order_by("pk").values_list("pk", flat=True)
    )


@transaction.atomic
def save_team(team: Team, name: str, members: Iterable[User], *, by: User, **facts: Any) -> Team:
    """A new or changed team with these members. Raises ValidationError for a name that looks like another's."""
    new = team.pk is None
    kept = None if new else Team.objects.select_related("calendar").get(pk=team.pk)
    name = names.unlike(name, kept.name if kept else "", Team.objects.exclude(pk=team.pk))
    before = _facts_of_team(kept) if kept else None
    for field, value in {"name": name, **facts}.items():
        setattr(team, field, value)
    if new:
        team.slug = _free_slug(name)
    team.save()
    team.members.set([*members, *team.members.filter(is_active=False)])  # who comes back is where they were
    if kept and kept.calendar_id != team.calendar_id:
        calendars.changed([pk for pk in (kept.calendar_id, team.calendar_id) if pk])
    after = _facts_of_team(team)
    if after != before:
        audit("team.added" if new else "team.changed", actor=by.ref, subject=f"team:{team.pk}", before=before, after=after)
    return team


def _facts_of_team(team: Team) -> dict[str, Any]:
    return {name: getattr(team, name) for name in OF_TEAM} | {
        "calendar": str(team.calendar or ""),
        "members": sorted(team.members.values_list("email", flat=True)),
    }


def _free_slug(name: str) -> str:
    """A short name for addresses; the constraint settles a race between two teams of one name."""
    slug = slugify(name)[:70] or "team"
    taken = set(Team.objects.filter(slug__startswith=slug).values_list("slug", flat=True))
    return slug if slug not in taken else next(f"{slug}-{n}" for n in range(2, len(taken) + 3) if f"{slug}-{n}" not in taken)


@transaction.atomic
def issue_token(
    name: str, scopes: list[str], *, by: User, team: Team | None = None, expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """A token and its text, which is kept nowhere. Raises NameTaken: a name tells apart what opens something, and clicks."""
    one_at_a_time(f"token:{name}")
    if ApiToken.objects.live().filter(name=name).exists():
        raise NameTaken
    token, text = ApiToken.objects.issue(name, scopes, by=by, team=team, expires_at=expires_at)
    after = {
        "name": name,
        "scopes": scopes,
        "team": team.name if team else None,
        "expires_at": expires_at.isoformat() if expires_at else None,
    }
    audit("token.issued", actor=by.ref, subject=token.ref, after=after)
    return token, text


@transaction.atomic
def revoke_token(token: ApiToken, *, by: User) -> bool:
    """From the next call on it opens nothing; a second time changes nothing."""
    if not ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now()):
        return False
    audit("token.revoked", actor=by.ref, subject=token.ref, before={"name": token.name})
    return True


def _ref(by: User | str) -> str:
    return by if isinstance(by, str) else by.ref
