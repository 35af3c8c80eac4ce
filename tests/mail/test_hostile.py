# ruff: noqa: E501 - mail is as wide as it is
"""Mail made to hurt: no exception escapes, five seconds of processor time and 256 MB are enough, nothing is left open."""

import base64
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from helpdesk.mail.parsing import Mail, TooHard, guard, read, read_guarded, worker
from helpdesk.mail.parsing.wire import pack, unpack

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "mail"
HEAD = b"From: ben@carter.example\nSubject: Hello\n"


def nested(depth: int, kind: bytes = b"multipart/mixed") -> bytes:
    out = [HEAD]
    for level in range(depth):
        mark = b"b%d" % level
        out.append(b"Content-Type: " + kind + b'; boundary="' + mark + b'"\n\n--' + mark + b"\n")
    return b"".join(out) + b"Content-Type: text/plain\n\ndeep\n"


def typed(kind: str, body: str | bytes) -> bytes:
    return HEAD + f"Content-Type: {kind}\n\n".encode() + (body if isinstance(body, bytes) else body.encode())


HOSTILE = {
    "nothing": b"",
    "only line ends": b"\r\n" * 100_000,
    "nested 1,000 deep": nested(1_000),
    "nested 1,000 deep and large": nested(1_000) + b"x" * 20_000_000,
    "attached 1,000 deep": HEAD + b"Content-Type: message/rfc822\n\n" * 1_000 + b"deep",
    "10,000 headers": b"".join(b"X-%d: y\n" % n for n in range(10_000)) + HEAD + b"\nHello",
    "100,000 equal headers": b"Subject: x\n" * 100_000 + HEAD + b"\nHello",
    "a header of 1 MB": b"Subject: " + b"x" * 1_000_000 + b"\n" + HEAD + b"\nHello",
    "a header folded 100,000 times": b"Subject: x\n" + b" y\n" * 100_000 + HEAD + b"\nHello",
    "100,000 recipients": HEAD + b"To: " + b", ".join(b"a%d@b.example" % n for n in range(100_000)) + b"\n\nHello",
    "100,000 open comments": HEAD + b"To: " + b"(" * 100_000 + b"a@b.example" + b"\n\nHello",
    "100,000 comments in comments": HEAD + b"To: " + b"(" * 50_000 + b")" * 50_000 + b"\n\nHello",
    "100,000 brackets": HEAD + b"To: " + b"<" * 100_000 + b"\n\nHello",
    "100,000 encoded words": HEAD + b"Subject: " + b"=?utf-8?Q?x?= " * 100_000 + b"\n\nHello",
    "encoded words that never end": b"Subject: " + b"=?a?q?" * 20_000 + b"\n" + HEAD + b"\nHello",
    "encoded names that never end": HEAD + b"To: " + b"=?a?q?" * 20_000 + b"\n\nHello",
    "10,000 pieces of a name": HEAD + b"Content-Type: text/plain" + b"".join(b"; name*%d*=x" % n for n in range(10_000)) + b"\n\nHello",
    "100,000 references": HEAD + b"References: " + b" ".join(b"<%d@x>" % n for n in range(100_000)) + b"\n\nHello",
    "100,000 parts": typed("multipart/mixed; boundary=b", b"--b\n\nx\n" * 100_000),
    "100,000 files": typed("multipart/mixed; boundary=b", b"--b\nContent-Disposition: attachment\n\nx\n" * 100_000),
    "lines like the boundary": typed("multipart/mixed; boundary=b", b"--bb\n" * 1_000_000),
    "a boundary of line ends": typed('multipart/mixed; boundary=" "', b"--\n" * 500_000),
    "base64 that is none": HEAD + b"Content-Transfer-Encoding: base64\n\n" + b"\xff=\n" * 1_000_000,
    "20 MB of base64": HEAD + b"Content-Type: application/pdf\nContent-Transfer-Encoding: base64\n\n" + base64.encodebytes(os.urandom(15_000_000)),
    "quoted-printable that is none": HEAD + b"Content-Transfer-Encoding: quoted-printable\n\n" + b"=" * 5_000_000,
    "100,000 begins": HEAD + b"\n" + b"begin 644 a\n" * 100_000 + b"end",
    "100,000 begins and a far end": HEAD + b"\n" + b"begin 644 a\n#86)C\n" * 100_000 + b"\nend",
    "1,000,000 quote marks": HEAD + b"\n" + b"> " * 1_000_000,
    "1,000,000 quoted lines": HEAD + b"\n" + b"> x\n" * 250_000,
    "introductions": HEAD + b"\nx\n" + b"On 1.1.2024 Ben wrote:\n" * 40_000 + b"> x",
    "Outlook's block again and again": HEAD + b"\nx\n" + b"From: a\n" * 120_000,
    "a line of 1 MB": HEAD + b"\nOn 2024 " + b"wrote " * 160_000 + b":",
    "misnested html": typed("text/html", "<p><b>" * 20_000 + "x" * 100),
    "html nested 100,000 deep": typed("text/html", "<div>" * 100_000 + "x"),
    "blockquotes nested 100,000 deep": typed("text/html", "a<blockquote type=cite>x" * 40_000),
    "blockquotes side by side": typed("text/html", "a" + "<blockquote type=cite>x</blockquote>" * 12_500),
    "gmail boxes nested": typed("text/html", "a<div class=gmail_quote>x<blockquote>y</blockquote>z" * 15_000),
    "html of ampersands": typed("text/html", "&" * 900_000),
    "html of open brackets": typed("text/html", "<" * 900_000),
    "html of one tag": typed("text/html", "<a " + "x=y " * 250_000),
    "UTF-7, UTF-16, UTF-32": typed("text/plain; charset=utf-32LE", os.urandom(1_000_000)),
    "punycode": typed("text/plain; charset=punycode", b"\xffa-" + b"b" * 200_000),
    "NUL": b"\0" * 1_000_000,
    "NUL in every field": b"From: a\0@b\0.example\nTo: c\0\nSubject: s\0\nMessage-ID: <\0>\nReferences: <\0@x>\nContent-Type: text/\0plain\n\n\0",
    "reports without end": typed("multipart/report; boundary=b", b"--b\nContent-Type: message/delivery-status\n\n" + b"Final-Recipient: x\n\n" * 100_000),
    "a bounce of 5 MB without structure": b"From: MAILER-DAEMON@x.example\nSubject: failure notice\n\n" + b"<a@b.example>:\n550 no\n" * 200_000,
}  # fmt: skip


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE)
def test_hostile_mail_is_read_within_the_limits(raw: bytes) -> None:
    mail = read_guarded(raw)  # the kernel ends the reader after 5 s of processor time, and refuses memory beyond its limit
    storable(mail)


