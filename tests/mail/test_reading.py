# ruff: noqa: E501 - mail is as wide as it is
"""How messages are read: the real ones, and the shapes that real mail has."""

import json
import os
import subprocess
import sys
from email.message import EmailMessage
from pathlib import Path

import pytest

from helpdesk.mail.parsing import Mail, read
from helpdesk.mail.parsing.wire import pack, unpack

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared" / "data" / "mail"
real = pytest.mark.skipif(not REAL.is_dir(), reason="the folder of real messages (../shared/data/mail) is not there")


def message(name: str) -> Mail:
    return read((REAL / f"{name}.eml").read_bytes())


def eml(headers: str, body: str | bytes = "Hello") -> bytes:
    return headers.strip().encode("utf-8", "surrogateescape") + b"\n\n" + (body if isinstance(body, bytes) else body.encode())


@real
def test_every_real_message_is_read_and_can_be_stored() -> None:
    messages = sorted(REAL.glob("*.eml"))
    assert len(messages) >= 100
    for path in messages:
        mail = read(path.read_bytes())
        assert unpack(*pack(mail)) == mail, path.name
        for text in (mail.subject, mail.text, mail.reply, mail.html, *(one.name for one in mail.attachments)):
            assert "\0" not in text, path.name
            text.encode("utf-8")  # no lone surrogates
        assert mail.message_id.startswith("<"), path.name
        assert mail.text or mail.html or mail.attachments or b"\r\n\r\n\r\n" in path.read_bytes() or not _says_anything(path), (
            path.name
        )


def _says_anything(path: Path) -> bool:
    """Whether there are words below the headers at all."""
    _, _, body = path.read_bytes().replace(b"\r\n", b"\n").partition(b"\n\n")
    return bool(body.replace(b"<HR>", b"").strip())


@real
@pytest.mark.parametrize(
    ("name", "subject", "words"),
    [
        ("plain_emails__raw_email", "NOTE: 한국말로 하는 것", "우리는 하나님을 믿습니다"),
        ("plain_emails__raw_email_with_partially_quoted_subject", 'Re: Test: "漢字" mid "漢字" tail', "Jamis"),
        ("multi_charset__japanese_iso_2022", "まみむめも", "すみません。"),
        ("multi_charset__japanese_shift_jis", "test", "このメールはテスト用のメールです。"),
        ("multi_charset__ks_c_5601-1987", "test", "스티해"),
        (
            "error_emails__invalid_subject_characters",
            "Formação FrenetikPolis: Mega Campanha Final Verão | Cursos de Setembro",
            "TEST",
        ),
        ("error_emails__bad_encoded_subject", "TEST", "TEST"),
        ("error_emails__bad_subject", "MySurvey.com: You have a survey waiting! 91123105", "You have a survey waiting!"),
        ("error_emails__multiple_content_types", "Redacted", "foo"),
        ("mime_emails__raw_email_with_illegal_boundary", "Testing outlook", "This is an outlook test"),
        ("mime_emails__email_with_similar_boundaries", "Xxxxxx", "Test"),
        ("rfc6532__utf8_headers", "Säying Hello", "body"),
    ],
)
def test_subject_and_body_of_real_messages(name: str, subject: str, words: str) -> None:
    mail = message(name)
    assert mail.subject == subject
    assert words in mail.text


@real
@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("attachment_emails__attachment_nonascii_filename", [("ciële.txt", 11)]),
        ("attachment_emails__attachment_with_quoted_filename", [("Eelanalüüsi päring.jpg", 1952)]),
        ("attachment_emails__attachment_with_unquoted_name", [("This is a test.txt", 11)]),
        ("attachment_emails__attachment_with_base64_encoded_name", [("This is a test.pdf", 399)]),
        ("attachment_emails__attachment_message_rfc822", [("ForwardedMessage.eml", 3781)]),
        ("multi_charset__japanese_attachment_long_name", [("かきくけこかきくけこかきくけこかきくけこかきくけこ.txt", 18)]),
        ("mime_emails__raw_email7", [("test.rb", 25), ("test.pdf", 14), ("smime.p7s", 227)]),
    ],
)
def test_files_of_real_messages(name: str, files: list[tuple[str, int]]) -> None:
    assert [(one.name, one.size) for one in message(name).attachments] == files


