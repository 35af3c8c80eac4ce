"""A model: learned, asked, kept as plain arrays."""

import io
import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np

from helpdesk.lib.learning.classifier import Classifier
from helpdesk.lib.learning.judge import FEWEST, LEVELS, NEVER, Judge, threshold
from helpdesk.lib.learning.texts import WORD, Floats, Read, Vocabulary, Weights, clean

FOLDS = 5
UNSEEN_FOLDS = 3
UNSEEN = 0.125  # of the labels are kept from the classifier in each of those
COMMON = 0.02  # a word in more of the texts than this says nothing about the label
SCRAMBLED = 300  # texts a fold
ARRAYS = ("planes", "offsets", "centres", "past", "place")
FORMAT = 1


class TooLittle(ValueError):
    """Not enough to learn from, and why. Permanent for these rows."""


@dataclass(frozen=True)
class Guess:
    label: str
    confidence: float  # 0 to 1
    level: int  # 99, 95, or 0: too unsure to say
    because: tuple[str, ...] = ()  # the words that spoke for it


@dataclass
class Held:
    """What the model said about rows that it had not seen when it said it; in the order of the rows learned from."""

    guesses: list[str]
    said: Floats
    right: Floats


@dataclass
class Model:
    vocabulary: Vocabulary
    classifier: Classifier
    judge: Judge
    levels: dict[int, float]
    held: Held | None = field(default=None, repr=False)
    single: Floats = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.words = self.vocabulary.names("words")
        self.single = _single(self.words)

    def ask(self, texts: Sequence[str], *, reasons: int = 0) -> list[Guess]:
        """What each text is about; with up to so many words that spoke for it."""
        if not len(texts):
            return []
        read = self.vocabulary.read([clean(text) for text in texts])
        best, signs = self.classifier.guess(read, self.single)
        said = np.where(read.counts["words"].getnnz(axis=1) > 0, self.judge.say(signs), 0)  # of no word known, nothing is known
        rows = self.classifier.weights.weigh(read) if reasons else None
        return [
            Guess(
                str(self.classifier.labels[column]),
                float(word),
                max((level for level, least in self.levels.items() if word >= least), default=0),
                self._because(rows[place], column, reasons) if rows is not None else (),
            )
            for place, (column, word) in enumerate(zip(best, said, strict=True))
        ]

    def _because(self, row: Any, column: int, most: int) -> tuple[str, ...]:
        """The words, and pairs of words, with the greatest pull towards this label; none that is within another."""
        words = len(self.words)
        pull = {place: value * self.classifier.planes[column, place] for place, value in zip(row.indices, row.data, strict=True)}
        spoke = sorted((place for place in pull if place < words and pull[place] > 0), key=lambda place: -pull[place])
        found: list[str] = []
        for place in spoke:
            word = self.words[place]
            if len(word) > 1 and not any(set(word.split()) & set(known.split()) for known in found):
                found.append(word)
            if len(found) == most:
                break
        return tuple(found)

    def save(self) -> IO[bytes]:
        """As an archive of numbers and one JSON text; halves of precision are enough for all but the judge."""
        names = {part: self.vocabulary.names(part) for part in ("words", "pieces")}
        head = {
            "format": FORMAT,
            "labels": [str(label) for label in self.classifier.labels],
            "names": names,
            "levels": {level: least for level, least in self.levels.items() if least != NEVER},
            "judge": [self.judge.mean.tolist(), self.judge.spread.tolist(), self.judge.pull.tolist(), self.judge.offset],
        }
        arrays = {name: getattr(self.classifier, name) for name in ARRAYS}
        arrays |= {f"weights_{part}": each for part, each in self.classifier.weights.of.items()}
        arrays = {name: each.astype(np.float16) if each.dtype == np.float32 else each for name, each in arrays.items()}
        out = io.BytesIO()
        np.savez_compressed(out, head=np.frombuffer(json.dumps(head).encode(), np.uint8), **arrays)
        out.seek(0)
        return out

    @classmethod
    def load(cls, kept: IO[bytes]) -> "Model":
        """Numbers and JSON only: nothing in the file is ever run. Raises ValueError for a file that is none of ours."""
        try:
            with np.load(kept, allow_pickle=False) as archive:
                head = json.loads(archive["head"].tobytes())
                if head["format"] != FORMAT:
                    raise ValueError(f"A model of format {head['format']}, not {FORMAT}.")
                arrays = {name: archive[name] for name in archive.files if name != "head"}
        except (KeyError, OSError, UnicodeDecodeError) as error:
            raise ValueError("This is no model.") from error
        arrays = {name: each.astype(np.float32) if each.dtype == np.float16 else each for name, each in arrays.items()}
        weights = Weights({part: arrays.pop(f"weights_{part}") for part in ("words", "pieces")})
        classifier = Classifier(weights, np.array(head["labels"]), **arrays)
        mean, spread, pull, offset = head["judge"]
        judge = Judge(np.array(mean), np.array(spread), np.array(pull), offset)
        levels = {level: head["levels"].get(str(level), NEVER) for level in LEVELS}
        return cls(Vocabulary(head["names"]), classifier, judge, levels)


