"""What became of a suggestion: people accept or correct it, by its own buttons or by filing the ticket as ever."""

from typing import Any

from django.db import transaction

from helpdesk.customers.models import Event
from helpdesk.knowledge.models import Topic
from helpdesk.lib.dates import now
from tickets.models import Status, Suggestion, Ticket
from tickets.triage import proof
from tickets.triage.suggesting import team_is_open, told


@transaction.atomic
def file_under(ticket: Ticket, topic: Topic | None, *, by: Any) -> bool:
    """`Ticket.file_under`, and the suggestion that was there has its answer."""
    changed = ticket.file_under(topic, by=by)
    if changed:
        _settle(ticket, topic, by)
    return changed


@transaction.atomic
def decide(ticket: Ticket, topic: Topic, *, by: Any) -> bool:
    """By the buttons of the suggestion: the topic it proposed, with its team, or another. A second click changes nothing."""
    row = Suggestion.objects.filter(ticket=ticket).select_related("team").first()
    team = row.team if row and row.topic_id == topic.pk and row.state == Suggestion.State.OFFERED else None
    if team and not team.archived_at and team_is_open(ticket):
        with ticket.one_change():
            ticket.move_to(team, by=by)
            return file_under(ticket, topic, by=by)
    return file_under(ticket, topic, by=by)


def _settle(ticket: Ticket, topic: Topic | None, by: Any) -> None:
    """Under the ticket's lock. Only a person's word says whether it was right."""
    row = Suggestion.objects.select_for_update(of=("self",)).select_related("topic").filter(ticket=ticket).first()
    ref = by if isinstance(by, str) else getattr(by, "ref", "")
    if row is None or row.state in (Suggestion.State.OVERTAKEN, Suggestion.State.ABSTAINED):
        return
    if not ref.startswith("user:") or row.state == Suggestion.State.WAITING:
        row.state = Suggestion.State.OVERTAKEN
    else:  # also of one that was settled: people think again, and the last word counts
        row.state = Suggestion.State.ACCEPTED if topic and topic.pk == row.topic_id else Suggestion.State.CORRECTED
    row.chosen, row.decided_by, row.decided_at = topic, ref, now()
    row.save()
    if row.state in (Suggestion.State.ACCEPTED, Suggestion.State.CORRECTED):
        told(ticket, row, by=by)
    if row.state == Suggestion.State.CORRECTED and row.topic_id:
        proof.stop_unproven([row.topic_id])


def on_solved(events: list[Event]) -> None:
    """Filed by itself and solved so by a person: that counts as right."""
    by = {event.payload["ticket"]: event.actor for event in events if event.actor.startswith("user:")}
    rows = Suggestion.objects.select_for_update(of=("self",)).select_related("ticket").order_by("pk")
    for row in rows.filter(ticket__in=by, state=Suggestion.State.APPLIED):
        if row.ticket.status == Status.SOLVED and row.ticket.topic_id == row.topic_id:
            row.state, row.chosen_id, row.decided_at = Suggestion.State.CONFIRMED, row.topic_id, now()
            row.decided_by = by[row.ticket_id]
            row.save()
