import json
from typing import Any, TextIO

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.utils.module_loading import import_string

from helpdesk.customers.models import Customer


class Command(BaseCommand):
    help = "Write all that is kept about one customer as JSON: {room: {table: [rows]}}; files and mails as base64."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=int, help="the number in the address of the customer's page")

    def handle(self, *, id: int, **_: Any) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")  # one moment, however long it takes
            if not Customer.objects.filter(pk=id).exists():
                raise CommandError(f"There is no customer {id}.")
            export(id, self.stdout)  # type: ignore[arg-type]


def export(customer_id: int, out: TextIO) -> None:
    """Row by row, so that a person with gigabytes of mail costs no more memory than their largest."""
    encoder = DjangoJSONEncoder(ensure_ascii=False)
    out.write("{")
    for first, name in enumerate(settings.PERSONAL_DATA):
        room = name.split(".")[-3]
        out.write(("," if first else "") + f"\n{json.dumps(room)}: {{")
        for second, (table, rows) in enumerate(import_string(name)(customer_id).items()):
            out.write(("," if second else "") + f"\n {json.dumps(table)}: [")
            for third, row in enumerate(rows):
                out.write(("," if third else "") + "\n  " + encoder.encode(row))
            out.write("]")
        out.write("}")
    out.write("}\n")
