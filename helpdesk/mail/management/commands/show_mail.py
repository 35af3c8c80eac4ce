"""manage.py show_mail FILE… [--json]: how a message is read, without a database."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from helpdesk.mail.parsing import Address, Mail, read


class Command(BaseCommand):
    help = "Show how mail is read: sender, bodies, new part, files, ids, whether it is automatic or a bounce."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", help="a raw message; - reads one from standard input")
        parser.add_argument("--json", action="store_true", help="one line of JSON for each file")

    def handle(self, *args: Any, files: list[str], json: bool, **options: Any) -> None:
        for name in files:
            try:
                raw = self._stdin() if name == "-" else Path(name).read_bytes()
            except OSError as error:
                raise CommandError(f"{name}: {error.strerror}") from error
            mail = read(raw)
            self.stdout.write(_line(mail) if json else _page(name, mail))

    @staticmethod
    def _stdin() -> bytes:
        import sys

        return sys.stdin.buffer.read()


def shown(mail: Mail) -> dict[str, Any]:
    """What the command prints: the fields of a message by the names that the documentation gives them."""
    bounce = mail.bounce
    return {
        "from": mail.from_ and _person(mail.from_),
        "to": [_person(one) for one in mail.to],
        "cc": [_person(one) for one in mail.cc],
        "subject": mail.subject,
        "text": mail.text,
        "reply": mail.reply,
        "html": mail.html,
        "attachments": [{"name": one.name, "content_type": one.content_type, "size": one.size} for one in mail.attachments],
        "message_id": mail.message_id,
        "in_reply_to": mail.in_reply_to,
        "references": list(mail.references),
        "automatic": mail.automatic,
        "bounce": bounce
        and {
            "recipients": list(bounce.recipients),
            "status": bounce.status,
            "permanent": bounce.permanent,
            "reason": bounce.reason,
            "kind": bounce.kind,
        },
    }


def _person(one: Address) -> dict[str, str]:
    return {"name": one.name, "address": one.address}


def _line(mail: Mail) -> str:
    return json.dumps(shown(mail), ensure_ascii=False)


def _page(name: str, mail: Mail) -> str:
    fields = {key: value for key, value in shown(mail).items() if key not in ("text", "html", "reply")}
    heads = "\n".join(f"{key:>12}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items())
    return f"{name}\n{heads}\n\n{mail.reply}\n"
