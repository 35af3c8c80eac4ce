"""Telling other tools what happened, by the Standard Webhooks specification 1.0 (standardwebhooks.com).

A delivery is a row; whoever claims it moves its `next_at` a minute on and commits before the first byte leaves, so who dies
meanwhile leaves it to be tried again with the same id: its receiver can tell. Redirects are not followed, the guarded dialler
judges every address, and 410 switches a webhook off.
"""

import json
import random
import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from standardwebhooks import Webhook as StandardWebhook

from helpdesk.accounts.models import User, audit
from helpdesk.accounts.vault import Unreadable, seal
from helpdesk.lib import http
from helpdesk.lib.dates import now
from helpdesk.live import bell
from helpdesk.mail.models import Webhook, WebhookDelivery
from helpdesk.mail.models.webhooks import new_secret

TASK = "helpdesk.mail.tasks.send_webhooks"
TIMEOUT = 15  # seconds for all of one try
MOST = 64_000  # bytes of an answer that are read
CLAIM = timedelta(minutes=1)
PATIENCE = 10  # seconds of one tick, and the try that is on its way then
OLD_SECRET = timedelta(days=1)
KEEP = timedelta(days=30)
AT_ONCE = 10_000
GONE = 410
# Seconds before each next try, about three days together; each is varied by a tenth, so that a tool that comes back is not
# met by everything at one moment.
WAITS = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
State = WebhookDelivery.State


def check_address(url: str) -> None:
    """Raises ValueError, in words, for an address that nothing can be told at. Who answers there is judged at each try."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise ValueError(_("This is no address.")) from error
    if parts.scheme not in ("https", "http") or not parts.hostname or not url.isprintable() or " " in url:
        raise ValueError(_("It looks like https://tool.example/hooks/1."))
    if parts.username is not None or parts.fragment:
        raise ValueError(_("Leave name, password and # out of the address: the secret is how the tool knows us."))
    if parts.scheme == "http" and parts.hostname not in settings.WEBHOOK_PRIVATE_HOSTS:
        raise ValueError(_("Over the Internet only https:// is taken; http:// for a host in WEBHOOK_PRIVATE_HOSTS."))
    if port not in settings.WEBHOOK_PORTS:
        raise ValueError(_("Port %d is not among those that this installation may dial (WEBHOOK_PORTS).") % port)


def plan(webhook: Webhook, kind: str, data: dict[str, Any], *, key: str, at: datetime | None = None) -> WebhookDelivery:
    """Owe a tool this message, in the caller's transaction; a key that is known already is not told twice."""
    body = {"type": kind, "timestamp": (at or now()).isoformat().replace("+00:00", "Z"), "data": data}
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    row, new = WebhookDelivery.objects.get_or_create(
        key=key[:120], defaults={"webhook": webhook, "kind": kind, "body": text, "next_at": now()}
    )
    if new:
        bell.ring(TASK)
    return row


def sign(keys: Iterable[str], id: str, at: datetime, body: str) -> str:
    """The webhook-signature header: one signature over id, time and body for each secret."""
    return " ".join(StandardWebhook(key).sign(id, at, body) for key in keys)


def deliver_due() -> int:
    """Try what is due, oldest first, for PATIENCE seconds or so; returns how many were tried."""
    tried, end = 0, time.monotonic() + PATIENCE
    while time.monotonic() < end and (row := _claim()):
        _try(row)
        tried += 1
    return tried


@transaction.atomic
def _claim() -> WebhookDelivery | None:
    due = WebhookDelivery.objects.filter(state=State.PENDING, next_at__lte=now()).order_by("next_at", "id")
    row = due.select_for_update(skip_locked=True, of=("self",)).select_related("webhook").first()
    if row:
        row.attempts += 1
        row.next_at = now() + CLAIM
        row.save(update_fields=["attempts", "next_at"])
    return row


