"""manage.py receive_mail [--mailbox SLUG] < message.eml: the pipe by which a mail server on this machine hands mail over.

Exit codes are those of sysexits.h, which Postfix and Exim know: 0 accepted and committed, 75 try again later,
64 called wrongly, 65 not a message that could ever be taken, 67 --to is no address of ours.
"""

import sys
from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from helpdesk.mail import inbox
from helpdesk.mail.models import Mailbox

log = structlog.get_logger(__name__)
EX_USAGE, EX_DATAERR, EX_NOUSER, EX_TEMPFAIL = 64, 65, 67, 75


class Command(BaseCommand):
    help = "Accept one raw message from standard input. Exit 0: accepted and committed. Exit 75: try again later."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--mailbox", default="", metavar="SLUG", help="whose mail it is; else by --to, else the default one")
        parser.add_argument("--to", default="", metavar="ADDRESS", help="the envelope's recipient")
        parser.add_argument("--from", dest="sender", default="", metavar="ADDRESS", help="the envelope's sender")

    def handle(self, *args: Any, mailbox: str, to: str, sender: str, **options: Any) -> None:
        raw = sys.stdin.buffer.read()
        if not raw.strip():
            raise CommandError("There is no message on standard input", returncode=EX_DATAERR)
        try:
            with transaction.atomic():
                row = inbox.receive(raw, _mailbox(mailbox, to), source="pipe", envelope_from=sender, envelope_to=to)
        except CommandError:
            raise
        except inbox.TooLarge as error:
            raise CommandError(str(error), returncode=EX_DATAERR) from error
        except Exception as error:  # nothing was committed: the mail server keeps it
            raise CommandError(f"Not accepted now: {type(error).__name__}: {error}", returncode=EX_TEMPFAIL) from error
        self.stdout.write(f"Accepted: mail {row.pk}, see /operations/ for what becomes of it")


def _mailbox(slug: str, to: str) -> Mailbox:
    if slug:
        found = Mailbox.objects.filter(slug=slug).first()
    else:
        found = inbox.mailbox_for(to) if to else Mailbox.objects.filter(is_default=True).first()
    if found is None and to and not slug:
        raise CommandError(f"{to} is no address of ours", returncode=EX_NOUSER)
    if found is None:
        raise CommandError(f"There is no mailbox {slug}" if slug else "There is no default mailbox", returncode=EX_USAGE)
    return found
