"""manage.py triage_learn: learn the version of suggestions that is asked for, in a process of its own."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from tickets.models import Classifier
from tickets.triage import learning


class Command(BaseCommand):
    help = "Learn the version of suggestions that was asked for; with --now, ask for one first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--now", action="store_true", help="ask for a version, if none is asked for")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["now"]:
            learning.ask()
        learned = learning.learn()
        if learned is None:
            self.stdout.write("Nothing is asked for.")
            return
        learned.refresh_from_db()
        if learned.state == Classifier.State.FAILED:
            self.stderr.write(learned.fault)
        else:
            told = f"{learned.learned} learned, {learned.held_back} held back, {learned.figures}"
            self.stdout.write(f"Version {learned.pk}: {told}")
