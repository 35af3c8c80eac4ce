"""What the database keeps of a secret is of no use to whoever steals the database."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from helpdesk.accounts import vault
from helpdesk.accounts.models import AuditEntry
from helpdesk.mail.models import Mailbox


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


@pytest.mark.django_db
def test_after_rotation_the_old_key_opens_nothing(settings):
    settings.TOKEN_KEYS = ["old"]
    boxes = [
        Mailbox.objects.create(
            slug=n, name=n, address=f"{n}@n.example", imap_secret=vault.seal(f"canary-{n}"), access_secret=vault.seal("canary-a")
        )
        for n in ("a", "b")
    ]
    Mailbox.objects.create(slug="none", name="none", address="none@n.example")
    settings.TOKEN_KEYS = ["new", "old"]
    said = StringIO()
    call_command("rotate_secrets", stdout=said)
    assert said.getvalue() == "4 sealed anew\n"
    settings.TOKEN_KEYS = ["old"]
    for box in boxes:
        box.refresh_from_db()
        with pytest.raises(vault.Unreadable):
            vault.unseal(box.imap_secret)
    settings.TOKEN_KEYS = ["new"]
    assert [vault.unseal(box.imap_secret) for box in boxes] == ["canary-a", "canary-b"]
    assert vault.unseal(boxes[0].access_secret) == "canary-a"
    assert AuditEntry.objects.get(action="secrets.rotated").after == {"moved": 4, "unreadable": []}
    with connection.cursor() as cursor:  # a stolen dump shows none of them
        cursor.execute("SELECT string_agg(m::text, '') || (SELECT string_agg(a::text, '') FROM accounts_auditentry a) "
                       "FROM mail_mailbox m")  # fmt: skip
        dump = cursor.fetchone()[0]
    assert "canary" not in dump and b"canary".hex() not in dump


@pytest.mark.django_db
def test_a_secret_whose_key_is_gone_is_named_and_the_others_are_moved(settings):
    settings.TOKEN_KEYS = ["gone"]
    lost = Mailbox.objects.create(slug="a", name="a", address="a@n.example", imap_secret=vault.seal("x"))
    settings.TOKEN_KEYS = ["old"]
    kept = Mailbox.objects.create(slug="b", name="b", address="b@n.example", imap_secret=vault.seal("y"))
    settings.TOKEN_KEYS = ["new", "old"]
    with pytest.raises(CommandError, match=rf"mail\.mailbox:{lost.pk} \(imap_secret\)"):
        call_command("rotate_secrets", stdout=StringIO())
    kept.refresh_from_db()
    settings.TOKEN_KEYS = ["new"]
    assert vault.unseal(kept.imap_secret) == "y"
