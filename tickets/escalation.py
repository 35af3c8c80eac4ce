"""Escalating a ticket: the next step of a path, always for a recorded reason; and the step after it, when nobody answers."""

from datetime import timedelta
from typing import Any

import structlog
from django.db import connection, transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from helpdesk.accounts.models import User
from helpdesk.accounts.notifications import notify
from helpdesk.accounts.presence import presences
from helpdesk.lib.dates import now
from helpdesk.mail import webhooks
from tickets.access import who_may_read
from tickets.models import Escalation, EscalationPath, EscalationStep, Message, Status, Ticket, TicketClosed

BATCH = 100
AGAIN = timedelta(minutes=5)
KIND = "ticket.escalated"

log = structlog.get_logger(__name__)


class NoStep(ValueError):
    """Nobody stands behind this path, or behind what is left of it. Permanent until somebody mends the path."""


@transaction.atomic
def escalate(ticket: Ticket, path: EscalationPath, reason: str, *, by: Any, seen: int | None = None) -> Escalation | None:
    """Take the next step of this path, or its first.

    ``seen`` is how often it had been escalated on the page where somebody pressed: a second click finds it so already, and
    gets None. Raises TicketClosed, NoStep.
    """
    reason = " ".join(reason.split())[:300]
    if not reason:
        raise ValueError("An escalation has a reason.")
    with ticket.one_change():
        ticket.lock()
        if ticket.status == Status.CLOSED:
            raise TicketClosed(_("Ticket #%s is closed. A new message starts a follow-up.") % ticket.number)
        if seen is not None and ticket.escalations != seen:
            return None
        last = Escalation.objects.filter(ticket=ticket, path=path).order_by("-number").first()
        if last and ticket.status_changes.filter(at__gte=last.at, status=Status.SOLVED).exists():
            last = None  # that was over; it begins anew
        step = next_step(path, last.step if last else -1)
        if step is None:
            raise NoStep(_("“%s” has no further step.") % path if last else _("“%s” leads to nobody yet.") % path)
        return _take(ticket, path, step, reason, by)


def next_step(path: EscalationPath, after: int) -> EscalationStep | None:
    """The first step behind this place that leads to somebody who is not away; if all are, the first that leads to somebody."""
    found = [step for step in path.steps.filter(position__gt=after).select_related("user", "team", "webhook") if step.is_open]
    people = presences(User.objects.filter(pk__in=[step.user_id for step in found if step.user_id]), now())
    here = (step for step in found if not (step.user_id and people[step.user_id].is_away))
    return next(here, found[0] if found else None)


def _take(ticket: Ticket, path: EscalationPath, step: EscalationStep, reason: str, by: Any) -> Escalation:
    at = now()
    Escalation.objects.filter(ticket=ticket, next_at__isnull=False).update(next_at=None)  # this step is the one that counts
    made = Escalation.objects.create(
        ticket=ticket,
        path=path,
        step=step.position,
        number=ticket.escalations + 1,
        to=str(step)[:160],
        reason=reason,
        actor=getattr(by, "ref", "")[:80],
        at=at,
        next_at=at + timedelta(minutes=step.minutes) if step.minutes and next_step(path, step.position) else None,
    )
    ticket.escalated(made, by=by)
    if step.user:
        ticket.assign(step.user, by=by)
        people = [step.user]
    elif step.team:
        ticket.move_to(step.team, by=by)
        people = list(step.team.members.active())
    else:
        people = []
    told = _("#%(number)s was escalated to %(to)s: %(reason)s") % {"number": ticket.number, "to": made.to, "reason": reason}
    notify(who_may_read(ticket, people), told, reverse("ticket", args=[ticket.number]), f"ticket:{ticket.pk}")
    if step.webhook:
        webhooks.plan(
            step.webhook, KIND, described(ticket) | {"reason": reason, "to": made.to}, key=f"escalation:{made.pk}", at=at
        )
    return made


def described(ticket: Ticket) -> dict[str, Any]:
    """A ticket as another tool is told of it; no words of the customer beyond the subject."""
    return {
        "ticket": ticket.number,
        "subject": ticket.subject,
        "status": str(ticket.status),
        "priority": str(ticket.priority),
        "team": str(ticket.team or ""),
        "assignee": str(ticket.assignee or ""),
        "tags": ticket.tags,
        "requester": {"id": ticket.requester_id, "external_id": ticket.requester.external_id},
    }


def go_on() -> int:
    """The steps whose time has come: where nobody here answered or solved it since, the next one. Returns how many were due."""
    due = list(Escalation.objects.filter(next_at__lte=now()).order_by("next_at", "id").values_list("pk", flat=True)[:BATCH])
    for pk in due:
        try:
            _go_on(pk)
        except Exception as error:  # a mistake of ours, or the database's: the others go on, and it is tried again
            if not connection.is_usable():
                raise
            log.error("escalation_failed", escalation=pk, exc_info=error)
            Escalation.objects.filter(pk=pk).update(next_at=now() + AGAIN)
    return len(due)


@transaction.atomic
def _go_on(pk: int) -> None:
    found = Escalation.objects.select_related("ticket", "path").filter(pk=pk).first()
    if found is None:
        return
    ticket = found.ticket
    with ticket.one_change():
        ticket.lock()  # first, as whoever escalates does
        if not Escalation.objects.filter(pk=pk, next_at__lte=now()).update(next_at=None):
            return  # somebody was here meanwhile
        answers = ticket.messages.filter(kind=Message.Kind.REPLY, user__isnull=False, at__gt=found.at)
        if not ticket.is_live or not found.path.is_enabled or answers.exists():
            return
        if step := next_step(found.path, found.step):
            reason = found.reason if not found.actor else _("Nobody answered: %s") % found.reason
            _take(ticket, found.path, step, reason[:300], "")


def taken(ticket: Ticket) -> list[Escalation]:
    """How it was escalated so far, newest first."""
    return list(Escalation.objects.filter(ticket=ticket).select_related("path").order_by("-number")[:20])
