"""manage.py triage_evaluate: learn to file texts from one file, and say in one line of JSON how well it does on another."""

import csv
import json
import os
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

COLUMNS = ("text", "label")
SHOWN = 5


class Command(BaseCommand):
    help = (
        "Learn from --train (CSV with the columns text and label), fix the thresholds there by cross-validation, and print one"
        " JSON line about --test. The label oos marks what is out of scope, in either file."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--train", required=True, metavar="FILE")
        parser.add_argument("--test", required=True, metavar="FILE")

    def handle(self, *args: Any, train: str, test: str, **options: Any) -> None:
        begun = time.monotonic()
        lessons, questions = rows_of(train), rows_of(test)
        from helpdesk.lib.learning.measure import OUT_OF_SCOPE, measure
        from helpdesk.lib.learning.model import TooLittle, learn

        known = [(text, label) for text, label in lessons if label != OUT_OF_SCOPE]
        strange = [text for text, label in lessons if label == OUT_OF_SCOPE]
        if new := sorted({label for _text, label in questions} - {label for _text, label in known} - {OUT_OF_SCOPE}):
            few = ", ".join(new[:SHOWN]) + (" …" if len(new) > SHOWN else "")
            self.stderr.write(f"{len(new)} labels of {test} are not in {train}; their rows count as wrong: {few}")
        try:
            model = learn([text for text, _ in known], [label for _, label in known], strange, threads=os.cpu_count() or 1)
        except TooLittle as error:
            raise CommandError(f"{train}: {error}") from error
        found = measure(model.ask([text for text, _ in questions]), [label for _, label in questions])
        self.stdout.write(json.dumps({**found, "seconds": round(time.monotonic() - begun, 1)}))


def rows_of(name: str) -> list[tuple[str, str]]:
    """Text and label of every row. Raises CommandError, which names the file and the line."""
    csv.field_size_limit(10_000_000)
    try:
        with Path(name).open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, strict=True)
            if missing := [column for column in COLUMNS if column not in (table.fieldnames or ())]:
                raise CommandError(f"{name}: the first line names no column {' and no column '.join(missing)}.")
            found = []
            for row in table:
                text, label = row["text"], (row["label"] or "").strip()
                if text is None or not label:
                    raise CommandError(f"{name}, line {table.line_num}: a row needs a text and a label.")
                found.append((text, label))
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{name}: this is no UTF-8 ({error.reason}).") from error
    except csv.Error as error:
        raise CommandError(f"{name}: this is no CSV ({error}).") from error
    if not found:
        raise CommandError(f"{name}: there are no rows.")
    return found
