"""What the database keeps of a secret is of no use to whoever steals the database."""

import pytest

from helpdesk.accounts import vault


def test_a_secret_comes_back_and_its_sealed_form_does_not_show_it(settings):
    settings.TOKEN_KEYS = ["first", "second"]
    sealed = vault.seal("hunter2 \N{SNOWMAN}")
    assert (
        vault.unseal(sealed) == "hunter2 \N{SNOWMAN}" and b"hunter2" not in sealed and vault.seal("hunter2 \N{SNOWMAN}") != sealed
    )
    assert vault.unseal(vault.seal("")) == ""


def test_keys_may_change_without_losing_a_secret(settings):
    settings.TOKEN_KEYS = ["old"]
    sealed = vault.seal("s")
    settings.TOKEN_KEYS = ["new", "old"]
    assert vault.unseal(sealed) == "s"
    moved = vault.rotate(sealed)
    settings.TOKEN_KEYS = ["new"]
    assert vault.unseal(moved) == "s"
    with pytest.raises(vault.Unreadable):
        vault.unseal(sealed)