@real
def test_addresses_of_real_messages() -> None:
    assert message("rfc2822__example10").from_.address == "pete@silly.test"  # type: ignore[union-attr]
    assert [one.address for one in message("rfc2822__example10").to] == ["c@public.example", "joe@example.org", "jdoe@one.test"]
    assert message("error_emails__empty_group_lists").to == ()
    assert [one.name for one in message("rfc2822__example03").to] == ["Mary Smith", "", "Who?"]
    assert message("rfc6532__utf8_headers").from_.address == "jdöe@xn--mchine-bua.example"  # type: ignore[union-attr]


@real
def test_show_mail_prints_one_line_a_file_and_needs_no_database() -> None:
    files = sorted(REAL.glob("multi*.eml"))
    command = [sys.executable, "manage.py", "show_mail", *map(str, files), "--json"]
    environment = {**os.environ, "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1/0"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
    lines = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert len(lines) == len(files)
    for line in lines:
        assert list(line) == [
            "from", "to", "cc", "subject", "text", "reply", "html", "attachments", "message_id", "in_reply_to", "references",
            "automatic", "bounce",
        ]  # fmt: skip
    bounced = lines[[path.stem for path in files].index("multipart_report_emails__report_530")]
    assert bounced["bounce"] == {
        "recipients": ["edwin@zzzzzzz.com"], "status": "5.3.0", "permanent": True, "kind": "hard",
        "reason": "553 5.3.0 <edwin@zzzzzzz.com>... Unknown E-Mail Address",
    }  # fmt: skip
    assert bounced["automatic"]


# --- who it is from and for -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "people"),
    [
        ("Ben Carter <ben@carter.example>", [("Ben Carter", "ben@carter.example")]),
        ('"Carter, Ben" <ben@carter.example>', [("Carter, Ben", "ben@carter.example")]),
        ("Carter, Ben <ben@carter.example>", [("Carter, Ben", "ben@carter.example")]),
        ("ben@carter.example (Ben Carter)", [("Ben Carter", "ben@carter.example")]),
        ("ben@carter.example cleo@marchetti.example", [("", "ben@carter.example"), ("", "cleo@marchetti.example")]),
        ("Team: ben@carter.example, cleo@marchetti.example;", [("", "ben@carter.example"), ("", "cleo@marchetti.example")]),
        ("undisclosed-recipients:;", []),
        ("=?utf-8?Q?Ben=2C_Carter?= <ben@carter.example>", [("Ben, Carter", "ben@carter.example")]),
        # An encoded bracket or comma is a letter of the name, never another recipient.
        ("=?utf-8?Q?Ben_<x@y.example>,?= <ben@carter.example>", [("Ben <x@y.example>,", "ben@carter.example")]),
        ("=?utf-8?Q?Ben_=3Cceo=40corp.example=3E=2C?= <ben@carter.example>", [("Ben <ceo@corp.example>,", "ben@carter.example")]),
        ("=?utf-8?q?a=0D=0ABcc:x=40y.example?= <ben@carter.example>", [("a Bcc:x@y.example", "ben@carter.example")]),
        ("ben@carter.example <ben@carter.example>", [("", "ben@carter.example")]),
        ("<@relay.example,@other.example:ben@carter.example>", [("", "ben@carter.example")]),
        ("Ben <BEN@Carter.Example>, ben@carter.example", [("Ben", "BEN@carter.example")]),
        ("Pаypal <service@pаypal.example>", [("Pаypal", "service@xn--pypal-4ve.example")]),
        ("\u202egnp.exe\u202c Ben\u200b <ben@carter.example>", [("gnp.exe Ben", "ben@carter.example")]),
        ("Ben <ben@carter.example", [("Ben", "ben@carter.example")]),
        ("Ben <ben@car ter.example>", [("Ben", "ben@carter.example")]),
        ("no address at all", []),
        ("<>", []),
        (", ,;<,>;\"", []),
        ('"unclosed <ben@carter.example>', [("unclosed", "ben@carter.example")]),
        ("(unclosed <ben@carter.example>, cleo@marchetti.example", [("(unclosed", "ben@carter.example"), ("", "cleo@marchetti.example")]),
    ],
)  # fmt: skip
def test_addresses(value: str, people: list[tuple[str, str]]) -> None:
    mail = read(eml(f"From: x@y.example\nTo: {value}"))
    assert [(one.name, one.address) for one in mail.to] == people


