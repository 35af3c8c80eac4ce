"""manage.py fetch_mail [SLUG…]: look into the IMAP mailboxes now, and say what is wrong with each."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from helpdesk.mail import imap
from helpdesk.mail.models import Mailbox


class Command(BaseCommand):
    help = "Fetch new mail from the IMAP mailboxes, all or those named."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slugs", nargs="*", metavar="SLUG")

    def handle(self, *args: Any, slugs: list[str], **options: Any) -> None:
        boxes = Mailbox.objects.exclude(imap_host="")
        chosen = list(boxes.filter(slug__in=slugs) if slugs else boxes)
        if unknown := set(slugs) - {box.slug for box in chosen}:
            raise CommandError(f"No IMAP server is set for: {', '.join(sorted(unknown))}")
        for box in chosen:
            count = imap.fetch(box)
            box.refresh_from_db()
            self.stdout.write(f"{box.slug}: {box.last_error or f'{count} fetched'}")
