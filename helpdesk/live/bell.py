"""The doorbell: "look at the database". Losing a ring costs seconds, never work, for a sweep looks anyway."""

import time

import redis
import structlog
from celery import current_app
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError

log = structlog.get_logger(__name__)
QUIET_AFTER_FAILURE = 3.0  # seconds
PRESSED = 1000  # milliseconds a ring stands for all rings of the same bell, unless its task begins before
_quiet_until = 0.0
_client: redis.Redis | None = None


def client() -> redis.Redis:
    """One pooled connection to Redis a process, with short deadlines."""
    global _client
    if _client is None:
        _client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=1)
    return _client


def ring(task: str) -> None:
    """After the commit, wake whoever does ``task``; rings of one bell that nobody has answered yet are one message."""
    if settings.BELL:
        transaction.on_commit(lambda: _ring(task), robust=True)


def _ring(task: str) -> None:
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return
    try:
        if client().set(f"bell:{task}", 1, nx=True, px=PRESSED):
            current_app.send_task(task, expires=60, retry=False)
    except (redis.RedisError, OperationalError, OSError) as error:
        _quiet_until = time.monotonic() + QUIET_AFTER_FAILURE
        log.warning("bell_silent", task=task, error=str(error))


def answered(task: str) -> None:
    """The task begins: what is written from now on rings again."""
    try:
        client().delete(f"bell:{task}")
    except (redis.RedisError, OSError):
        log.warning("bell_silent", task=task)