def test_a_second_from_field_is_not_believed() -> None:
    mail = read(eml("From: ben@carter.example\nFrom: ceo@corp.example\nSubject: one\nSubject: two"))
    assert mail.from_ and mail.from_.address == "ben@carter.example"
    assert mail.subject == "one"


def test_without_from_the_sender_then_the_return_path_says_who() -> None:
    assert read(eml("Sender: ben@carter.example\nReturn-Path: <x@y.example>")).from_.address == "ben@carter.example"  # type: ignore[union-attr]
    assert read(eml("Return-Path: <x@y.example>")).from_.address == "x@y.example"  # type: ignore[union-attr]
    assert read(eml("Subject: nobody")).from_ is None


# --- text -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("charset", "body", "text"),
    [
        ("utf-8", "Grüße".encode(), "Grüße"),
        ("iso-8859-1", "Grüße".encode(), "Grüße"),  # UTF-8 under a Latin label
        ("utf-8", "Grüße – schön".encode("cp1252"), "Grüße – schön"),  # and the reverse
        ("iso-8859-1", "„quoted“ €".encode("cp1252"), "„quoted“ €"),
        ("", "Grüße".encode(), "Grüße"),
        ("", "Grüße".encode("latin-1"), "Grüße"),
        ("no-such-charset", "Grüße".encode(), "Grüße"),
        ("utf-32LE", b"plain", "plain"),  # RT's CVE-2014-9472
        ("utf-16", b"plain", "plain"),
        ("utf-16", "Grüße".encode("utf-16"), "Grüße"),
        ("gb2312", "镕 means melting".encode("gb18030"), "镕 means melting"),
        ("koi8-r", "Привет".encode("koi8-r"), "Привет"),
        ("unicode_escape", b"\\x41 caf\xe9", "\\x41 café"),  # a codec of Python, no charset of mail
        ("base64", "Grüße".encode(), "Grüße"),
        ("utf-8", "Viele Grüße und Küßchen, Gruß".encode()[:-1], "Viele Grüße und Küßchen, Gru\ufffd"),
        ("utf-8", b"a\0b\x07c", "abc"),
        ("utf-7", b"Gr+APwA3w-e", "Grüße"),
    ],
)
def test_charsets(charset: str, body: bytes, text: str) -> None:
    kind = f"text/plain; charset={charset}" if charset else "text/plain"
    assert read(eml(f"From: a@b.example\nContent-Type: {kind}\nContent-Transfer-Encoding: 8bit", body)).text == text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("=?utf-8?B?R3LDvMOfZQ==?=", "Grüße"),
        ("=?utf-8?Q?Gr=C3?= =?utf-8?Q?=BC=C3=9Fe?=", "Grüße"),  # a letter cut in two
        ("=?utf-8?Q?a?= =?iso-8859-1?Q?=FC?=", "aü"),
        ("=?utf-8?B?R3LDvMOfZQ?=", "Grüße"),  # padding forgotten
        ("=?utf-8?Q?two words?=", "two words"),
        ("a=?utf-8?Q?b?=c", "abc"),
        ("=?utf-8?Q?never closed", "=?utf-8?Q?never closed"),
        ("=?utf-8*de?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("one\ttwo\u2028three\u202e", "one two three"),
        ("=?utf-8?q?x=0D=0ABcc:_v@w.example?=", "x Bcc: v@w.example"),
    ],
)
def test_encoded_words_in_a_subject(raw: str, text: str) -> None:
    assert read(eml(f"From: a@b.example\nSubject: {raw}")).subject == text


def test_bare_carriage_returns_and_every_line_end_read_the_same() -> None:
    lines = ["From: ben@carter.example", "Subject: Hello", "Content-Type: multipart/mixed; boundary=b", "", "--b", "", "one", "--b",
             "Content-Disposition: attachment; filename=a.txt", "", "file", "--b--", ""]  # fmt: skip
    for end in ("\n", "\r\n", "\r"):
        mail = read(end.join(lines).encode())
        assert (mail.subject, mail.text, [one.name for one in mail.attachments]) == ("Hello", "one", ["a.txt"])


