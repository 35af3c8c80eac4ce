"""Texts as numbers: words, pieces of words, and what words mean."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import normalize

LONGEST = 1000  # characters of a text that are read: what it is about stands at its beginning
WORD = re.compile(r"\w+")
MOST = 80_000  # words and pairs of words, and as many pieces
RARE = {"words": 1, "pieces": 2}  # in fewer texts than this, it says nothing

WIDTH = 256  # numbers of a meaning

Counts = Any  # scipy.sparse.csr_matrix
Floats = Any  # numpy.ndarray


def clean(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text[: 4 * LONGEST]).lower().split())[:LONGEST]


@dataclass
class Read:
    """Texts, counted once; folds of a cross-validation weigh rows of it instead of counting again."""

    counts: dict[str, Counts]
    tokens: Floats  # how many words each has
    meaning: Floats

    def __getitem__(self, rows: Any) -> "Read":
        return Read({name: each[rows] for name, each in self.counts.items()}, self.tokens[rows], self.meaning[rows])


class Vocabulary:
    """The words and pieces that there are."""

    def __init__(self, names: dict[str, list[str]] | None = None) -> None:
        self._counters = {
            "words": self._counter("words", names, token_pattern=WORD.pattern, ngram_range=(1, 2)),
            "pieces": self._counter("pieces", names, analyzer="char_wb", ngram_range=(2, 5)),
        }

    @staticmethod
    def _counter(part: str, names: dict[str, list[str]] | None, **how: Any) -> CountVectorizer:
        how |= {"lowercase": False, "dtype": np.float32}
        if names is None:
            return CountVectorizer(max_features=MOST, min_df=RARE[part], **how)
        return CountVectorizer(vocabulary={name: place for place, name in enumerate(names[part])}, **how)

    def learn(self, texts: Sequence[str]) -> Read:
        """Raises ValueError where the texts hold no words at all."""
        return self._read(texts, {part: each.fit_transform(texts) for part, each in self._counters.items()})

    def read(self, texts: Sequence[str]) -> Read:
        return self._read(texts, {part: each.transform(texts) for part, each in self._counters.items()})

    @staticmethod
    def _read(texts: Sequence[str], counts: dict[str, Counts]) -> Read:
        return Read(
            {part: sparse.csr_matrix(each) for part, each in counts.items()},
            np.array([len(WORD.findall(text)) for text in texts], np.float32),
            meanings(texts),
        )

    def names(self, part: str) -> list[str]:
        known: list[str] = self._counters[part].get_feature_names_out().tolist()
        return known


@dataclass
class Weights:
    """How telling each word is, by how few of the texts at hand have it; what they do not have weighs nothing."""

    of: dict[str, Floats]

    @classmethod
    def learn(cls, read: Read) -> "Weights":
        found = {}
        for part, counts in read.counts.items():
            texts = np.bincount(counts.indices, minlength=counts.shape[1])
            rarity = np.log((1 + counts.shape[0]) / (1 + texts)) + 1
            found[part] = np.where(texts >= RARE[part], rarity, 0).astype(np.float32)
        return cls(found)

    def weigh(self, read: Read) -> Counts:
        """A row a text: its words, its pieces and its meaning, each of length one."""
        parts = []
        for part, counts in read.counts.items():
            row = counts.copy()
            row.data = (1 + np.log(row.data)) * self.of[part][row.indices]
            parts.append(normalize(row) if row.shape[0] else row)
        return sparse.hstack([*parts, sparse.csr_matrix(read.meaning)]).tocsr()

    def unknown(self, read: Read, single: Floats) -> Floats:
        """How many of the words of each text are in none of the texts at hand. ``single``: which are words, not pairs."""
        known = ((self.of["words"] > 0) & single).astype(np.float32)
        return np.maximum(read.tokens - read.counts["words"] @ known, 0)


def meanings(texts: Sequence[str]) -> Floats:
    """A direction for each text, near for near meanings; zeros for none."""
    if not len(texts):
        return np.zeros((0, WIDTH), np.float32)
    found: Floats = normalize(np.nan_to_num(_table().embed([text or " " for text in texts], norm=False).astype(np.float32)))
    return found


@lru_cache(maxsize=1)
def _table() -> Any:
    """WordLlama's table of 32,000 word pieces in 256 numbers each, from its own wheel. It never asks the network.

    Named as its own cache: its wheel brings the tokenizer in a folder of another name than its code looks in.
    """
    import wordllama

    return wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
