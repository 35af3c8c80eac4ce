"""The corpus, damaged at random: nothing escapes, the limits hold, and each mail ends as ticketed, ignored or quarantined.

A failure names the seed and the number of its message: `mutated(SEED, NUMBER)` makes it again.
"""

import subprocess
import sys

import pytest

from helpdesk.mail import inbox
from helpdesk.mail.models import IncomingMail, Mailbox
from tests.mail.mutations import ROOT, mutated

ENDS = {IncomingMail.State.TICKETED, IncomingMail.State.IGNORED, IncomingMail.State.QUARANTINED}
CHUNK = 500  # one test's share, so that two cores take turns


def read_all(seed: int, count: int) -> None:
    """Read them in a process under the reader's limits, which the kernel enforces; one that breaks them ends it."""
    program = f"from tests.mail.mutations import under_limits; under_limits({seed}, {count})"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr[-3_000:]}\nmutated({seed}, {done.stdout.split()[-1:]})"


def end_all(seed: int, count: int, mailbox: Mailbox) -> None:
    for number in range(count):
        raw = mutated(seed, number)
        row = inbox.receive(raw, mailbox, source="pipe")
        inbox.process_due()
        row = IncomingMail.objects.get(pk=row.pk)
        assert row.state in ENDS and row.attempts == 1, f"mutated({seed}, {number}): {row.state} {row.reason}"
        assert bytes(row.raw) == raw or row.digest == inbox.digest(raw), f"mutated({seed}, {number})"


@pytest.mark.parametrize("seed", range(4))
def test_damaged_mail_is_read(seed: int) -> None:
    read_all(seed, CHUNK)


@pytest.mark.django_db
def test_damaged_mail_has_one_of_three_ends(support: Mailbox) -> None:
    end_all(100, 25, support)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1_000, 1_100))
def test_damaged_mail_is_read_at_length(seed: int) -> None:
    read_all(seed, CHUNK)


@pytest.mark.long
@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(2_000, 2_004))
def test_damaged_mail_has_one_of_three_ends_at_length(seed: int, support: Mailbox) -> None:
    end_all(seed, CHUNK, support)
