"""Signed ids: ours are read, everything else is nothing."""

import base64
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from helpdesk.lib import signing

LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
ids = st.integers(0, 2**63 - 1)
kinds = st.sampled_from(["reply", "unsubscribe", "bounce", ""])


@given(kinds, ids)
@example("reply", 0)
@example("reply", 2**63 - 1)
def test_what_we_signed_is_read_in_any_case(kind: str, id: int):
    token = signing.token(kind, id)
    assert re.fullmatch("[a-z2-7]{39}", token)
    assert signing.read(kind, token) == id
    assert signing.read(kind, token.upper()) == id
    assert signing.read(kind, token.title()) == id


@given(ids)
def test_a_token_opens_only_its_own_kind(id: int):
    token = signing.token("reply", id)
    assert signing.read("unsubscribe", token) is None
    assert signing.read("repl", token) is None


@given(ids, st.integers(0, 38), st.sampled_from(LETTERS))
def test_no_letter_can_be_changed(id: int, place: int, letter: str):
    token = signing.token("reply", id)
    forged = token[:place] + letter + token[place + 1 :]
    assert (signing.read("reply", forged) is None) == (forged != token)


@given(ids)
def test_each_id_has_one_spelling(id: int):
    """The last letter carries three bits that stand for nothing; only ours may stand there."""
    token = signing.token("reply", id)
    assert [letter for letter in LETTERS if signing.read("reply", token[:-1] + letter) is not None] == [token[-1]]


@given(st.text())
@example("")
@example("=" * 39)
@example("a" * 38 + "ſ")
@example("a" * 38 + "1")
@example(" " + "a" * 38)
@example("42")
def test_whatever_else_comes_is_nothing(text: str):
    assert signing.read("reply", text) is None


@pytest.mark.parametrize("cut", [slice(0, 38), slice(1, 39), slice(0, 13), slice(0, 0)])
def test_a_part_of_a_token_is_nothing(cut: slice):
    assert signing.read("reply", signing.token("reply", 7)[cut]) is None


@pytest.mark.parametrize("dressed", ["{}=", "{}\n", " {}", "{}a", "{}=======", "{}\x00"])
def test_nothing_may_be_added(dressed: str):
    assert signing.read("reply", dressed.format(signing.token("reply", 7))) is None


def test_the_id_alone_gives_nothing_away_about_the_next():
    first, second = (base64.b32decode(signing.token("reply", id).upper() + "=") for id in (1, 2))
    assert sum(a != b for a, b in zip(first[8:], second[8:], strict=True)) > 8


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ids)
def test_an_old_key_still_verifies_and_a_removed_one_does_not(settings: Any, id: int):
    settings.TOKEN_KEYS = ["old"]
    old = signing.token("reply", id)
    settings.TOKEN_KEYS = ["new", "old"]
    new = signing.token("reply", id)
    assert new != old
    assert signing.read("reply", old) == signing.read("reply", new) == id
    settings.TOKEN_KEYS = ["new"]
    assert signing.read("reply", old) is None
    settings.TOKEN_KEYS = []
    settings.SECRET_KEY = "new"
    settings.SECRET_KEY_FALLBACKS = []
    assert signing.read("reply", new) == id


@pytest.mark.parametrize("id", [-1, 2**63, 2**64])
def test_what_is_no_id_is_not_signed(id: int):
    with pytest.raises(ValueError):
        signing.token("reply", id)