def learn(texts: Sequence[str], labels: Sequence[str], strange: Sequence[str] = (), *, threads: int = 1) -> Model:
    """A model of these rows; ``strange`` are texts known to be about nothing among the labels. Raises TooLittle.

    It takes eight fits on most of the rows to fix the thresholds, then one on all of them.
    """
    cleaned, names = [clean(text) for text in texts], np.array([str(label) for label in labels])
    if len(set(names.tolist())) < 2:
        raise TooLittle("There is only one label, so there is nothing to tell apart." if len(names) else "There are no rows.")
    vocabulary = Vocabulary()
    try:
        read = vocabulary.learn(cleaned)
    except ValueError as error:
        raise TooLittle("There are no words to learn from.") from error
    single = _single(vocabulary.names("words"))
    trial = _Trial(vocabulary, read, names, cleaned, single, vocabulary.read([clean(text) for text in strange]))
    with ThreadPoolExecutor(threads) as pool:
        seen, unseen = pool.map(trial.fold, range(FOLDS)), pool.map(trial.without, range(UNSEEN_FOLDS))
        whole = pool.submit(Classifier.learn, read, names)
        judge, held, levels = trial.verdict([each for each in seen if each], [each for each in unseen if each is not None])
        return Model(vocabulary, whole.result(), judge, levels, held)


@dataclass
class _Trial:
    """The rows, tried: each is guessed by a classifier that had not seen it, nor a text of the same words."""

    vocabulary: Vocabulary
    read: Read
    labels: Floats
    texts: list[str]
    single: Floats
    strange: Read

    def __post_init__(self) -> None:
        self.folds = _folds(self.texts, self.labels)
        self.common = self._common_words()

    def fold(self, number: int) -> tuple[Floats, Floats, Floats, Floats] | None:
        """The rows of one fold, their guesses, their signs, and the signs of texts about nothing."""
        here = self.folds == number
        if not here.any() or len(set(self.labels[~here].tolist())) < 2:
            return None
        classifier = Classifier.learn(self.read[~here], self.labels[~here])
        best, signs = classifier.guess(self.read[here], self.single)
        nothing = [self.vocabulary.read(self._scrambled(np.flatnonzero(here), number)), self.strange]
        odd = [classifier.guess(each, self.single)[1] for each in nothing if len(each.tokens)]
        return np.flatnonzero(here), classifier.labels[best], signs, np.vstack(odd)

    def without(self, number: int) -> Floats | None:
        """Signs of texts whose labels the classifier was not shown at all."""
        names = np.random.default_rng(77).permutation(np.unique(self.labels))
        hidden = names[number::UNSEEN_FOLDS][: max(1, round(len(names) * UNSEEN))]
        here = np.isin(self.labels, hidden)
        if len(names) - len(hidden) < 2:
            return None
        return Classifier.learn(self.read[~here], self.labels[~here]).guess(self.read[here], self.single)[1]

    def verdict(self, seen: list[tuple[Floats, ...]], unseen: list[Floats]) -> tuple[Judge, Held | None, dict[int, float]]:
        """The judge of all signs; and the thresholds, on what judges said who had not seen the rows they judged."""
        if not seen:
            width = 11
            return Judge(np.zeros(width), np.ones(width), np.eye(width)[0], 0.0), None, dict.fromkeys(LEVELS, NEVER)
        rows, guesses, signs = (np.concatenate([each[part] for each in seen]) for part in range(3))
        odd = np.vstack([each[3] for each in seen])
        new = np.vstack(unseen) if unseen else odd[:0]
        strange, right, fold = np.vstack([odd, new]), guesses == self.labels[rows], self.folds[rows]
        judge, said = Judge.learn(signs, right, strange), np.zeros(len(rows))
        for number in np.unique(fold):
            here = fold == number
            other = Judge.learn(signs[~here], right[~here], strange) if (~here).sum() >= FEWEST else judge
            said[here] = other.say(signs[here])
        levels = {level: threshold(said, right, judge.say(new) if len(new) else said[:0], level) for level in LEVELS}
        levels[99] = max(levels[95], levels[99])
        order = np.argsort(rows)
        return judge, Held([str(each) for each in guesses[order]], said[order], right[order]), levels

    def _common_words(self) -> set[str]:
        texts = Counter(word for text in self.texts for word in set(WORD.findall(text)))
        return {word for word, count in texts.items() if count > COMMON * len(self.texts)}

    def _scrambled(self, rows: Floats, seed: int) -> list[str]:
        """Texts that are about nothing we know: the common words of ours, and words nobody ever used between them."""
        rng = np.random.default_rng(seed)
        letters = np.array(list("abcdefghijklmnoprstuvwz"))

        def word(known: str) -> str:
            return known if known in self.common else "".join(rng.choice(letters, rng.integers(3, 10)))

        return [" ".join(map(word, WORD.findall(self.texts[row]))) for row in rng.choice(rows, SCRAMBLED)]


def _folds(texts: Sequence[str], labels: Floats) -> Floats:
    """A fold for each row: each label is dealt out over all of them, and equal texts fall into one."""
    rng = np.random.default_rng(0)
    dealt: dict[str, int] = {}
    turn: Counter[str] = Counter()
    for row in rng.permutation(len(texts)):
        if texts[row] not in dealt:
            label = str(labels[row])
            dealt[texts[row]] = (turn[label] + sum(map(ord, label))) % FOLDS
            turn[label] += 1
    return np.array([dealt[text] for text in texts])


def _single(words: Sequence[str]) -> Floats:
    return np.array([" " not in word for word in words], bool)