def test_format_flowed_is_joined_at_the_same_depth() -> None:
    body = "This is \none line.\n> quoted \n> too\nAnd \n\n-- \nBen"
    mail = read(eml("From: a@b.example\nContent-Type: text/plain; format=flowed", body))
    assert mail.text == "This is one line.\n> quoted too\nAnd \n-- \nBen"


# --- parts ------------------------------------------------------------------------------------------------------------


def test_alternative_with_inline_picture_and_file() -> None:
    letter = EmailMessage()
    letter["From"], letter["Subject"] = "ben@carter.example", "Picture"
    letter.set_content("See below")
    letter.add_alternative('<p>See <img src="cid:pic@x"> below<script>alert(1)</script></p>', subtype="html")
    letter.get_payload()[1].add_related(b"\x89PNG", "image", "png", cid="<pic@x>", filename="shot.png")  # type: ignore[union-attr, index]
    letter.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="Rechnung März.pdf")
    mail = read(letter.as_bytes())
    assert mail.text.strip() == "See below"
    assert "script" not in mail.html and 'data-cid="pic@x"' in mail.html
    assert [(one.name, one.content_id, one.inline) for one in mail.attachments] == [
        ("shot.png", "pic@x", True), ("Rechnung März.pdf", "", False),
    ]  # fmt: skip


def test_html_alone_is_also_text() -> None:
    mail = read(eml("From: a@b.example\nContent-Type: text/html", "<p>One</p><p>Two &amp; three</p>"))
    assert mail.text == "One\n\nTwo & three"


def test_text_after_a_file_belongs_to_the_message() -> None:
    body = "--b\n\nabove\n--b\nContent-Type: image/png; name=a.png\n\nx\n--b\nContent-Type: text/html\n\n<p>below</p>\n--b--\n"
    mail = read(eml("From: a@b.example\nContent-Type: multipart/mixed; boundary=b", body))
    assert mail.text == "above\n\nbelow"
    assert "above" in mail.html and "below" in mail.html


@pytest.mark.parametrize(
    "body",
    [
        "--b\n\nHello\n",  # cut off on the way
        "--b\n\nHello\n--b\n",
        "--other\nContent-Type: text/plain\n\nHello\n--other--\n",  # another boundary than announced
        "Hello",  # no parts at all
        "--b\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\nHello\n--b--\n",  # the outer boundary again
    ],
)
def test_broken_boundaries_lose_no_words(body: str) -> None:
    assert "Hello" in read(eml("From: a@b.example\nContent-Type: multipart/mixed; boundary=b", body)).text


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("filename=\"../../etc/passwd\"", "passwd"),
        ("filename=\"C:\\\\temp\\\\a.doc\"", "a.doc"),
        ("filename=\"invoice\u202egpj.exe\"", "invoicegpj.exe"),
        ("filename=\"a\u200bb\u2066.txt\"", "ab.txt"),
        ("filename*=utf-8''%E2%82%AC%20rates.txt", "€ rates.txt"),
        ("filename*0*=utf-8''%E2%82; filename*1*=%AC.txt", "€.txt"),
        ("filename*0=\"long \"; filename*1=\"name.txt\"", "long name.txt"),
        ("filename=\"=?utf-8?B?4oKsLnR4dA==?=\"", "€.txt"),
        ("filename=spaces in it.txt", "spaces in it.txt"),
        ("filename=\"a;b.txt\"", "a;b.txt"),
        ("filename=\"x%0d%0aBcc: y.txt\"", "x%0d%0aBcc: y.txt"),
        ("filename=\"\u0000bad\ud800.txt\"".replace("\0", ""), "bad"),
        (f"filename=\"{'a' * 300}.pdf\"", f"{'a' * 189}.pdf"),
    ],
)  # fmt: skip
def test_file_names(disposition: str, name: str) -> None:
    raw = b"From: a@b.example\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nHello\n--b\nContent-Disposition: attachment; "
    raw += disposition.encode("utf-8", "surrogatepass") + b"\n\nx\n--b--\n"
    found = read(raw).attachments[0].name
    assert found == name or (name == "bad" and found.startswith("bad"))
    found.encode()


