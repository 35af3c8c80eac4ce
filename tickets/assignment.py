"""Hands tickets out: to somebody who is here, able and has room, as soon as there is one; back to the team if they are gone.

What the rules on new tickets have not met yet waits for them: they may say whose it is.
Everybody who hands out locks the people first, in the order of their ids, and counts their work only then: two who run at
once see each other's gifts, and no cap is exceeded. The tickets are taken by compare-and-set under their own locks, which are
never waited for: whoever holds one of those changes it, and that change, or the tick, brings us here again.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from helpdesk.accounts.access import AGENTS
from helpdesk.accounts.models import Mode, Team, User
from helpdesk.accounts.presence import presences
from helpdesk.customers.models import Event
from helpdesk.customers.timeline import Fact, record_all
from helpdesk.lib import rows
from helpdesk.lib.dates import now
from helpdesk.live.streams import announce
from tickets import hands, queue
from tickets.hands import Choice, Hand
from tickets.models import LIVE, OURS, Assignment, Priority, RuleRun, Status, StatusChange, Ticket
from tickets.models.change import one_change_of
from tickets.models.rules import unruled

AT_ONCE = 200  # tickets of a team in one transaction
A_CHAIN = timedelta(hours=1)  # what a rule did longer ago leads to nothing now
OURSELVES = {"round_robin", "least_loaded"}


def hand_out() -> int:
    """Give what waits to those who have room, until one of the two is used up. Returns how many found their person."""
    _out_of_archived_teams()
    given, more = 0, True
    while more:
        count, more = _round()
        given += count
    return given


@transaction.atomic
def _round() -> tuple[int, bool]:
    """So many of each queue as there is room for. Returns how many were given, and whether another round could give more."""
    if not Ticket.objects.queued().exists():
        return 0, False
    at, teams = now(), Team.objects.living().exclude(mode=Mode.MANUAL)
    people = hands.here(at)
    seen = hands.load(people, teams)
    if not any(hand.room for hand in seen):
        return 0, False
    locked = User.objects.filter(pk__in={hand.person.pk for hand in seen}).order_by("pk").select_for_update(no_key=True)
    people = people.filter(pk__in=list(locked.values_list("pk", flat=True)))
    of_team: dict[int, list[Hand]] = defaultdict(list)
    for hand in hands.load(people, teams):  # once more: another may have given them something before we had the locks
        of_team[hand.team].append(hand)
    most = {team: min(sum(hand.room for hand in members), AT_ONCE) for team, members in of_team.items()}
    most = {team: room for team, room in most.items() if room}
    chosen = {each.ticket: each for each in queue.fitting([h for m in of_team.values() for h in m], most, unruled())}
    free = Ticket.objects.filter(pk__in=chosen, assignee=None, status__in=OURS)
    tickets = [
        ticket
        for ticket in free.order_by(*queue.IN_ORDER).select_for_update(skip_locked=True, no_key=True)
        if ticket.team_id == chosen[ticket.pk].team
    ]
    if any(ticket.priority == Priority.URGENT for ticket in tickets):
        hands.count_streaks([hand.person for members in of_team.values() for hand in members], at)
    turn = max((hand.turn for members in of_team.values() for hand in members), default=0)
    choices = []
    for ticket in tickets:
        urgent = ticket.priority == Priority.URGENT
        choice = hands.choose(of_team[chosen[ticket.pk].team], chosen[ticket.pk].needs, urgent)
        if choice:
            turn += 1
            choice.hand.take(turn, urgent)
            choices.append((ticket, choice))
    _give(choices, at)
    looked_at = Counter(each.team for each in chosen.values())
    full = [team for team, room in most.items() if looked_at[team] == room]
    return len(choices), bool(choices) and any(hand.room for team in full for hand in of_team[team])


def _give(choices: Sequence[tuple[Ticket, Choice]], at: datetime) -> None:
    """Write it down: the tickets, whose turn it was, and the facts."""
    facts, taken = [], []
    led = _led([ticket.pk for ticket, _choice in choices], at)
    for ticket, choice in choices:
        person = choice.hand.person
        changes: dict[str, list[Any]] = {"assignee": [None, person.pk]}
        ticket.assignee_id = person.pk
        if ticket.status == Status.NEW:  # as when a person takes it
            ticket.status = Status.OPEN
            changes["status"] = [Status.NEW.value, Status.OPEN.value]
            taken.append(ticket)
        common = ticket.facts() | one_change_of(changes) | led.get(ticket.pk, {})
        if ticket.imported_at and ticket.last_message_at <= ticket.imported_at:
            common["imported"] = True  # its coming in, not something that happened here
        facts.append(
            Fact("ticket.assigned", ticket.requester_id, at, "", common | _told(person.pk, person.name, None, choice.why))
        )
        if "status" in changes:
            said = {"was": Status.NEW.value, "status": Status.OPEN.value, "how": choice.why["how"]}  # a look for others is ours
            facts.append(Fact("ticket.status_changed", ticket.requester_id, at, "", common | said))
    rows.update([ticket for ticket, _choice in choices], ["assignee", "status"])
    StatusChange.note(taken, "ticket.status_changed", at)
    Assignment.objects.bulk_create(
        Assignment(
            ticket=ticket,
            user_id=choice.hand.person.pk,
            team_id=choice.hand.team,
            urgent=ticket.priority == Priority.URGENT,
            at=at,
        )
        for ticket, choice in choices
    )
    record_all(facts)
    if choices:
        announce(*(f"ticket:{ticket.pk}" for ticket, _choice in choices), "inbox")


def _led(tickets: Sequence[int], at: datetime) -> dict[int, dict[str, Any]]:
    """How many rules led to a gift: a rule that takes each one back meets an end, as rules that undo each other do."""
    lately = RuleRun.objects.filter(ticket__in=tickets, at__gt=at - A_CHAIN).order_by("ticket", "-id").distinct("ticket")
    return {pk: {"depth": depth + 1} for pk, depth in lately.values_list("ticket", "meeting__depth")}


def _told(to: int | None, name: str, was: int | None, why: dict[str, Any]) -> dict[str, Any]:
    return {"to": to, "name": name, "was": was, **why}


@transaction.atomic
def _out_of_archived_teams() -> None:
    """What is work again in a team that is archived goes where the mail of its mailbox goes, or to no team."""
    archived = list(Team.objects.archived().values_list("pk", flat=True))
    if not archived:
        return
    lost = Ticket.objects.filter(status__in=LIVE, team__in=archived).select_related("mailbox__team").order_by("pk")
    for ticket in lost.select_for_update(skip_locked=True, no_key=True, of=("self",))[:AT_ONCE]:
        ticket.move_to(ticket.mailbox.team if ticket.mailbox else None, by="")
        if hands.has_stranger(ticket):
            ticket.assign(None, by="")


# --- back to the team -------------------------------------------------------------------------------------------------


@transaction.atomic
def give_back(tickets: Sequence[int], how: dict[int, str], *, by: Any = "") -> int:
    """Take these tickets from whoever has them, so that their teams can; ``how`` says why, by person. Returns how many."""
    held = Ticket.objects.filter(pk__in=tickets, assignee__in=how, status__in=OURS).order_by("pk")
    found = list(held.select_for_update(no_key=True))
    names = dict(User.objects.filter(pk__in=how).values_list("pk", "name"))
    at, ref, facts = now(), getattr(by, "ref", by), []
    for ticket in found:
        was = ticket.assignee_id or 0
        why = {"how": how[was], "from": names[was]}
        common = ticket.facts() | one_change_of({"assignee": [was, None]})
        facts.append(Fact("ticket.assigned", ticket.requester_id, at, ref, common | _told(None, "", was, why)))
    Ticket.objects.filter(pk__in=[ticket.pk for ticket in found]).update(assignee=None)
    record_all(facts)
    if found:
        announce(*(f"ticket:{ticket.pk}" for ticket in found), "inbox")
    return len(found)


def hand_back(user: User, *, by: User) -> int:
    """Somebody goes away for long: what waits on us of theirs is their teams' again. Returns how many."""
    theirs = Ticket.objects.filter(assignee=user, status__in=OURS).values_list("pk", flat=True)
    return give_back(list(theirs), {user.pk: "handed_back"}, by=by)


