"""Making a version: asked for by a row, learned by whoever finds it, measured on tickets it has not seen."""

import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from helpdesk.accounts.models import User, audit
from helpdesk.files.models import Blob
from helpdesk.lib.dates import now
from helpdesk.live import bell
from tickets.models import LIVE, Classifier, Status, Suggestion, Ticket, TopicFigure
from tickets.triage import proof, texts
from tickets.triage.texts import Lesson

if TYPE_CHECKING:
    from helpdesk.lib.learning.model import Guess

log = structlog.get_logger(__name__)
TASK = "tickets.tasks.learn"
ONE_LEARNS = 0x7219A6E  # the advisory lock of whoever learns
LONGEST = 3600  # seconds a version may take
TEAM_SHARE = 0.8  # of a topic's tickets are one team's: it is the topic's team
KEPT = 5  # versions whose numbers are kept
NIGHT = range(2, 5)  # hours, in the workspace's zone
ONCE_A_NIGHT = timedelta(hours=12)
CATCH_UP = 500  # live tickets that get a suggestion when the first version is ready


def ask(by: User | None = None) -> Classifier:
    """Have a new version learned; while one is, that is it."""
    try:
        with transaction.atomic():
            asked = Classifier.objects.create(asked_by=by)
            if by:
                audit("classifier.asked", actor=by.ref, subject=asked.ref)
    except IntegrityError:
        return Classifier.objects.filter(state=Classifier.State.ASKED).first() or ask(by)
    bell.ring(TASK)
    return asked


def ask_at_night() -> Classifier | None:
    """Once a night, if people have solved anything since."""
    if localtime(now()).hour not in NIGHT:
        return None
    last = Classifier.objects.order_by("-pk").values_list("asked_at", flat=True).first()
    if last and last > now() - ONCE_A_NIGHT:
        return None
    new = Ticket.objects.filter(status=Status.SOLVED, decided__topic__startswith="user:")
    if last:
        new = new.filter(solved_at__gt=last)
    return ask() if new.exists() else None


def learn_beside() -> None:
    """If a version is asked for, have a process of its own learn it, so that its memory is given back whole.

    One at a time, by a lock that ends with its holder: who is killed leaves the row, and the next look begins again.
    """
    if not Classifier.objects.filter(state=Classifier.State.ASKED).exists() or not _lock():
        return
    try:
        command = [sys.executable, "manage.py", "triage_learn"]
        done = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=LONGEST)  # noqa: S603
        if done.returncode:
            raise RuntimeError(done.stderr.strip()[-200:] or _("It ended with %d.") % done.returncode)
    except (subprocess.TimeoutExpired, RuntimeError) as error:
        log.error("triage_not_learned", exc_info=error)
        for asked in Classifier.objects.filter(state=Classifier.State.ASKED):
            asked.fail(str(error))
    finally:
        _unlock()


def _lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [ONE_LEARNS])
        return bool(cursor.fetchone()[0])


def _unlock() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s)", [ONE_LEARNS])


def learn() -> Classifier | None:
    """Learn the version that is asked for; how it ends stands on its row."""
    asked = Classifier.objects.filter(state=Classifier.State.ASKED).first()
    if asked is None:
        return None
    began = monotonic()
    found = texts.lessons()
    taught = [each for each in found if not each.is_held_back]
    if len({each.topic for each in taught}) < 2:
        asked.fail(
            _("It needs two topics with %d solved tickets each that people filed there; nothing is learned from fewer.")
            % texts.FEWEST
        )
        return asked
    from helpdesk.lib.learning import model as learning
    from helpdesk.lib.learning.measure import measure

    known = {each.text for each in taught}
    held = [each for each in found if each.is_held_back and each.text not in known]
    try:
        model = learning.learn([each.text for each in taught], [str(each.topic) for each in taught], threads=2)
    except learning.TooLittle as error:
        asked.fail(str(error))
        return asked
    guesses = model.ask([each.text for each in held])
    values = {
        "learned": len(taught),
        "held_back": len(held),
        "levels": {str(level): least for level, least in model.levels.items() if least != float("inf")},
        "figures": measure(guesses, [str(each.topic) for each in held]),
        "content": Blob.objects.keep(model.save()),
        "seconds": round(monotonic() - began),
    }
    _publish(asked, values, _of_topics(asked, taught, held, guesses))
    return asked


def _of_topics(
    asked: Classifier, taught: Sequence[Lesson], held: Sequence[Lesson], guesses: Sequence["Guess"]
) -> list[TopicFigure]:
    """What it is worth, topic by topic."""
    count: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    teams: dict[int, list[int | None]] = defaultdict(list)
    for each in taught:
        count[each.topic]["learned"] += 1
        teams[each.topic].append(each.team)
    for each, guess in zip(held, guesses, strict=True):
        count[each.topic]["held_back"] += 1
        said = int(guess.label)
        for level in (95, 99):
            if guess.level >= level:
                count[each.topic][f"found_{level}"] += 1
                count[said][f"answered_{level}"] += 1
                count[said][f"right_{level}"] += said == each.topic
    names = ("learned", "held_back", "found_95", "found_99", "answered_95", "right_95", "answered_99", "right_99")
    return [
        TopicFigure(
            classifier=asked,
            topic_id=topic,
            team_id=texts.usual_team(teams[topic], TEAM_SHARE),
            **{name: found[name] for name in names},
        )
        for topic, found in count.items()
    ]


@transaction.atomic
def _publish(asked: Classifier, values: dict[str, Any], figures: list[TopicFigure]) -> None:
    """It is in use from here on, unless another process was quicker; what no longer holds stops."""
    is_first = Classifier.in_use() is None
    ready = {"state": Classifier.State.READY, "finished_at": now(), **values}
    if not Classifier.objects.filter(pk=asked.pk, state=Classifier.State.ASKED).update(**ready):
        return
    TopicFigure.objects.bulk_create(figures)
    audit(
        "classifier.learned",
        actor=asked.asked_by.ref if asked.asked_by else "",
        subject=asked.ref,
        after={name: values[name] for name in ("learned", "held_back", "levels", "figures")},
    )
    _forget()
    proof.stop_unproven()
    if is_first:
        live = Ticket.objects.filter(status__in=LIVE, topic=None, suggestion=None).order_by("-last_message_at")
        waiting = [Suggestion(ticket_id=pk) for pk in live.values_list("pk", flat=True)[:CATCH_UP]]
        Suggestion.objects.bulk_create(waiting, ignore_conflicts=True)
    bell.ring("tickets.tasks.suggest")


def _forget() -> None:
    """Of old versions the figures are kept, and the numbers let go: helpdesk.files.sweep takes what nothing holds."""
    old = Classifier.objects.filter(content__isnull=False).order_by("-pk").values_list("pk", flat=True)[KEPT:]
    Classifier.objects.filter(pk__in=list(old)).update(content=None)
