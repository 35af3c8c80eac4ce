"""How far a guess can be trusted: learned from guesses about texts that the classifier had not seen."""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from helpdesk.lib.learning.bounds import lowest
from helpdesk.lib.learning.texts import Floats

LEVELS = (95, 99)
STRANGE = 0.5  # the weight of texts about nothing known, beside all that are about something known
LEFT_ALONE = 0.8  # of texts about a label it was never shown, at least this share stays without an answer
NEVER = float("inf")
FEWEST = 20  # guesses; from fewer, nothing is concluded


@dataclass
class Judge:
    """A logistic regression over the signs; ``levels`` are the thresholds on what it says."""

    mean: Floats
    spread: Floats
    pull: Floats
    offset: float

    @classmethod
    def learn(cls, signs: Floats, right: Floats, strange: Floats) -> "Judge":
        rows = np.vstack([signs, strange])
        held = np.concatenate([right, np.zeros(len(strange), bool)])
        weight = np.concatenate([np.ones(len(signs)), np.full(len(strange), STRANGE * len(signs) / max(1, len(strange)))])
        mean, spread = rows.mean(0), np.maximum(rows.std(0), 1e-6)
        if held.all() or not held.any():  # nothing to tell apart: the first sign, the classifier's own word
            return cls(mean, spread, np.eye(rows.shape[1])[0], 0.0)
        fitted = LogisticRegression(C=1.0, max_iter=1000).fit((rows - mean) / spread, held, sample_weight=weight)
        return cls(mean, spread, fitted.coef_[0], float(fitted.intercept_[0]))

    def say(self, signs: Floats) -> Floats:
        """How likely each guess is right, from 0 to 1."""
        said = ((signs - self.mean) / self.spread) @ self.pull + self.offset
        return 1 / (1 + np.exp(-np.clip(said, -30, 30)))


def threshold(said: Floats, right: Floats, unseen: Floats, level: int) -> float:
    """The lowest word of the judge above which at least ``level`` of 100 answers are right, by the lower end of an interval.

    And it lies high enough to leave alone what is about labels it was never shown (``unseen``), by LEFT_ALONE.
    """
    if len(said) < FEWEST:
        return NEVER
    order = np.argsort(-said, kind="stable")
    answered = np.arange(1, len(said) + 1)
    rights = np.cumsum(right[order])
    ends = np.append(np.diff(said[order]) < 0, True)  # equal words are answered together or not at all
    good = [n for n, r, end in zip(answered, rights, ends, strict=True) if end and lowest(float(r), float(n)) >= level / 100]
    if not good:
        return NEVER
    found = float(said[order][good[-1] - 1])
    return max(found, float(np.quantile(unseen, LEFT_ALONE))) if len(unseen) else found
