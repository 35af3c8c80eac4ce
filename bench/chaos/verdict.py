"""What was promised, what the database says, and what the mail server saw: every difference is a fault of the product."""

import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from django.db import connection, connections, transaction
from django.db.models import Q

from bench.chaos.faults import Play
from bench.chaos.scene import STAMP, Scene
from helpdesk.customers.models import Event, EventDelivery
from helpdesk.lib import signing
from helpdesk.lib.dates import now
from helpdesk.mail.models import IncomingMail, Outgoing, State
from outreach.models import Enrolment
from tickets.models import Message, Ticket

MESSAGES = 2  # of the campaign, for each order
SUBJECT = re.compile(rb"^Subject: (\S+)\r$", re.MULTILINE)
MOVING = (State.QUEUED, State.CLAIMED, State.SENDING, State.RETRY_WAIT)


@dataclass
class Verdict:
    """``figures`` are counted; ``wrong`` says in words what should not be: empty is the pass."""

    figures: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def none(self, name: str, found: Iterable[object]) -> None:
        """Count these under the name; there must be none."""
        rows = [str(each) for each in found]
        self.figures[name] = len(rows)
        if rows:
            self.wrong.append(f"{name}: {len(rows)}, for example {', '.join(rows[:5])}")


@transaction.atomic
def restless() -> dict[str, int]:
    """What still moves; empty when all is quiet. One snapshot: nothing may pass from one count to another between the two."""
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    at = now()
    left = {
        "deliveries": EventDelivery.objects.filter(next_at__isnull=False).count(),
        "outgoing": Outgoing.objects.filter(Q(state__in=MOVING) | Q(state=State.PENDING, due_at__lte=at)).count(),
        "incoming": IncomingMail.objects.filter(state=IncomingMail.State.ACCEPTED).count(),
        "enrolments": Enrolment.objects.active().count(),
    }
    return {name: count for name, count in left.items() if count}


def quiet(play: Play, patience: float) -> dict[str, int]:
    """Let the processes finish what is there, unharmed; returns what still moves when patience ends."""
    end = time.monotonic() + patience
    while (left := restless()) and time.monotonic() < end:
        connections.close_all()  # none of ours may go along into a fork
        play.reap()
        play.fill()
        time.sleep(0.2)
    return left


