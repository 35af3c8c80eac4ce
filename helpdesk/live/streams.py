"""Server-sent events: names of what changed, never content; content comes by its ordinary, guarded door."""

import asyncio
from collections.abc import AsyncIterator

import redis
import redis.asyncio
import structlog
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.module_loading import import_string

from helpdesk.live import bell

log = structlog.get_logger(__name__)
PREFIX = "live:"
KEEP_ALIVE = 15  # seconds between comments, so that proxies keep the line and a dead browser is noticed
LONGEST = 3600  # seconds; the browser comes again, and its rights are asked again
MAX_NAMES = 20


def announce(*names: str) -> None:
    """After the commit, tell browsers that follow these names ("ticket:42", "inbox"); lost without harm."""
    if settings.BELL:
        transaction.on_commit(lambda: _publish(names), robust=True)


def _publish(names: tuple[str, ...]) -> None:
    try:
        with bell.client().pipeline(transaction=False) as pipe:
            for name in dict.fromkeys(names):
                pipe.publish(PREFIX + name, name)
            pipe.execute()
    except (redis.RedisError, OSError) as error:
        log.warning("announce_failed", error=str(error))


def permitted(user: object, names: list[str]) -> list[str]:
    """Those of the names that this person may follow; an unknown prefix is nobody's."""
    allowed = []
    for name in names[:MAX_NAMES]:
        prefix, _, rest = name.partition(":")
        rule = settings.LIVE_CHANNELS.get(prefix)
        if rule and import_string(rule)(user, rest):
            allowed.append(name)
    return allowed


def person_behind(request: HttpRequest, names: list[str]) -> list[str] | None:
    """The permitted names, or None for a stranger; touches the session and the database, so it runs in a thread."""
    if not request.user.is_authenticated or not request.user.is_active:
        return None
    return permitted(request.user, names)


async def stream(request: HttpRequest) -> HttpResponseBase:
    """GET /live/?name=inbox&name=ticket:42 — 401 for strangers, 403 when none of the names may be followed."""
    names = await sync_to_async(person_behind)(request, request.GET.getlist("name"))
    if names is None:
        return HttpResponse(status=401)
    if not names:
        return HttpResponse(status=403)
    response = StreamingHttpResponse(_lines(names), content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


async def _lines(names: list[str]) -> AsyncIterator[str]:
    client = redis.asyncio.Redis.from_url(settings.REDIS_URL)
    try:
        async with client.pubsub() as channel:
            await channel.subscribe(*(PREFIX + name for name in names))
            yield "retry: 3000\n\n"
            deadline = asyncio.get_running_loop().time() + LONGEST
            while asyncio.get_running_loop().time() < deadline:
                message = await channel.get_message(ignore_subscribe_messages=True, timeout=KEEP_ALIVE)
                if message is None:
                    yield ": still here\n\n"
                else:
                    yield f"event: changed\ndata: {message['data'].decode()}\n\n"
    except (redis.RedisError, OSError) as error:
        log.warning("stream_ended", error=str(error))
    finally:
        await client.aclose()


stream.access = ("staff",)  # type: ignore[attr-defined]  # asked inside, for a stream cannot redirect to a sign-in page
