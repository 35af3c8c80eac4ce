"""Rows of the result, and how a figure becomes fair: both sides in turn, in one run, the median of each."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db import connection


@dataclass
class Row:
    """``ratio`` is figure to limit, except for counts, which are held against ``budget`` themselves."""

    name: str
    figure: float
    unit: str
    limit: float | None
    ratio: float | None
    budget: str
    ok: bool


@dataclass
class Results:
    """What was measured so far."""

    fast: bool
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def at_least(self, name: str, figure: float, unit: str, *, limit: float, budget: float) -> None:
        """More is better: the figure must reach this part of the limit."""
        ratio = figure / limit
        self.add(Row(name, figure, unit, limit, ratio, f"≥ {budget:g}", ratio >= budget))

    def at_most(self, name: str, figure: float, unit: str, *, limit: float, budget: float) -> None:
        """Less is better: the figure may be this many times the limit."""
        ratio = figure / limit
        self.add(Row(name, figure, unit, limit, ratio, f"≤ {budget:g}", ratio <= budget))

    def count(self, name: str, figure: float, unit: str, *, budget: float) -> None:
        self.add(Row(name, figure, unit, None, None, f"≤ {budget:g} {unit}", figure <= budget))

    def add_seconds(self, name: str, figure: float, *, budget: float) -> None:
        """A time that has no limit to be held against: only for whole starts and waits, which are seconds long."""
        self.add(Row(name, figure, "s", None, None, f"≤ {budget:g} s", figure <= budget))

    def failed(self, name: str, error: Exception) -> None:
        """A part that could not be measured is a row that missed its budget."""
        self.add(Row(f"{name}: {type(error).__name__}: {error}"[:120], 0, "", None, None, "measured", False))

    def add(self, row: Row) -> None:
        self.rows.append(row)
        print(line(row), flush=True)

    def note(self, text: str) -> None:
        """For information, without a budget."""
        self.notes.append(text)
        print(f"  {text}", flush=True)

    def as_json(self) -> dict[str, Any]:
        return {"rows": [asdict(row) for row in self.rows], "notes": self.notes}


def line(row: Row) -> str:
    limit = f"{row.limit:>12,.4g}" if row.limit is not None else " " * 12
    ratio = f"{row.ratio:>8.3g}" if row.ratio is not None else " " * 8
    return f"{'ok    ' if row.ok else 'MISSED'} {row.name:<64} {row.figure:>12,.4g} {row.unit:<12} {limit} {ratio}  {row.budget}"


def in_turn(rounds: int, *sides: Callable[[], float]) -> list[float]:
    """Run the sides one after the other, ``rounds`` times; the median of what each returned, such as rows a second."""
    taken: list[list[float]] = [[] for _ in sides]
    for turn in range(rounds):
        order = list(range(len(sides)))
        for side in order if turn % 2 == 0 else reversed(order):
            taken[side].append(sides[side]())
    return [statistics.median(each) for each in taken]


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def p95(values: list[float]) -> float:
    return sorted(values)[max(0, round(len(values) * 0.95) - 1)]


@contextmanager
def statements() -> Iterator[list[str]]:
    """The SQL of every statement inside the block."""
    seen: list[str] = []

    def watch(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        yield seen
