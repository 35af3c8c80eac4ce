"""manage.py triage_evaluate: one JSON line, or one clear complaint."""

import csv
import io
import json
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tests.lib.queries import STRANGE, rows

SHARED = Path(__file__).parents[3] / "shared/data/customer_queries/banking77_train.csv"
KEYS = {"accuracy", "coverage_at_95", "precision_at_95", "coverage_at_99", "precision_at_99", "oos_recall", "seconds"}


def write(path: Path, found: list[tuple[str, str]], encoding: str = "utf-8") -> str:
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file).writerows([("text", "label"), *found])
    return str(path)


def evaluate(train: str, test: str) -> tuple[dict[str, float], str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("triage_evaluate", train=train, test=test, stdout=out, stderr=err)
    [line] = out.getvalue().splitlines()
    return json.loads(line), err.getvalue()


def test_it_prints_one_line_about_the_second_file(tmp_path: Path) -> None:
    held = [*rows(holdout=True), *((text, "oos") for text in STRANGE[:4]), ("", "oos"), ("a label of its own", "new")]
    lessons = [*rows(holdout=False), *((text, "oos") for text in STRANGE[4:])]
    said, complaint = evaluate(write(tmp_path / "a.csv", lessons, "utf-8-sig"), write(tmp_path / "b.csv", held))
    assert said.keys() >= KEYS
    assert said["rows"] == len(held) and said["oos_rows"] == 5
    assert 0.9 < said["accuracy"] < 1  # the label that nobody taught counts as wrong
    assert said["precision_at_95"] >= 0.95 and said["coverage_at_95"] > 0.5 and said["oos_recall"] >= 0.8
    assert "1 labels" in complaint and "new" in complaint


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "No such file"),
        ("text;label\na;b\n", "no column text and no column label"),
        ("text,category\na,b\n", "no column label"),
        ("text,label\n", "no rows"),
        ("", "no column text"),
        ("text,label\na,\n", "line 2: a row needs a text and a label"),
        ("text,label\na\n", "line 2: a row needs"),
        (b"text,label\n\xff\xfe,b\n", "no UTF-8"),
        ('text,label\n"never closed,b\n', "no CSV"),
        ("text,label\na,one\nb,one\n", "only one label"),
    ],
)
def test_a_file_that_is_of_no_use_is_named(tmp_path: Path, content: str | bytes | None, complaint: str) -> None:
    bad, good = tmp_path / "bad.csv", write(tmp_path / "good.csv", [("a parcel", "parcel"), ("a refund", "refund")])
    if content is not None:
        bad.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(CommandError, match=complaint) as error:
        call_command("triage_evaluate", train=str(bad), test=good)
    assert "bad.csv" in str(error.value)


@pytest.mark.long
@pytest.mark.skipif(not SHARED.exists(), reason="the file of real queries is not here")
def test_it_holds_on_real_queries_that_it_has_not_seen(tmp_path: Path) -> None:
    """Every fifth query is held out, and five of the 77 labels are in nobody's lessons."""
    with SHARED.open(encoding="utf-8", newline="") as file:
        found = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    hidden = set(sorted({label for _text, label in found})[::16])
    lessons = [(text, label) for place, (text, label) in enumerate(found) if place % 5 and label not in hidden]
    held = [(text, "oos" if label in hidden else label) for text, label in found[::5]]
    said, _ = evaluate(
        write(tmp_path / "a.csv", lessons), write(tmp_path / "b.csv", [*held, *((text, "oos") for text in STRANGE)])
    )
    assert said["accuracy"] > 0.9
    assert said["precision_in_scope_at_95"] >= 0.95 and said["coverage_at_95"] > 0.8
    assert said["precision_in_scope_at_99"] >= 0.985 and said["coverage_at_99"] > 0.55
