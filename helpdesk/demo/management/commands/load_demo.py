from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from helpdesk.accounts.models import User
from helpdesk.demo import people, queues
from helpdesk.demo.story import Story
from helpdesk.lib import dates


class Command(BaseCommand):
    help = "Fill an empty database with a small demo: three people here, twelve customers, two weeks of work."

    @transaction.atomic
    def handle(self, **_: Any) -> None:
        if User.objects.exists():
            raise CommandError("This database has people in it already; the demo is for an empty one.")
        with dates.moved(by=-timedelta(days=90)):
            staff, customers = people.staff(), people.customers()
        Story(staff, customers).tell()
        queues.views(staff)
        for name, email, role, _teams in people.STAFF:
            self.stdout.write(f"{email:<24} {people.PASSWORD:<16} {name}, {role}")
        if settings.MAIL_TRANSPORT != "file":
            self.stdout.write("Mail to the demo's customers goes to addresses that do not exist.")
