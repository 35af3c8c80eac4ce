"""Messages of one trait each (`tests/mailbox/NAME.eml`), and what `show_mail` must say of them (`expected.json`).

Beside the fields of `show_mail`, an entry may name: `sender` (name <address>), `folded` (said, but not in the new part),
`…_has` (pieces of a field), `html_kept`, `html_folded` and `html_gone` (in the new HTML; only in the whole; nowhere),
`files` ("name type size"), `lookalike` (the warning of the sender's domain). `message_id: made` is one of our making.
`bounce` is what a delivery report says, `delayed` and `message_id` of it, and a piece of its reason.
"""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from helpdesk.mail.parsing import Mail, read
from helpdesk.mail.parsing.message import made_id

MAILBOX = Path(__file__).resolve().parents[1] / "mailbox"
EXPECTED: dict[str, dict[str, Any]] = json.loads((MAILBOX / "expected.json").read_text())
PLAIN = {"subject", "text", "reply", "in_reply_to", "references", "automatic"}


@pytest.fixture(scope="module")
def shown() -> dict[str, dict[str, Any]]:
    out = io.StringIO()
    call_command("show_mail", *[str(MAILBOX / f"{name}.eml") for name in EXPECTED], json=True, stdout=out)
    return dict(zip(EXPECTED, map(json.loads, out.getvalue().splitlines()), strict=True))


def test_every_message_has_its_expectations() -> None:
    assert {path.stem for path in MAILBOX.glob("*.eml")} == EXPECTED.keys() and len(EXPECTED) >= 150


@pytest.mark.parametrize("name", EXPECTED)
def test_message(name: str, shown: dict[str, dict[str, Any]]) -> None:
    line, raw = shown[name], (MAILBOX / f"{name}.eml").read_bytes()
    mail, sender = read(raw), line["from"] and _person(line["from"])
    for key, value in EXPECTED[name].items():
        if key in PLAIN:
            assert line[key] == value, key
        elif key == "message_id":
            assert line[key] == (made_id(mail.from_, raw) if value == "made" else value)
        elif key == "sender":
            assert sender == value
        elif key in ("to", "cc"):
            assert [_person(one) for one in line[key]] == value
        elif key == "files":
            assert [f"{one['name']} {one['content_type']} {one['size']}" for one in line["attachments"]] == value
        elif key == "files_count":
            assert len(line["attachments"]) == value
        elif key == "bounce":
            _bounce(value, mail, line)
        elif key == "lookalike":
            assert mail.from_ and mail.from_.lookalike == value
        else:
            _pieces(key, value, mail, {**line, "sender": sender or ""})
    assert line["text"].startswith(line["reply"]) and (line["reply"] or not line["text"].strip())  # nothing is lost


def _person(one: dict[str, str]) -> str:
    return f"{one['name']} <{one['address']}>" if one["name"] else one["address"]


def _bounce(expected: dict[str, Any], mail: Mail, line: dict[str, Any]) -> None:
    bounce = mail.bounce
    assert bounce, "it is no report"
    found = {**line["bounce"], "delayed": bounce.delayed, "message_id": bounce.message_id}
    reason = found.pop("reason")
    assert found == {key: value for key, value in expected.items() if key != "reason_has"}
    assert expected["reason_has"] in reason and mail.automatic


def _pieces(key: str, pieces: list[str], mail: Mail, line: dict[str, Any]) -> None:
    for piece in pieces:
        if key == "folded":
            assert _bare(piece) in _bare(mail.text) and _bare(piece) not in _bare(mail.reply), piece
        elif key == "html_kept":
            assert piece in mail.reply_html, piece
        elif key == "html_folded":
            assert piece in mail.html and piece not in mail.reply_html, piece
        elif key == "html_gone":
            assert piece not in mail.html, piece
        else:
            assert piece in line[key.removesuffix("_has")], piece


def _bare(text: str) -> str:
    return "".join(_letters(text))


def _letters(text: str) -> Iterator[str]:
    """Without quote marks and spaces, which the converter from HTML sets anew."""
    return (char for char in text if not char.isspace() and char != ">")
