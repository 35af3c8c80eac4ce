"""A short `make chaos`: every process killed at random, and every promise kept; and the chaos itself, which must see red."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def chaos(seconds, sabotage=""):
    prepare = ["--prepare", f"tests.chaos.sabotage.{sabotage}", "--kill-every", "0.25"] if sabotage else []
    done = subprocess.run(
        [sys.executable, "-m", "bench.chaos", "--json", "--seconds", str(seconds), *prepare],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 1) and done.stdout, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert bool(said["wrong"]) == bool(done.returncode)
    return said


def test_nothing_accepted_is_lost_and_nothing_is_sent_twice():
    said = chaos(15)
    figures = said["figures"]
    assert not said["wrong"], said
    # it did happen: some of everything was killed, and work went on meanwhile
    assert figures["kills"] >= 30, figures
    for role in ("web", "dispatcher", "campaigns", "replies", "smtp"):
        assert figures.get(f"killed: {role}"), figures
    assert figures["fault: database stopped immediate"] and figures["fault: FLUSHALL"] and figures["fault: broker away"], figures
    for kind in ("events", "tickets", "mails", "messages", "taken by the mail server"):
        assert figures[kind] >= 10, figures


@pytest.mark.long
@pytest.mark.parametrize(
    "sabotage, seen",
    [
        ("hand_over_before_the_stamp_is_committed", "extra copies"),
        ("send_again_what_is_in_doubt", "extra copies"),
        ("deliver_and_delete_apart", "events handed over twice"),
        ("accept_mail_before_it_is_kept", "mails lost"),
    ],
)
def test_breaks_are_seen(sabotage, seen):
    said = chaos(20, sabotage)
    assert said["figures"][seen] > 0, said