def storable(mail: Mail) -> None:
    """PostgreSQL takes it, and no header of ours can be broken by it."""
    people = [*mail.to, *mail.cc, *mail.reply_to, *([mail.from_] if mail.from_ else [])]
    lines = [mail.subject, mail.message_id, mail.in_reply_to or "", *mail.references, *mail.delivered_to, mail.return_path or ""]
    lines += [text for one in people for text in (one.name, one.address)] + [
        text for one in mail.attachments for text in (one.name, one.content_type)
    ]
    for text in lines:
        assert not set(text) & set("\r\n\0\u2028\u2029\u202e"), text
    for text in [*lines, mail.text, mail.html, mail.reply, mail.reply_html]:
        assert "\0" not in text
        text.encode()
    assert all(len(one.address) <= 320 for one in people) and len(mail.subject) <= 500 and len(mail.message_id) <= 998
    assert unpack(*pack(mail)) == mail


# --- the guard --------------------------------------------------------------------------------------------------------


@pytest.fixture
def spoiled(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Replace the reader's program with one that misbehaves; afterwards the next message gets a good one."""

    def spoil(code: str) -> None:
        guard._reader.stop()
        real = guard.subprocess.Popen
        program = (
            "from helpdesk.mail.parsing import worker, message\n"
            f"def bad(raw):\n    if b'bad' in raw:\n        {code}\n    return message.read(raw)\n"
            "worker.read, worker.CPU_SECONDS = bad, 1\nworker.main()\n"  # one second is enough to see it end
        )
        monkeypatch.setattr(guard.subprocess, "Popen", lambda args, **more: real([args[0], "-c", program], **more))

    yield spoil
    guard._reader.stop()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("while True: pass", "more than 5 seconds of processor time"),
        ("held = [b'x' * 1_000_000 for _ in range(400)]", "too much memory"),
        ("import os; os.abort()", "ended the process"),
        ("raise KeyError('a bug')", "failed (KeyError)"),
    ],
)
def test_a_message_that_breaks_the_reader_costs_itself_alone(spoiled: Callable[[str], None], code: str, words: str) -> None:
    spoiled(code)
    with pytest.raises(TooHard, match=words.replace("(", r"\(").replace(")", r"\)")):
        read_guarded(HEAD + b"\nbad")
    assert read_guarded(HEAD + b"\ngood").text == "good"


