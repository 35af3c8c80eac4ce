"""manage.py smtp_listener: incoming mail by SMTP, until it is told to stop."""

import asyncio
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from helpdesk.mail import listener


class Command(BaseCommand):
    help = "Take mail for our mailboxes by SMTP. 250 is answered when a message is committed."
    requires_system_checks: list[str] = []  # `prepare` has run them; without the pages it is 14 MB smaller

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=settings.SMTP_LISTEN_HOST)
        parser.add_argument("--port", type=int, default=settings.SMTP_LISTEN_PORT)

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        try:
            asyncio.run(self._serve(host, port))
        except OSError as error:
            raise CommandError(f"Cannot listen on {host}, port {port}: {error.strerror}") from error

    async def _serve(self, host: str, port: int) -> None:
        stop = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, stop.set)
        await listener.serve(host, port, stop, ready=lambda taken: self.stdout.write(f"Taking mail at {host}, port {taken}"))