def test_uuencoded_files_in_a_text_are_files() -> None:
    mail = read(eml("From: a@b.example", "See:\n\nbegin 644 note.txt\n#86)C\n`\nend\n\nBen"))
    assert [(one.name, one.content) for one in mail.attachments] == [("note.txt", b"abc")]
    assert "begin" not in mail.text and mail.text.startswith("See:") and mail.text.endswith("Ben")


@pytest.mark.parametrize(("coding", "body"), [("base64", "SGVsbG8"), ("BASE64 ", "SGVs\n bG8=\n-- list footer"), ("quoted-printable;", "H=65llo"),
                                              ("Quoted Printable", "Hel=\nlo"), ("8bits", "Hello"), ("rot13", "Hello")])  # fmt: skip
def test_transfer_encodings(coding: str, body: str) -> None:
    assert read(eml(f"From: a@b.example\nContent-Transfer-Encoding: {coding}", body)).text == "Hello"


# --- ids and signs ----------------------------------------------------------------------------------------------------


def test_ids() -> None:
    mail = read(
        eml(
            "From: a@b.example\nMessage-ID: <one@x>\nIn-Reply-To: <two@x> (Ben's message)\nReferences: <zero@x>\n <two@x> <two@x>"
        )
    )
    assert (mail.message_id, mail.in_reply_to, mail.references) == ("<one@x>", "<two@x>", ("<zero@x>", "<two@x>"))


def test_a_missing_message_id_is_made_from_sender_and_content() -> None:
    one, same, other = read(eml("From: a@b.example")), read(eml("From: a@b.example")), read(eml("From: c@b.example"))
    assert one.message_id == same.message_id != other.message_id


def test_a_thousand_references_keep_the_first_and_the_last() -> None:
    mail = read(eml("From: a@b.example\nReferences: " + " ".join(f"<{n}@x>" for n in range(1000))))
    assert mail.references[0] == "<0@x>" and mail.references[-1] == "<999@x>" and len(mail.references) == 100


@pytest.mark.parametrize(
    ("header", "automatic"),
    [
        ("Auto-Submitted: auto-replied", True),
        ("Auto-Submitted: auto-generated (failure)", True),
        ("Auto-Submitted: no", False),
        ("Auto-Submitted: no (a person)", False),
        ("Precedence: bulk", True),
        ("Precedence: first-class", False),
        ("X-Auto-Response-Suppress: All", False),  # Outlook writes it on people's mail
        ("X-Autoreply: yes", True),
        ("X-Autorespond: Out of office", True),
        ("List-Id: <news.example>", True),
        ("List-Unsubscribe: <https://x.example>", False),
        ("Return-Path: <>", True),
        ("Return-Path: <MAILER-DAEMON>", True),
        ("Return-Path: <a@b.example>", False),
        ("X-Failed-Recipients: x@y.example", True),
        ("X-Twofold-Automatic: yes", True),
        ("Content-Type: multipart/report; boundary=b", True),
        ("X-Anything: else", False),
    ],
)
def test_automatic(header: str, automatic: bool) -> None:
    assert bool(read(eml(f"From: ben@carter.example\n{header}")).automatic) is automatic


def test_mail_by_a_mail_system_is_automatic() -> None:
    assert read(eml("From: MAILER-DAEMON@mx.example")).automatic
    assert read(eml("From: postmaster@mx.example")).automatic
    assert read(eml("From: mailer@mx.example")).automatic is None


def test_delivered_to_and_return_path() -> None:
    mail = read(
        eml("Return-Path: <bounce@x.example>\nDelivered-To: a+t@b.example\nX-Original-To: <c@d.example>\nFrom: e@f.example")
    )
    assert mail.delivered_to == ("a+t@b.example", "c@d.example")
    assert mail.return_path == "bounce@x.example"


def test_dates() -> None:
    assert read(eml("From: a@b.example\nDate: Mon, 6 May 2024 10:00:00 +0200")).date.isoformat() == "2024-05-06T08:00:00+00:00"  # type: ignore[union-attr]
    for nonsense in (
        "never",
        "Mon, 99 Foo 2024",
        "Thu, 1 Jan 1970 00:00:00 +0000",
        "Mon, 6 May 99999 10:00:00 +0200",
        "1 Jan 2020 99:99:99 +9999999",
    ):
        assert read(eml(f"From: a@b.example\nDate: {nonsense}")).date is None
