"""A policy, a calendar or a holiday changed: every open ticket is counted again, in the background, from where it stopped."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from helpdesk.accounts.locks import one_at_a_time
from helpdesk.accounts.models import Calendar, User
from helpdesk.lib.dates import now
from helpdesk.live import bell
from tickets.clocks.keeping import recompute
from tickets.models import LIVE, Ticket
from tickets.models.clocks import Policy, Recount

BATCH = 200
TASK = "tickets.tasks.recount_clocks"


@dataclass(frozen=True)
class Progress:
    """How far the recount is, for a bar."""

    reason: str
    done: int
    total: int
    rate: int  # tickets a second
    left: timedelta | None


def on_calendar_changed(pks: list[int]) -> None:
    """Hours or holidays of these calendars changed (settings.CALENDAR_CHANGED)."""
    names = ", ".join(Calendar.objects.filter(pk__in=pks).values_list("name", flat=True)[:3])
    ask(_("the calendar %s changed") % names)


@transaction.atomic
def ask(reason: str, by: User | None = None) -> None:
    """Have every open ticket counted again, in the caller's transaction; one that runs already begins anew."""
    if not Policy.objects.exists():
        return
    one_at_a_time("recount")
    total = Ticket.objects.filter(status__in=LIVE).count()
    values: dict[str, Any] = {"reason": reason[:200], "by": by, "total": total, "done": 0, "last_id": 0, "started_at": now()}
    if not Recount.objects.filter(finished_at=None).update(**values):
        Recount.objects.create(**values)
    bell.ring(TASK)


@transaction.atomic
def run_once() -> bool:
    """One batch of the recount that waits; whether there is more. Who dies half-way has counted whole batches."""
    job = Recount.objects.select_for_update(skip_locked=True).filter(finished_at=None).first()
    if job is None:
        return False
    rows = Ticket.objects.filter(status__in=LIVE, pk__gt=job.last_id).order_by("pk")
    pks = list(rows.values_list("pk", flat=True)[:BATCH])
    recompute(pks)
    job.done, job.last_id = job.done + len(pks), pks[-1] if pks else job.last_id
    if len(pks) < BATCH:
        job.finished_at = now()
    job.save(update_fields=["done", "last_id", "finished_at"])
    return job.finished_at is None


def progress() -> Progress | None:
    """Of the recount that waits or runs; None when all is counted."""
    job = Recount.objects.filter(finished_at=None).first()
    if job is None:
        return None
    passed = max((now() - job.started_at).total_seconds(), 1)
    rate = job.done / passed
    left = timedelta(seconds=max(0, job.total - job.done) / rate) if rate else None
    return Progress(job.reason, job.done, max(job.total, job.done), round(rate), left)
