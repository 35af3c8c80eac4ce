"""The product broken on purpose, in each of its processes: what the chaos must notice."""

import os
import random
import signal
import threading

from django.db import transaction
from django.utils.module_loading import import_string

from helpdesk.customers import dispatch
from helpdesk.customers.models import Event, EventDelivery
from helpdesk.lib.dates import now
from helpdesk.mail import listener, outbox, planner, sender, transports
from helpdesk.mail.models import Outgoing, State


def hand_over_before_the_stamp_is_committed() -> None:
    """Then a crash between the two forgets that anything left. The crash is made likely here, so that no run needs luck."""
    real_stamp, real_hand_over, line, results = sender.stamp, sender.hand_over, transports.open_transport(), []

    def stamp(ids, owner):
        with transaction.atomic():
            ready = real_stamp(ids, owner)
            results.append(real_hand_over(ready, line))
            if ready and random.random() < 0.5:
                os.kill(os.getpid(), signal.SIGKILL)
        return ready

    sender.stamp = stamp
    sender.hand_over = lambda ready, line: results.pop()


def send_again_what_is_in_doubt() -> None:
    """A lapsed hand-over goes back to the queue, as in at-least-once delivery."""
    real = planner._wake

    def wake(lane, moment):
        lapsed = Outgoing.objects.filter(lane=lane, state=State.SENDING, lease_until__lt=outbox.ClockTimestamp())
        return lapsed.update(state=State.QUEUED, owner="", lease_until=None) + real(lane, moment)

    planner._wake = wake


def deliver_and_delete_apart() -> None:
    """The subscriber's rows and the end of the delivery in two transactions, and without a lock between dispatchers."""

    def batch(name, known, places):
        due = list(EventDelivery.objects.filter(subscriber=name, next_at__lte=now())[:500])
        if due:
            with transaction.atomic():
                import_string(name)(list(Event.objects.filter(pk__in=[each.event_id for each in due])))
            EventDelivery.objects.filter(pk__in=[each.pk for each in due]).delete()
        return len(due)

    dispatch._batch = batch


def accept_mail_before_it_is_kept() -> None:
    """250 first, the database a moment later."""
    real = listener._keep

    def keep(raw, sender, recipients):
        threading.Timer(0.3, real, (raw, sender, recipients)).start()
        return "250 2.0.0 Accepted"

    listener._keep = keep
