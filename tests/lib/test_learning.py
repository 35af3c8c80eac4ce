"""Learning to file texts: what is sure is answered and right, what is strange left alone, what is kept only numbers."""

import io
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from helpdesk.lib.learning.bounds import lowest
from tests.lib.queries import STRANGE, rows

if TYPE_CHECKING:
    from helpdesk.lib.learning.model import Model

MISFILED = ("please refund me, the refund is not on my account, i want my money back", "größe")


@pytest.fixture(scope="module")
def model() -> "Model":
    from helpdesk.lib.learning.model import learn

    lessons = [*rows(holdout=False), MISFILED]
    return learn([text for text, _ in lessons], [label for _, label in lessons])


@pytest.mark.parametrize(
    ("right", "of", "least", "most"), [(0, 0, 0, 0), (10, 10, 0.78, 0.79), (950, 1000, 0.937, 0.938), (1000, 1000, 0.997, 0.998)]
)
def test_the_lower_end_of_a_share_is_wilsons(right: int, of: int, least: float, most: float) -> None:
    assert least <= lowest(right, of) <= most


def test_what_is_sure_is_right_and_what_is_strange_is_left_alone(model: "Model") -> None:
    held = rows(holdout=True)
    guesses = model.ask([text for text, _ in held])
    right = [guess.label == label for guess, (_, label) in zip(guesses, held, strict=True)]
    answered = [ok for ok, guess in zip(right, guesses, strict=True) if guess.level >= 95]
    assert sum(right) / len(right) > 0.95
    assert len(answered) > len(held) / 2 and sum(answered) / len(answered) >= 0.95
    assert [guess.level for guess in model.ask(STRANGE)].count(0) >= 7
    assert [guess.level for guess in model.ask(["", "   ", "🙂", "\0" * 5000])] == [0, 0, 0, 0]


def test_it_says_which_words_spoke_for_it(model: "Model") -> None:
    [guess] = model.ask(["Please RESET my ｐａｓｓｗｏｒｄ, I cannot sign in"], reasons=3)
    assert guess.label == "password" and any("password" in word for word in guess.because)


def test_its_word_on_rows_it_learned_from_was_given_before_it_saw_them(model: "Model") -> None:
    held = model.held
    assert held
    labels = [label for _, label in [*rows(holdout=False), MISFILED]]
    assert (np.array(held.guesses) == labels).tolist() == held.right.tolist()
    assert held.guesses[-1] == "refund" and held.right[:-1].mean() > 0.9  # who had seen it would say as it was filed


def test_thresholds_hold_with_their_interval_on_rows_held_back(model: "Model") -> None:
    from helpdesk.lib.learning.judge import NEVER, threshold

    held = model.held
    assert held
    for level in (95, 99):
        least = model.levels[level]
        answered = held.said >= least
        assert least == NEVER or lowest(held.right[answered].sum(), answered.sum()) >= level / 100
    said = np.linspace(1, 0, 200)
    wrong_below = np.arange(200) < 100
    assert said[100] < threshold(said, wrong_below, np.zeros(0), 95) + 0.03 < said[90]
    assert threshold(said, wrong_below, np.full(10, 0.9), 95) == 0.9  # what was never shown asks for more
    assert threshold(said[:19], np.ones(19, bool), np.zeros(0), 95) == NEVER
    assert threshold(np.ones(200), np.arange(200) % 10 > 0, np.zeros(0), 95) == NEVER


def test_it_comes_back_from_its_bytes_and_nothing_in_them_is_run(model: "Model") -> None:
    from helpdesk.lib.learning.model import Model

    texts = [text for text, _ in rows(holdout=True)]
    again = Model.load(model.save())
    before, after = model.ask(texts, reasons=2), again.ask(texts, reasons=2)
    assert [guess.label for guess in before] == [guess.label for guess in after]
    assert max(abs(a.confidence - b.confidence) for a, b in zip(before, after, strict=True)) < 0.02

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            raise AssertionError("run")

    evil = io.BytesIO()
    np.savez(evil, head=np.array([{"format": 1}], dtype=object))
    evil.seek(0)
    for kept in (evil, io.BytesIO(b"no archive"), io.BytesIO(pickle.dumps([1]))):
        with pytest.raises(ValueError):
            Model.load(kept)


@pytest.mark.parametrize(("texts", "labels"), [([], []), (["a word"] * 30, ["one"] * 30), (["", " "] * 20, ["one", "two"] * 20)])
def test_too_little_to_learn_from_says_why(texts: list[str], labels: list[str]) -> None:
    from helpdesk.lib.learning.model import TooLittle, learn

    with pytest.raises(TooLittle, match=r"no rows|only one label|no words"):
        learn(texts, labels)


def test_few_rows_give_answers_that_are_never_sure() -> None:
    from helpdesk.lib.learning.model import learn

    model = learn(["where is my parcel", "refund please", "parcel late", "my refund"], ["parcel", "refund", "parcel", "refund"])
    assert [guess.label for guess in model.ask(["a parcel", "the refund"])] == ["parcel", "refund"]
    assert [guess.level for guess in model.ask(["a parcel", "the refund"])] == [0, 0]


def test_nothing_heavy_is_imported_at_start_up() -> None:
    """Neither the web server nor a worker that never files a ticket pays for it."""
    code = (
        "import django, sys; django.setup(); import helpdesk.urls, helpdesk.celery, helpdesk.asgi;"
        "from django.core.checks import run_checks; from django.urls import resolve; resolve('/inbox/');"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'numpy', 'scipy', 'sklearn', 'wordllama'}))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
