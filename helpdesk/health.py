"""GET /healthz: is everything that must run seen to run? 200, or 503 with the reasons."""

from collections.abc import Callable
from typing import Any

import redis
from django.db import DatabaseError
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from helpdesk.accounts.access import public
from helpdesk.customers import dispatch
from helpdesk.live import bell, tasks
from helpdesk.live.ticks import MAX_SKEW, skew
from helpdesk.mail import inbox, outbox

LATE_HEARTBEAT = 30  # seconds
LATE_WORK = 300  # seconds an event or a message may wait


def reason(wrong: bool, words: str) -> dict[str, str]:
    return {"reason": words} if wrong else {}


def database() -> dict[str, Any]:
    ahead = skew()
    apart = abs(ahead) >= MAX_SKEW
    return {"ok": not apart, "clock_skew_seconds": round(ahead, 3)} | reason(
        apart, "this machine's clock and the database's disagree"
    )


def broker() -> dict[str, Any]:
    return {"ok": bool(bell.client().ping())}


def workers() -> dict[str, Any]:
    """Beat sends a heartbeat into every queue, a worker there runs it; its age speaks for both."""
    ages = tasks.ages()
    silent = [queue for queue, age in ages.items() if age is None or age > LATE_HEARTBEAT]
    return {"ok": not silent, "last_seen_seconds": ages} | reason(bool(silent), f"nothing heard from {', '.join(silent)}")


def events() -> dict[str, Any]:
    age = dispatch.oldest_undispatched()
    late = (age or 0) >= LATE_WORK
    return {"ok": not late, "oldest_undispatched_seconds": age} | reason(late, "events wait for their subscribers")


def mail() -> dict[str, Any]:
    unsent, unread = outbox.oldest_unsent(), inbox.oldest_unread()
    late = max(unsent or 0, unread or 0) >= LATE_WORK
    facts = {"ok": not late, "oldest_unsent_seconds": unsent, "oldest_unread_seconds": unread}
    return facts | reason(late, "mail waits to be sent or read")


CHECKS: dict[str, Callable[[], dict[str, Any]]] = {
    "database": database,
    "broker": broker,
    "workers_and_beat": workers,
    "events": events,
    "mail": mail,
}


@public
@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    answer: dict[str, Any] = {}
    for name, check in CHECKS.items():
        try:
            answer[name] = check()
        except (DatabaseError, redis.RedisError, OSError) as error:
            answer[name] = {"ok": False, "reason": type(error).__name__}
    bad = [name for name, result in answer.items() if not result["ok"]]
    return JsonResponse({"ok": not bad, "failing": bad, **answer}, status=503 if bad else 200)


urlpatterns = [path("healthz", healthz, name="healthz")]
