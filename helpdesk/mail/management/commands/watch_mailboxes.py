"""manage.py watch_mailboxes: mail from the IMAP mailboxes as it comes, until it is told to stop."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from helpdesk.mail import watcher


class Command(BaseCommand):
    help = "Wait at every IMAP mailbox for new mail, by IDLE where the server has it."
    requires_system_checks: list[str] = []  # `prepare` has run them; without the pages it is 14 MB smaller

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda number, frame: stop.set())
        watcher.watch(stop)
