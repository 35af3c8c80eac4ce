"""The product's processes, forked from a parent that has loaded everything: 20 ms instead of a second's boot.

Half of them are armed: before and after every statement, commit and word to the mail server they may kill themselves, so
that no line between two effects is spared by bad luck of timing.
"""

import asyncio
import ctypes
import os
import random
import signal
import smtplib
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import Error, OperationalError, close_old_connections, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.urls import get_resolver
from django.utils.module_loading import import_string

from bench.chaos.scene import Scene
from helpdesk.celery import app
from helpdesk.live import bell
from helpdesk.mail import listener

PR_SET_PDEATHSIG = 1
ARMED = 0.5  # of the workers
SUICIDE = 1 / 150  # chance at each point of an armed worker


def load() -> None:
    """Import what the processes will need, so that a fork is ready at once."""
    import celery.apps.beat
    import celery.apps.worker
    import celery.concurrency.thread
    import kombu.transport.redis
    import uvicorn.lifespan.off
    import uvicorn.protocols.http.auto
    import uvicorn.protocols.websockets.auto

    import helpdesk.asgi

    loaded = [celery, kombu, uvicorn, helpdesk.asgi]
    app.loader.import_default_modules()
    app.Worker(pool="threads", concurrency=1, quiet=True, loglevel="CRITICAL")
    get_resolver().url_patterns  # noqa: B018
    names = {name for names in settings.EVENT_SUBSCRIBERS.values() for name in names}
    loaded += [import_string(name) for name in names | {name for pair in settings.OUTBOX.values() for name in pair.values()}]


def tasks(*names: str) -> Callable[[Scene], None]:
    """A process that looks at the database again and again, as beat and the doorbell make a worker do."""

    def run(scene: Scene) -> None:
        work = [import_string(name) for name in names]
        while True:
            for task in work:
                close_old_connections()
                try:
                    task()
                except Error as error:
                    if connection.is_usable() and not isinstance(error, OperationalError):
                        surprise(scene)
                    time.sleep(0.05)  # the database is away
                except Exception:
                    surprise(scene)
            time.sleep(0.05)

    return run


def web(scene: Scene) -> None:
    """One web process as `manage.py up` runs it, on the socket that all of them share."""
    import uvicorn

    from helpdesk.asgi import application

    config = uvicorn.Config(application, lifespan="off", access_log=False, log_level="critical")
    asyncio.run(uvicorn.Server(config).serve(sockets=[scene.web]))


def smtp(scene: Scene) -> None:
    """Incoming mail."""
    asyncio.run(listener.serve("127.0.0.1", scene.smtp_port, asyncio.Event()))


def celery(scene: Scene) -> None:
    """A real worker on every queue, so that the broker's troubles are somebody's."""
    app.Worker(pool="threads", concurrency=3, loglevel="CRITICAL", without_gossip=True, without_mingle=True, quiet=True).start()


def beat(scene: Scene) -> None:
    app.Beat(scheduler_cls="celery.beat:Scheduler", loglevel="CRITICAL", quiet=True).run()


ROLES: dict[str, tuple[int, Callable[[Scene], None]]] = {
    "campaigns": (2, tasks("helpdesk.mail.tasks.send_campaigns")),
    "replies": (1, tasks("helpdesk.mail.tasks.send_replies")),
    "dispatcher": (2, tasks("helpdesk.customers.tasks.dispatch")),
    "incoming": (1, tasks("helpdesk.mail.tasks.process_incoming")),
    "ticker": (1, tasks("outreach.tasks.advance")),
    "smtp": (1, smtp),
    "web": (2, web),
    "celery": (1, celery),
    "beat": (1, beat),
}


def start(role: str, scene: Scene, *, armed: bool, prepare: Callable[[], Any] | None = None) -> int:
    """Fork one process of this role; returns its pid. It dies with us."""
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        random.seed()
        log = os.open(scene.path / "workers.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        bell._client = None
        if prepare:
            prepare()
        if armed and random.random() < ARMED:
            arm()
        ROLES[role][1](scene)
    except BaseException:
        surprise(scene)
    os._exit(1)


def helper(run: Callable[[], None]) -> int:
    """Fork a process that no fault touches; returns its pid. It dies with us as well."""
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() == parent:
            run()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def surprise(scene: Scene) -> None:
    """An exception that nobody expected: the verdict lists it."""
    kind, error, _ = sys.exc_info()
    where = traceback.extract_tb(error.__traceback__)[-1] if error and error.__traceback__ else None
    line = f"{kind.__name__ if kind else ''}: {error} ({where.filename}:{where.lineno})" if where else str(error)
    with scene.surprises.open("a") as file:
        file.write(line.replace("\n", " ") + "\n")
    traceback.print_exc()


def point() -> None:
    if random.random() < SUICIDE:
        os.kill(os.getpid(), signal.SIGKILL)


def arm() -> None:
    """Put a point before and after each statement, each commit, and each word to and from the mail server."""

    def around(function: Callable[..., Any]) -> Callable[..., Any]:
        def pointed(*args: Any, **kwargs: Any) -> Any:
            point()
            result = function(*args, **kwargs)
            point()
            return result

        return pointed

    def watch(connection: Any, **_: Any) -> None:
        connection.execute_wrappers.append(lambda execute, *args: around(execute)(*args))

    connection_created.connect(watch, weak=False)
    BaseDatabaseWrapper._commit = around(BaseDatabaseWrapper._commit)  # type: ignore[attr-defined]
    smtplib.SMTP.send = around(smtplib.SMTP.send)  # type: ignore[method-assign]
    smtplib.SMTP.getreply = around(smtplib.SMTP.getreply)  # type: ignore[method-assign]
