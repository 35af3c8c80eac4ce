"""The workers' application. A message only ever means "look at the database"."""

import os

from celery import Celery
from celery.signals import beat_init, setup_logging
from django.conf import settings
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "helpdesk.settings")

app = Celery("helpdesk")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_queues = [Queue(name) for name in settings.WORK_QUEUES]
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**_: object) -> None:
    """Celery would install its own handlers; settings.LOGGING has the say."""


@beat_init.connect
def first_heartbeat(**_: object) -> None:
    """At once, so that /healthz is green when the first worker is there, and not five seconds later."""
    for queue in settings.WORK_QUEUES:
        app.send_task("helpdesk.live.tasks.heartbeat", kwargs={"queue": queue}, queue=queue)
