"""Which of the known labels a text has, and the signs by which one may judge that guess."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.svm import LinearSVC

from helpdesk.lib.learning.texts import Counts, Floats, Read, Weights

SHARP = 5.0  # turns distances from the planes into shares; the judge corrects what is wrong with it
NEAR = 10  # texts of the past that are looked at beside a new one
AT_ONCE = 2000  # rows compared with all of the past at a time


@dataclass
class Classifier:
    weights: Weights
    labels: Floats  # of each column of `planes`
    planes: Floats  # label × feature
    offsets: Floats
    centres: Floats  # meaning × label
    past: Floats  # the meaning of each text learned from
    place: Floats  # and its label's column

    @classmethod
    def learn(cls, read: Read, labels: Floats) -> "Classifier":
        """One plane a label (Fan et al. 2008, LIBLINEAR). At least two labels."""
        weights = Weights.learn(read)
        fitted = LinearSVC(C=1.0, random_state=0, tol=1e-3).fit(weights.weigh(read), labels)
        names, place = np.unique(labels, return_inverse=True)
        planes, offsets = fitted.coef_.astype(np.float32), fitted.intercept_.astype(np.float32)
        if len(names) == 2:  # it then has one plane, for the second
            planes, offsets = np.vstack([-planes, planes]), np.concatenate([-offsets, offsets])
        member = (place[:, None] == np.arange(len(names))).astype(np.float32)
        centres = read.meaning.T @ member
        centres /= np.maximum(np.linalg.norm(centres, axis=0), 1e-9)
        return cls(weights, names, planes, offsets, centres, read.meaning, place.astype(np.int32))

    def scores(self, rows: Counts) -> Floats:
        return np.asarray(rows @ self.planes.T) + self.offsets

    def guess(self, read: Read, single: Floats) -> tuple[Floats, Floats]:
        """The column of the likeliest label of each text, and its signs."""
        scores = self.scores(self.weights.weigh(read))
        best, rows = scores.argmax(1), np.arange(len(scores))
        ordered = -np.sort(-np.pad(scores, ((0, 0), (0, 1)), constant_values=-2.0), axis=1)
        shares = np.exp(SHARP * (scores - ordered[:, :1]))
        top = np.clip(1 / shares.sum(1), 1e-6, 1 - 1e-6)
        alike = read.meaning @ self.centres
        nearest, agree = self._neighbours(read.meaning, best)
        unknown = self.weights.unknown(read, single)
        signs = np.column_stack(
            [
                np.log(top / (1 - top)),
                ordered[:, 0],
                ordered[:, 0] - ordered[:, 1],
                ordered[:, 0] - ordered[:, min(2, ordered.shape[1] - 1)],
                alike[rows, best],
                alike.max(1),
                nearest,
                agree,
                unknown / np.maximum(read.tokens, 1),
                np.log1p(unknown),
                np.log1p(read.tokens),
            ]
        )
        return best, signs

    def _neighbours(self, meaning: Floats, best: Floats) -> tuple[Floats, Floats]:
        """How near the nearest text of the past is, and how many of the nearest have this label."""
        near = min(NEAR, len(self.past))
        close, agree = np.zeros(len(meaning), np.float32), np.zeros(len(meaning), np.float32)
        for start in range(0, len(meaning), AT_ONCE):
            part: Any = slice(start, start + AT_ONCE)
            alike = meaning[part] @ self.past.T
            at = np.argpartition(-alike, near - 1, axis=1)[:, :near]
            close[part] = alike.max(1)
            agree[part] = (self.place[at] == best[part, None]).mean(1)
        return close, agree