def judge(scene: Scene, play: Play, left: dict[str, int]) -> Verdict:
    """Compare the three books. Nothing runs any more."""
    said = Verdict()
    promises: dict[str, list[str]] = defaultdict(list)
    for line in lines(scene.promises):
        kind, _, key = line.partition(" ")
        promises[kind].append(key)
    said.figures["kills"] = sum(play.deaths.values())
    said.none("still moving", (f"{name} {count}" for name, count in left.items()))
    _events(said, set(promises["event"]))
    _tickets(said, set(promises["ticket"]), set(promises["mail"]), set(promises["reply"]))
    _messages(said, scene, play)
    said.none("unexpected exceptions", lines(scene.surprises))
    return said


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _events(said: Verdict, promised: set[str]) -> None:
    """Each order once, handed over once, one journey of two messages each."""
    there = dict(Event.objects.filter(source="shop").values_list("pk", "external_id"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT event_id, count(*) FROM chaos_seen GROUP BY event_id")
        seen = dict(cursor.fetchall())
    opened = set(Event.objects.filter(kind="ticket.opened").values_list("pk", flat=True))
    said.figures["events"] = len(there)
    said.none("events lost", promised - set(there.values()))
    said.none("events not handed over", (pk for pk in {*there, *opened} if pk not in seen))
    said.none("events handed over twice", (pk for pk, count in seen.items() if count > 1))
    owed = EventDelivery.objects.values_list("subscriber", "event_id", "attempts", "last_error")
    said.none("deliveries left", (f"{name} of {pk}, {attempts} tries {error}" for name, pk, attempts, error in owed[:20]))
    journeys = Counter(Enrolment.objects.values_list("entry_key", flat=True))
    said.none("journeys missing", (key for key in there.values() if key not in journeys))
    said.none("journeys twice", (key for key, count in journeys.items() if count > 1))
    planned = Enrolment.objects.values_list("pk", flat=True)
    messages = Counter(Outgoing.objects.filter(enrolment_id__isnull=False).values_list("enrolment_id", flat=True))
    said.none("journeys without their messages", (pk for pk in planned if messages[pk] != MESSAGES))


def _tickets(said: Verdict, opened: set[str], mailed: set[str], replied: set[str]) -> None:
    """Each form, call and mail is one ticket, each reply one message, however often it was sent."""
    found = Counter(Ticket.objects.values_list("subject", flat=True))
    said.figures["tickets"] = sum(found.values())
    said.none("tickets lost", opened - set(found))
    said.none("tickets twice", (subject for subject, count in found.items() if count > 1))
    kept = {
        SUBJECT.search(bytes(raw))[1].decode(): (state, reason)  # type: ignore[index]  # the load writes one in every mail
        for raw, state, reason in IncomingMail.objects.values_list("raw", "state", "reason")
    }
    said.figures["mails"] = len(kept)
    # A mail whose worker died five times is put where a person sees it, with a button: kept and listed, so not lost.
    said.figures["mails quarantined"] = sum(state == IncomingMail.State.QUARANTINED for state, _reason in kept.values())
    said.none("mails lost", mailed - set(kept))
    said.none(
        "mails without their ticket",
        (
            f"{key} {kept[key]}"
            for key in mailed & set(kept)
            if key not in found and kept[key][0] != IncomingMail.State.QUARANTINED
        ),
    )
    said.none(
        "mails with an end of another kind", (f"{key} {end}" for key, end in kept.items() if end[0] == IncomingMail.State.IGNORED)
    )
    replies = Counter(Message.objects.filter(kind=Message.Kind.REPLY).values_list("text", flat=True))
    said.figures["replies"] = sum(replies.values())
    said.none("replies lost", replied - set(replies))
    said.none("replies twice", (text for text, count in replies.items() if count > 1))
    said.none(
        "replies without their message",
        Message.objects.filter(kind=Message.Kind.REPLY, outgoing_id=None).values_list("pk", flat=True),
    )


def _messages(said: Verdict, scene: Scene, play: Play) -> None:
    """The ledger against the mail server's own list, in which every taken message stands."""
    taken: Counter[int] = Counter()
    silent = 0
    for line in lines(scene.sink_list):
        name, _, answer = line.partition(" ")
        taken[signing.read("outgoing", name.partition(".")[0]) or 0] += 1
        silent += answer == "silent"
    states = dict(Outgoing.objects.values_list("pk", "state"))
    kinds = Counter(states.values())
    said.figures["messages"] = len(states)
    said.figures["taken by the mail server"] = sum(taken.values())
    said.figures |= {f"ledger: {state}": count for state, count in sorted(kinds.items())}
    said.none(
        "messages lost", (pk for pk, state in states.items() if state in (State.ACCEPTED, State.DELIVERED) and not taken[pk])
    )
    said.none("extra copies", (pk for pk, count in taken.items() if count > 1))
    said.none("taken but not ours", (pk for pk in taken if pk not in states))
    honest = (State.ACCEPTED, State.DELIVERED, State.UNKNOWN)
    said.none(
        "taken but recorded otherwise", (f"{pk} {states[pk]}" for pk in taken if states.get(pk) and states[pk] not in honest)
    )
    told = Counter(Event.objects.filter(kind="mail.sent").values_list("payload__outgoing", flat=True))
    said.none("sent but not told once", (pk for pk, state in states.items() if state == State.ACCEPTED and told[pk] != 1))
    listed = Counter(Event.objects.filter(kind="mail.unknown").values_list("payload__outgoing", flat=True))
    unknown = [pk for pk, state in states.items() if state == State.UNKNOWN]
    said.figures["unknown"] = len(unknown)
    said.figures["unknown, and taken"] = sum(1 for pk in unknown if taken[pk])
    said.none("unknown but not listed", (pk for pk in unknown if listed[pk] != 1))
    bound = silent + allowed(play)
    said.figures["unknown at most"] = bound
    if len(unknown) > bound:
        said.wrong.append(f"{len(unknown)} unknown, where {bound} can be explained")


def allowed(play: Play) -> int:
    """One stamp for each death of a process that sends, and for each sender when the database falls or it is suspended."""
    deaths = play.deaths
    senders = STAMP * 2 + 1 + 3 * STAMP  # campaigns, replies, and the three threads of the worker that does all
    return (
        STAMP * deaths["campaigns"]
        + deaths["replies"]
        + 3 * STAMP * deaths["celery"]
        + senders * play.faults["database stopped immediate"]
        + STAMP * play.faults["suspended beyond its lease"]
    )
