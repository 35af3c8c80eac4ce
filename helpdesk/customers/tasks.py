"""Look at the database: which events are owed to whom."""

from datetime import timedelta

from django.conf import settings

from helpdesk.accounts import notifications
from helpdesk.accounts.models import IdempotentCall
from helpdesk.customers import dispatch as line
from helpdesk.customers.append_only import erasing
from helpdesk.customers.models import Event
from helpdesk.files.sweep import sweep
from helpdesk.lib.dates import now
from helpdesk.live import bell
from helpdesk.live.ticks import tick

ROUNDS = 50
KEEP_CALLS = timedelta(days=3)


@tick
def dispatch() -> None:
    if line.run(ROUNDS):
        bell.ring("helpdesk.customers.tasks.dispatch")


@tick
def tidy() -> None:
    """Old idempotency keys and notifications, files that nothing holds, and events from outside after EXTERNAL_EVENT_DAYS."""
    IdempotentCall.objects.filter(created_at__lt=now() - KEEP_CALLS).delete()
    notifications.tidy()
    sweep()
    old = Event.objects.exclude(source="").filter(received_at__lt=now() - timedelta(days=settings.EXTERNAL_EVENT_DAYS))
    with erasing():
        Event.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:10_000])).delete()
