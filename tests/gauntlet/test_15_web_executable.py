"""Row 15: a file from the mailbox is never a program of the web server: no name of it on disk, no address but a checked one."""

from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from helpdesk.mail.models import Mailbox
from tests.mail.test_inbox import came
from tickets.models import Message

pytestmark = pytest.mark.django_db
NAMES = ["shell.php", "shell.phtml", "shell.pht", ".htaccess", "\u200b.htaccess", "a.php\0.jpg", "..;/x.jsp", "../../static/x.py",
         "CON", "web.config", "x" * 300 + ".php", "..", "/etc/passwd"]  # fmt: skip
CODE = b"<?php system($_GET['c']); ?>"


def test_it_lies_under_a_random_key_and_leaves_as_a_download(support: Mailbox, browser: Any, ana: Any, noor: Any) -> None:
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "Ben Carter <ben@carter.example>", "Files"
    mail.set_content("See")
    for n, name in enumerate(NAMES):
        mail.add_attachment(CODE + bytes([n]), "application", "x-httpd-php", filename=name)
    kept = Message.objects.get(pk=came(mail.as_bytes(), support).ticket_message_id).attachments.select_related("blob")
    assert len(kept) == len(NAMES)
    folder = Path(settings.STORAGES["default"]["OPTIONS"]["location"])
    assert not folder.is_relative_to(settings.STATIC_ROOT) and not Path(settings.STATIC_ROOT).is_relative_to(folder)
    for file in kept:
        year, month, key = file.blob.key.split("/")
        assert year.isdigit() and month.isdigit() and len(key) == 32 and set(key) <= set("0123456789abcdef")
        on_disk = folder / file.blob.key
        assert on_disk.read_bytes().startswith(CODE) and not on_disk.stat().st_mode & 0o111
        answer = browser(ana).get(f"/tickets/files/{file.pk}/")
        assert answer["Content-Type"] == "application/octet-stream" and answer["Content-Disposition"].startswith("attachment")
        assert browser(noor).get(f"/tickets/files/{file.pk}/").status_code == 404
        for address in (f"/static/{file.blob.key}", f"/files/{file.blob.key}", f"/media/{file.blob.key}", f"/{file.blob.key}"):
            assert browser(ana).get(address).status_code == 404
