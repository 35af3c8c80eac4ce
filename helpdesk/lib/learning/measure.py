"""What a model is worth, on rows that it has not learned from."""

from collections.abc import Sequence
from typing import Any

from helpdesk.lib.learning.judge import LEVELS
from helpdesk.lib.learning.model import Guess

OUT_OF_SCOPE = "oos"


def measure(guesses: Sequence[Guess], labels: Sequence[str]) -> dict[str, Any]:
    """Accuracy, and for each threshold coverage and precision; shares of nothing are None.

    Accuracy and coverage are shares of the rows that are in scope. Precision is of everything that was answered: an answer to
    a row out of scope is a wrong one. So a label the model was never shown counts against accuracy, and an answer to it too.
    """
    scope = [label != OUT_OF_SCOPE for label in labels]
    right = [guess.label == label for guess, label in zip(guesses, labels, strict=True)]
    found: dict[str, Any] = {"accuracy": _share(right, scope)}
    for level in LEVELS:
        answered = [guess.level >= level for guess in guesses]
        found[f"coverage_at_{level}"] = _share(answered, scope)
        found[f"precision_at_{level}"] = _share(right, answered)
        found[f"precision_in_scope_at_{level}"] = _share(right, [a and s for a, s in zip(answered, scope, strict=True)])
    found["oos_recall"] = _share([guess.level == 0 for guess in guesses], [not each for each in scope])
    found |= {"rows": len(scope), "oos_rows": len(scope) - sum(scope)}
    return found


def _share(yes: Sequence[bool], among: Sequence[bool]) -> float | None:
    return round(sum(y and a for y, a in zip(yes, among, strict=True)) / sum(among), 4) if any(among) else None
