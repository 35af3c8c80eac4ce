"""manage.py simulate: a month of a whole desk on the moved clock, and whether the desk kept its word."""

import json
import time
from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from helpdesk.accounts.models import Calendar, Team
from helpdesk.demo.month import workers
from helpdesk.demo.month.desk import furnish
from helpdesk.demo.month.ending import Summary, examine, summary
from helpdesk.demo.month.play import Month
from helpdesk.demo.month.roster import Roster
from helpdesk.demo.month.scheme import FIRST_DAY, ZONE, Scheme, scheme
from helpdesk.demo.month.watch import Watch
from tickets.models import Policy, Rule, Ticket

CLOCKS = {
    "first_reply": "first reply",
    "next_reply": "next reply",
    "resolution": "resolution",
    "full_resolution": "full resolution",
}


def between(least: int, most: int) -> Any:
    def number(text: str) -> int:
        if not text.isdigit() or not least <= int(text) <= most:
            raise ArgumentTypeError(f"{text!r} is no number from {least} to {most}.")
        return int(text)

    return number


class Command(BaseCommand):
    help = (
        "Play a month of a desk on the moved clock, in an empty or a throw-away database: customers write, people with shifts,"
        " skills and days off answer, tickets are handed out, promises are kept or missed; and check it at every tick."
        " Ends with 1 if anything was wrong."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tickets", type=between(1, 1_000_000), default=20_000)
        parser.add_argument("--agents", type=between(3, 200), default=12)
        parser.add_argument("--days", type=between(1, 90), default=30)
        parser.add_argument("--seed", type=between(0, 10**9), default=1)
        parser.add_argument(
            "--every",
            type=between(1, 60),
            default=5,
            metavar="MINUTES",
            help="what people do in so many minutes is drawn together into the first; 1 is slowest",
        )
        parser.add_argument("--json", action="store_true", help="one line of JSON instead of the summary")

    def handle(self, *, tickets: int, agents: int, days: int, seed: int, every: int, **options: Any) -> None:
        if any(model.objects.exists() for model in (Ticket, Team, Calendar, Policy, Rule)):
            raise CommandError("This database holds tickets or a desk; the simulation is for an empty or a throw-away one.")
        begun, found = time.monotonic(), scheme(agents, days, seed)
        with workers.alone():
            furnish(found)
            month = Month(found, Watch(found, Roster(found)), tickets, seed, every)
            month.run(lambda at: self._progress(month, at, begun) if options["verbosity"] > 1 else None)
            examine(month)
        told = summary(month, time.monotonic() - begun)
        self.stdout.write(json.dumps(told.as_json()) if options["json"] else self._words(told, found, seed))
        for line in month.watch.violations:
            self.stderr.write(line)
        if told.violations:
            raise CommandError(f"{told.violations} violations.", returncode=1)

    def _progress(self, month: Month, at: datetime, begun: float) -> None:
        watch, passed = month.watch, time.monotonic() - begun
        self.stdout.write(
            f"{at.astimezone(ZONE):%d %b}  {len(watch.mirror.tickets):>7,} tickets  {watch.found.total()} wrong  {passed:>6.0f} s"
        )
        self.stdout.flush()

    def _words(self, told: Summary, found: Scheme, seed: int) -> str:
        reply = told.first_reply
        lines = {
            "Desk": f"{len(found.people)} people, {len(found.teams)} teams, {found.days} days from {FIRST_DAY}, seed {seed}",
            "Tickets": f"{told.tickets:,} came in, {told.answered:,} answered, {told.solved:,} solved",
            "Messages": f"{told.messages:,} from customers, {told.replies:,} answers",
            "First reply": f"median {_spoken(reply['median'])}, P90 {_spoken(reply['p90'])};"
            f" in business hours {_spoken(reply['business_median'])} and {_spoken(reply['business_p90'])}",
            "Handed out": f"{told.gifts:,} times by the desk; longest queue {told.longest_queue:,}",
            "Missed": ", ".join(f"{CLOCKS[clock]} {count:,}" for clock, count in told.breached.items()) or "nothing",
            "Warned": f"{told.warned:,} times",
            "Checked": f"{told.checks:,} things at {told.ticks:,} ticks",
            "Violations": ", ".join([str(told.violations), *(f"{what}: {count}" for what, count in told.found.items())]),
            "Took": f"{told.seconds:,} s",
        }
        return "\n".join(f"{name:<12} {words}" for name, words in lines.items())


def _spoken(minutes: float) -> str:
    return f"{minutes:.0f} min" if minutes < 180 else f"{minutes / 60:.1f} h"