def test_a_reader_that_was_once_large_is_replaced(spoiled: Callable[[str], None]) -> None:
    spoiled("held = b'x' * 150_000_000")
    assert read_guarded(HEAD + b"\ngood").text == "good" and guard._reader.process is not None
    assert read_guarded(HEAD + b"\nbad").text == "bad" and guard._reader.process is None


def test_a_large_owner_keeps_its_reader() -> None:
    """Starting a process costs a hundred times what reading a mail does."""
    guard._reader.stop()
    large = bytearray(worker.FRESH_ABOVE * 1024 + 2**20)  # the owner's peak is above what a reader may have
    readers = set()
    for _ in range(3):
        read_guarded(HEAD + b"\nHello")
        assert guard._reader.process is not None
        readers.add(guard._reader.process.pid)
    assert len(readers) == 1 and large


def test_the_reader_knows_none_of_our_secrets(spoiled: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "SECRET_KEY", "REDIS_URL"):
        monkeypatch.setenv(name, "secret")
    spoiled("import os; raise KeyError if 'secret' in os.environ.values() else ValueError")
    with pytest.raises(TooHard, match="ValueError"):
        read_guarded(HEAD + b"\nbad")


# --- any bytes at all -------------------------------------------------------------------------------------------------

PIECES = [
    b"From: ", b"To: ", b"Subject: ", b"\n", b"\r\n", b"\r", b"\n\n", b"\0", b"\xff\xfe", b"=?utf-8?Q?", b"=?iso-2022-jp?B?GyRC", b"?=", b"=0D=0A",
    b"Content-Type: multipart/mixed; boundary=b\n", b"Content-Type: multipart/report; boundary=b\n", b"Content-Type: message/rfc822\n",
    b"Content-Type: message/delivery-status\n", b"Content-Type: text/html; charset=", b"utf-7", b"utf-16", b"hz", b"iso-2022-kr", b"cp932", b"\x1b$B",
    b"--b\n", b"--b--\n", b"Content-Transfer-Encoding: base64\n", b"Content-Transfer-Encoding: quoted-printable\n", b"=\n", b"=E2=82", b"<", b">", b"@",
    b'"', b"(", b")", b",", b";", b":", b"\\", b"a@b.example", b"Content-Disposition: attachment; filename*=utf-8''%ED%A0%80", b"name*1*=%FF",
    b"begin 644 a\n", b"\nend\n", b"Final-Recipient: rfc822; a@b.example\n", b"Action: failed\n", b"Status: 5.1.1\n", b"On 1.1.2024 B <a@b> wrote:\n",
    b"> q\n", b"<div class=gmail_quote>", b"<blockquote type=cite>", b"</div>", b"<img src='cid:x'>", b"&#xD800;", b"Date: ", b"1 Jan 2024 00:00 +2500",
    b"Message-ID: <", "\u202e\u200b\u2028é".encode(), b"\xed\xa0\x80", b"References: ", b"Return-Path: <>\n", b"X-Failed-Recipients: ", b"mailer-daemon@",
]  # fmt: skip


@settings(max_examples=int(os.environ.get("FUZZ", "400")), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=20)), max_size=60).map(b"".join))
@example(b"From: \xed\xa0\x80@\xff.example\nContent-Type: text/plain; charset=utf-7\n\n+2AA-")
@example(b"Content-Type: text/html\n\n&#xD800;&#0;\0")
def test_any_bytes_are_read(raw: bytes) -> None:
    storable(read(raw))


@pytest.mark.skipif(not REAL.is_dir(), reason="the folder of real messages (../shared/data/mail) is not there")
@settings(max_examples=int(os.environ.get("FUZZ", "400")), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_real_mail_with_damage_is_read(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from(sorted(REAL.glob("*.eml")))).read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, max(len(raw) - 1, 0)))
        length = data.draw(st.integers(0, 60))
        raw[at : at + length] = data.draw(st.one_of(st.binary(max_size=30), st.sampled_from(PIECES)))
    storable(read(bytes(raw)))
