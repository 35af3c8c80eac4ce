from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from helpdesk.embedded import installation, supervisor


class Command(BaseCommand):
    help = "Run everything: the embedded servers unless DATABASE_URL and REDIS_URL are set, web, workers, beat, SMTP."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        installation.add_arguments(parser)

    def handle(self, **options: Any) -> None:
        raise SystemExit(supervisor.Supervisor(installation.installation(options)).run())