def take_from_the_gone() -> int:
    """Who was shut out, or may no longer answer, keeps nothing that waits on us. Returns how many tickets were taken."""
    how = dict.fromkeys(User.objects.exclude(is_active=True, role__in=AGENTS).values_list("pk", flat=True), "gone")
    theirs = Ticket.objects.filter(assignee__in=how, status__in=OURS).order_by("pk").values_list("pk", flat=True)
    return give_back(list(theirs[:AT_ONCE]), how)


@transaction.atomic
def on_ticket(events: list[Event]) -> None:
    """Something came, moved or freed a place: look who could take what waits. What is said to somebody away goes to the team.

    A solved ticket that is opened again goes back to its owner only if they are here now; one that was open all along stays
    theirs over an evening. Whoever opens their own again, keeps it.
    """
    spoken = {event.payload["ticket"]: event for event in events if event.kind == "ticket.message_received"}
    spoken |= {event.payload["ticket"]: event for event in events if event.kind == "ticket.reopened"}
    owned = dict(Ticket.objects.filter(pk__in=spoken, assignee__isnull=False, status__in=OURS).values_list("pk", "assignee"))
    owners = presences(User.objects.filter(pk__in=set(owned.values())), now()) if owned else {}
    lost = [
        pk
        for pk, owner in owned.items()
        if spoken[pk].actor != f"user:{owner}"
        and (not owners[owner].is_here if spoken[pk].kind == "ticket.reopened" else owners[owner].is_away)
    ]
    if lost:
        give_back(lost, {owned[pk]: owners[owned[pk]].state for pk in lost})
    if any(event.payload.get("how") not in OURSELVES for event in events):
        hand_out()
