"""Asking the version in use about what came in. A row waits for each ticket, so nothing is lost with a worker."""

from functools import lru_cache
from hashlib import sha256
from io import BytesIO
from typing import TYPE_CHECKING, Any

import structlog
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from helpdesk.customers.models import Event
from helpdesk.knowledge.models import Topic
from helpdesk.lib.dates import now
from helpdesk.live import bell
from helpdesk.live.streams import announce
from tickets.models import Classifier, Status, Suggestion, Ticket, TopicFigure
from tickets.models.change import Machine
from tickets.triage import proof, texts

if TYPE_CHECKING:
    from helpdesk.lib.learning.model import Guess, Model

log = structlog.get_logger(__name__)
TASK = "tickets.tasks.suggest"
BATCH = 100
REASONS = 4  # words


MACHINE = Machine("machine:triage", gettext_lazy("Suggestions"))  # files by what it has learned


def on_opened(events: list[Event]) -> None:
    """What came in without a topic is to be asked about, as soon as anything has been learned."""
    if Classifier.in_use() is None:
        return
    tickets = [event.payload["ticket"] for event in events if not event.payload.get("topic") and not event.payload["automatic"]]
    there = Ticket.objects.filter(pk__in=tickets, topic=None).values_list("pk", flat=True)
    if waiting := [Suggestion(ticket_id=pk) for pk in there]:
        Suggestion.objects.bulk_create(waiting, ignore_conflicts=True)
        bell.ring(TASK)


def suggest_waiting() -> bool:
    """Ask about those that wait, in batches; whether there may be more."""
    used = Classifier.in_use()
    if used is None or not Suggestion.objects.filter(state=Suggestion.State.WAITING).exists():
        return False
    try:
        model, figures = loaded(used)
    except (OSError, ValueError) as error:
        log.error("triage_version_unreadable", classifier=used.pk, exc_info=error)
        used.fail(_("What it had learned cannot be read any more."))
        return Classifier.in_use() is not None
    rows = _suggest(used, model, figures)
    automatic = proof.stop_unproven()
    for row in rows:
        if row.state == Suggestion.State.OFFERED and row.topic_id in automatic:
            _apply(row)
    announce(*(f"ticket:{row.ticket_id}" for row in rows))
    return len(rows) == BATCH


@lru_cache(maxsize=1)
def _loaded(pk: int) -> "Model":
    from helpdesk.lib.learning.model import Model

    used = Classifier.objects.select_related("content").get(pk=pk)
    if used.content is None:
        raise ValueError("let go")
    with used.content.open() as content:
        kept = content.read()
    if sha256(kept).hexdigest() != used.content.sha256:
        raise ValueError("not what was stored")
    return Model.load(BytesIO(kept))


def loaded(used: Classifier) -> tuple["Model", dict[int, int | None]]:
    """Its numbers, kept in memory by this process, and the team of each topic."""
    return _loaded(used.pk), _teams(used)


def _teams(used: Classifier) -> dict[int, int | None]:
    rows = TopicFigure.objects.filter(classifier=used, team__archived_at=None)  # of no team, too
    return dict(rows.values_list("topic", "team"))


@transaction.atomic
def _suggest(used: Classifier, model: "Model", teams: dict[int, int | None]) -> list[Suggestion]:
    """One batch. Whoever else asks takes others, and who is killed leaves these as they were."""
    waiting = Suggestion.objects.filter(state=Suggestion.State.WAITING).order_by("pk")
    rows = list(waiting.select_for_update(skip_locked=True)[:BATCH])
    said = texts.of_tickets([row.ticket_id for row in rows])
    asked = [row for row in rows if row.ticket_id in said]
    guesses = dict(zip(asked, model.ask([said[row.ticket_id] for row in asked], reasons=REASONS), strict=True))
    living = Topic.objects.living().filter(pk__in={int(guess.label) for guess in guesses.values()})
    topics = set(living.values_list("pk", flat=True))
    for row in rows:
        _write(row, used, guesses.get(row), topics, teams)
    names = ("state", "made_at", "classifier", "topic", "team", "confidence", "level", "because")
    Suggestion.objects.bulk_update(rows, names)
    return rows


def _write(row: Suggestion, used: Classifier, guess: "Guess | None", topics: set[int], teams: dict[int, int | None]) -> None:
    """Sure enough, and of a topic that can still be chosen: it is offered. Otherwise nothing is said."""
    row.made_at, row.classifier, row.state = now(), used, Suggestion.State.ABSTAINED
    if guess is None:
        return
    row.confidence, row.level = guess.confidence, guess.level
    topic = int(guess.label)
    if guess.level == 0 or topic not in topics:
        row.level = 0
        return
    row.state, row.topic_id, row.team_id = Suggestion.State.OFFERED, topic, teams.get(topic)
    row.because = [word[:200] for word in guess.because]


@transaction.atomic
def _apply(offered: Suggestion) -> None:
    """File it, unless somebody has said anything about it: a person, a rule or a tool. Who is killed leaves it offered."""
    ticket = Ticket.objects.select_related("mailbox").get(pk=offered.ticket_id)
    ticket.lock()
    rows = Suggestion.objects.select_for_update(of=("self",)).select_related("topic__trust", "team")
    row = rows.get(pk=offered.pk)
    topic = row.topic
    if row.state != Suggestion.State.OFFERED or topic is None or row.level < proof.level_of(topic.trust.least):
        return
    if ticket.topic_id or ticket.decided_by_others("topic") or ticket.status in (Status.SPAM, Status.CLOSED):
        return
    with ticket.one_change():
        ticket.file_under(topic, by=MACHINE)
        if row.team and not row.team.archived_at and team_is_open(ticket):
            ticket.move_to(row.team, by=MACHINE)
    row.state = Suggestion.State.APPLIED
    row.save(update_fields=["state"])
    told(ticket, row, by=MACHINE)


def team_is_open(ticket: Ticket) -> bool:
    """Nobody chose its team: it has none, or the one that its mailbox gives to all."""
    usual = ticket.mailbox.team_id if ticket.mailbox else None
    return not ticket.decided_by_others("team") and ticket.team_id in (None, usual)


def told(ticket: Ticket, row: Suggestion, *, by: Any) -> None:
    """A line for the timeline: what was suggested, and what became of it."""
    ticket.record(
        "ticket.triaged",
        by,
        verdict=str(row.state),
        suggested=str(row.topic or ""),
        chosen=str(row.chosen or ""),
        level=row.level,
        classifier=row.classifier_id,
    )