def _try(row: WebhookDelivery) -> None:
    """Ask once, outside of any transaction, and write down what came of it."""
    if not row.webhook.is_enabled:
        _end(row, State.FAILED, None, _("The webhook is switched off."))
        return
    at = now()
    try:
        id = f"msg_{row.pk}"
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Twofold",
            "webhook-id": id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": sign(row.webhook.keys(), id, at, row.body),
        }
        answer = http.request(
            "POST",
            row.webhook.url,
            body=row.body.encode(),
            headers=headers,
            ports=settings.WEBHOOK_PORTS,
            private=settings.WEBHOOK_PRIVATE_HOSTS,
            timeout=TIMEOUT,
            most=MOST,
        )
    except http.TooMuch:  # they have read it, or they would not talk so much
        _end(row, State.DONE, None, "")
    except (OSError, HTTPException, Unreadable) as error:
        _later(row, None, f"{error or type(error).__name__}")
    else:
        if 200 <= answer.status < 300:
            _end(row, State.DONE, answer.status, "")
        elif answer.status == GONE:
            _end(row, State.FAILED, GONE, _("410: it wants no more of these."))
            _stop(row.webhook, _("It answered 410 Gone."))
        else:
            _later(row, answer.status, _("It answered %d.") % answer.status)


def _later(row: WebhookDelivery, answer: int | None, error: str) -> None:
    if row.attempts > len(WAITS):
        _end(row, State.FAILED, answer, error)
        return
    wait = WAITS[row.attempts - 1] * random.uniform(1, 1.1)
    row.answer, row.error, row.next_at = answer, error[:300], now() + timedelta(seconds=wait)
    row.save(update_fields=["answer", "error", "next_at"])


def _end(row: WebhookDelivery, state: str, answer: int | None, error: str) -> None:
    row.state, row.answer, row.error, row.finished_at = state, answer, error[:300], now()
    row.save(update_fields=["state", "answer", "error", "finished_at"])


@transaction.atomic
def _stop(webhook: Webhook, why: str) -> None:
    if Webhook.objects.filter(pk=webhook.pk, is_enabled=True).update(is_enabled=False, stopped=why):
        audit("webhook.stopped", actor="", subject=webhook.ref, after={"why": why})


@transaction.atomic
def rotate(webhook: Webhook, hint: str, *, by: User) -> bool:
    """A new secret; the old one signs beside it for a day. False for a second click: ``hint`` is of the secret that was shown."""
    webhook = Webhook.objects.select_for_update().get(pk=webhook.pk)
    if webhook.hint != hint:
        return False
    webhook.old_secret, webhook.old_until = webhook.secret, now() + OLD_SECRET
    webhook.secret = seal(new_secret())
    webhook.save(update_fields=["secret", "old_secret", "old_until"])
    audit("webhook.rotated", actor=by.ref, subject=webhook.ref)
    return True


@transaction.atomic
def retry(row: WebhookDelivery, *, by: User) -> bool:
    """A person's button: what failed is due at once, with the id it had. False when it has not failed."""
    again = {"state": State.PENDING, "attempts": 0, "next_at": now(), "finished_at": None}
    if not WebhookDelivery.objects.filter(pk=row.pk, state=State.FAILED).update(**again):
        return False
    audit("webhook.retried", actor=by.ref, subject=row.webhook.ref, after={"delivery": row.pk})
    bell.ring(TASK)
    return True


def troubled() -> QuerySet[WebhookDelivery]:
    """What has not arrived though it was tried, the newest first."""
    return WebhookDelivery.objects.exclude(state=State.DONE).exclude(error="").select_related("webhook").order_by("-id")


def tidy() -> int:
    """Forget what was told, or given up, KEEP ago, the oldest first; returns how many went. By id, which needs no index."""
    oldest = WebhookDelivery.objects.order_by("pk").values_list("pk", "finished_at")[:AT_ONCE]
    old = [pk for pk, finished_at in oldest if finished_at and finished_at < now() - KEEP]
    return WebhookDelivery.objects.filter(pk__in=old, finished_at__isnull=False).delete()[0]
