"""GET /healthz: is everything that must run seen to run? 200, or 503 with the reasons. GET /metrics: the same in figures."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import redis
from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.utils.module_loading import import_string
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from helpdesk.accounts.access import public
from helpdesk.accounts.models import ApiToken, Scope
from helpdesk.customers import dispatch
from helpdesk.files import antivirus
from helpdesk.live import bell, tasks
from helpdesk.live.ticks import MAX_SKEW, skew
from helpdesk.mail import inbox, ledger, operations, outbox
from helpdesk.mail.models import Mailbox

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


def mailboxes() -> dict[str, Any]:
    """Which mailboxes bring no mail, and since when; what their servers say stands on the page Operations."""
    since = {each.mailbox.slug: each.since for each in operations.failing()}
    words = ", ".join(f"{slug} (since {at:%Y-%m-%d %H:%M} UTC)" for slug, at in since.items())
    return {"ok": not since} | reason(bool(since), f"no mail comes from {words}: see Operations")


def files() -> dict[str, Any]:
    age = antivirus.oldest_waiting()
    late = (age or 0) >= LATE_WORK
    return {"ok": not late, "oldest_unscanned_seconds": age} | reason(late, "files wait for the virus scanner")


def waiting(name: str) -> dict[str, Any]:
    """What an app says of its own work (settings.HEALTH)."""
    figures = import_string(settings.HEALTH[name])()
    late = (figures["oldest_waiting_seconds"] or 0) >= LATE_WORK
    return {"ok": not late} | figures | reason(late, f"{name} are behind")


CHECKS: dict[str, Callable[[], dict[str, Any]]] = {
    "database": database,
    "broker": broker,
    "workers_and_beat": workers,
    "events": events,
    "mail": mail,
    "mailboxes": mailboxes,
    "files": files,
    **{name: partial(waiting, name) for name in settings.HEALTH},
}
DOWN = {"database"}  # without these no page is served; all else is degraded: mail waits, and is not lost


@public
@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """503 for whatever is wrong, so that somebody is told; with ?accept=degraded, for a load balancer, only when down."""
    answer: dict[str, Any] = {}
    for name, check in CHECKS.items():
        try:
            answer[name] = check()
        except (DatabaseError, redis.RedisError, OSError) as error:
            answer[name] = {"ok": False, "reason": type(error).__name__}
    bad = [name for name, result in answer.items() if not result["ok"]]
    state = "down" if DOWN & set(bad) else "degraded" if bad else "ok"
    well = state == "ok" or (state == "degraded" and request.GET.get("accept") == "degraded")
    return JsonResponse({"ok": not bad, "state": state, "failing": bad, **answer}, status=200 if well else 503)


Sample = tuple[str, dict[str, str], float | None]


def samples() -> Iterator[Sample]:
    """(name, labels, value): what an operator wants a curve of. None is left out."""
    for each in operations.sums():
        box = {"mailbox": each.mailbox.slug}
        yield "twofold_mail_in_accepted", box, each.total
        for end in ("ticketed", "ignored", "quarantined", "in_flight"):
            yield f"twofold_mail_in_{end}", box, getattr(each, end)
    failing = {each.mailbox.pk for each in operations.failing()}
    for watched in Mailbox.objects.exclude(imap_host=""):
        yield "twofold_mailbox_up", {"mailbox": watched.slug}, float(watched.pk not in failing)
    yield "twofold_mail_in_oldest_unread_seconds", {}, inbox.oldest_unread() or 0
    yield "twofold_mail_out_oldest_unsent_seconds", {}, outbox.oldest_unsent() or 0
    yield "twofold_mail_out_unknown", {}, ledger.unsettled().count()
    yield "twofold_mail_out_put_off", {}, ledger.stuck().count()
    yield "twofold_events_oldest_undispatched_seconds", {}, dispatch.oldest_undispatched() or 0
    yield "twofold_events_failing", {}, dispatch.failing().count()
    yield "twofold_files_oldest_unscanned_seconds", {}, antivirus.oldest_waiting() or 0
    for name, path_to in settings.HEALTH.items():
        for figure, value in import_string(path_to)().items():
            yield f"twofold_{name}_{figure}", {}, value or 0
    for queue, age in tasks.ages().items():
        yield "twofold_worker_last_seen_seconds", {"queue": queue}, age


def exposition(found: Iterable[Sample]) -> str:
    """Prometheus' text format, version 0.0.4: all samples of a name together."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for name, labels, value in found:
        if value is not None:
            said = ",".join(f'{label}="{text}"' for label, text in labels.items())  # slugs: nothing to escape
            by_name[name].append(f"{name}{{{said}}} {value:g}" if said else f"{name} {value:g}")
    return "".join(f"# TYPE {name} gauge\n" + "".join(f"{line}\n" for line in lines) for name, lines in by_name.items())


@public
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """For this machine itself, and for tokens with the scope metrics:read."""
    if not _from_here(request):
        kind, _space, text = request.headers.get("Authorization", "").partition(" ")
        token = ApiToken.objects.find(text.strip()) if kind.lower() == "bearer" else None
        if token is None:
            answer = HttpResponse("A token with the scope metrics:read is needed.\n", status=401, content_type="text/plain")
            answer["WWW-Authenticate"] = "Bearer"
            return answer
        if Scope.METRICS_READ not in token.scopes:
            return HttpResponse("This token lacks the scope metrics:read.\n", status=403, content_type="text/plain")
    return HttpResponse(exposition(samples()), content_type="text/plain; version=0.0.4; charset=utf-8")


LOCAL = {"127.0.0.1", "::1", "localhost"}
PASSED_ON = ("X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Forwarded", "Via")


def _from_here(request: HttpRequest) -> bool:
    """Whether it was asked on this machine, and not through a proxy on it."""
    host = request.get_host().rpartition(":")[0] or request.get_host()
    passed_on = any(name in request.headers for name in PASSED_ON)
    return request.META.get("REMOTE_ADDR") in LOCAL and host.strip("[]") in LOCAL and not passed_on


urlpatterns = [path("healthz", healthz, name="healthz"), path("metrics", metrics, name="metrics")]
