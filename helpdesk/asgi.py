"""The web process: pages as WSGI in a pool of threads, and the async streams of /live/ beside them.

Threads keep their database connections; one process of this kind served more than two of Django's own ASGI handler.
"""

import os
import tempfile
from typing import Any

from a2wsgi import WSGIMiddleware
from asgiref.sync import sync_to_async
from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.db import connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "helpdesk.settings")

THREADS = int(os.environ.get("TWOFOLD_WEB_THREADS", "8"))
LARGEST_BODY = int(os.environ.get("TWOFOLD_MAX_REQUEST_BYTES", "60000000"))
IN_MEMORY = 256_000  # bytes of a body that stay out of a temporary file

pages: Any = get_wsgi_application()
threads: Any = WSGIMiddleware(pages, workers=THREADS)
streams: Any = get_asgi_application()


async def application(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """The ASGI entry point."""
    if scope["type"] == "http" and scope["path"].startswith("/live/"):
        await streams(scope, receive, releasing_connections(send))
    elif scope["type"] == "http":
        await after_body(threads, scope, receive, send)
    else:
        await threads(scope, receive, send)


def releasing_connections(send: ASGISendCallable) -> ASGISendCallable:
    """A stream lasts an hour: it gives its database connection back before its first line.

    Runs in the thread that asked the database, for Django keeps one thread for each request.
    """

    async def release(message: Any) -> None:
        if message["type"] == "http.response.start":
            await sync_to_async(connections.close_all)()
        await send(message)

    return release


async def after_body(app: ASGI3Application, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Read the whole body before a thread is taken, so that a slow upload holds none. Too large: 413."""
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as body:
        more, size = True, 0
        while more:
            message: Any = await receive()
            if message["type"] == "http.disconnect":
                return
            size += len(message.get("body", b""))
            if size > LARGEST_BODY:
                await send(
                    {
                        "type": "http.response.start",
                        "status": 413,
                        "headers": [(b"content-type", b"text/plain"), (b"connection", b"close")],
                        "trailers": False,
                    }
                )
                text = f"This is more than {LARGEST_BODY // 1_000_000} MB.\n".encode()
                await send({"type": "http.response.body", "body": text, "more_body": False})
                return
            body.write(message.get("body", b""))
            more = message.get("more_body", False)
        body.seek(0)

        async def replay() -> Any:
            chunk = body.read(65_536)
            return {"type": "http.request", "body": chunk, "more_body": body.tell() < size}

        await app(scope, replay, send)
