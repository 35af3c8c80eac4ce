"""Damage at random to the messages of the corpus, and their reading in a process under the reader's own limits."""

import random
import sys
from pathlib import Path

from helpdesk.mail.parsing import read, worker
from tests.mail.test_hostile import PIECES, storable

ROOT = Path(__file__).resolve().parents[2]
CORPUS = [path.read_bytes() for path in sorted((ROOT / "tests" / "mailbox").glob("*.eml"))]


def mutated(seed: int, number: int) -> bytes:
    """A message of the corpus with one to eight things done to it."""
    dice = random.Random(f"{seed}/{number}")
    raw = bytearray(dice.choice(CORPUS))
    for _ in range(dice.randint(1, 8)):
        at = dice.randint(0, len(raw))
        to = min(len(raw), at + int(dice.expovariate(1 / 40)))
        match dice.randrange(9):
            case 0:
                raw[at:to] = bytes(dice.randrange(256) for _ in range(to - at))
            case 1:
                del raw[at:to]
            case 2:
                raw[at:at] = dice.choice(PIECES)
            case 3:
                raw[at:at] = raw[at:to] * dice.choice((1, 2, 30))
            case 4:
                other = dice.choice(CORPUS)
                begin = dice.randint(0, len(other))
                raw[at:to] = other[begin : begin + dice.randint(0, 300)]
            case 5:
                del raw[at:]
            case 6:
                lines = bytes(raw).split(b"\n")
                dice.shuffle(lines)
                raw = bytearray(b"\n".join(lines))
            case 7:
                raw[at:to] = raw[at:to].swapcase()
            case 8:
                raw[at:at] = dice.choice(PIECES) * dice.choice((2, 50, 1_000))
    return bytes(raw[:300_000])


def under_limits(seed: int, count: int) -> None:
    worker._limit_memory()
    for number in range(count):
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        worker._limit_time()
        storable(read(mutated(seed, number)))
