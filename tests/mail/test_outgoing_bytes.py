"""What leaves, read back from its bytes: one recipient, right headers, nothing injected."""

import base64
import subprocess
from email import message_from_bytes, policy
from io import BytesIO

import dkim
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from helpdesk.files.models import Attachment, Blob
from helpdesk.lib import dates
from helpdesk.mail import mime
from helpdesk.mail.models import Class, Lane, Mailbox, Outgoing
from helpdesk.mail.verdicts import Content

pytestmark = pytest.mark.django_db
LINE = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=200)
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\t"), max_size=2000)


def row(**fields):
    values = {
        "pk": 77,
        "kind": "ticket.reply",
        "klass": Class.REPLY,
        "lane": Lane.REPLIES,
        "to": "ben@carter.example",
        "due_at": dates.now(),
        **fields,
    }
    made = Outgoing(**values)
    made.rfc_id = mime.message_id(made)
    return made


def parsed(raw):
    return message_from_bytes(raw, policy=policy.default)


@given(subject=LINE, name=LINE, text=TEXT, html=TEXT)
@hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_words_come_back_as_they_were(subject, name, text, html):
    out = row(mailbox=Mailbox(name=name, address="support@nordwind.example"))
    raw = mime.build(out, Content(subject, text, html))
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998 and b"\n" not in raw.replace(b"\r\n", b"")
    message = parsed(raw)
    assert message["Subject"].split() == subject.split()
    (sender,) = message["From"].addresses
    assert sender.addr_spec == "support@nordwind.example" and "".join(sender.display_name.split()) == "".join(
        name.split()
    )  # 3.11 reads a space between two encoded words
    assert len(message.get_all("From")) == len(message.get_all("To")) == len(message.get_all("Subject")) == 1
    plain = message.get_body(("plain",)).get_content()
    assert plain.replace("\r\n", "\n").rstrip("\n") == text.rstrip("\n")
    if html:
        assert message.get_body(("html",)).get_content().replace("\r\n", "\n").rstrip("\n") == html.rstrip("\n")
    assert not message.defects


@pytest.mark.parametrize("break_", ["\n", "\r", "\r\n", "\u2028", "\x0b", "\x00", "\x85"])
@pytest.mark.parametrize("where", ["subject", "to", "cc", "header", "name"])
def test_a_line_break_in_any_header_is_refused(break_, where):
    evil = f"Hello{break_}Bcc: eve@evil.example"
    out = row(
        to=evil if where == "to" else "ben@carter.example",
        mailbox=Mailbox(name=evil if where == "name" else "Help", address="support@nordwind.example"),
    )
    content = Content(
        evil if where == "subject" else "Hi",
        "x",
        cc=(evil,) if where == "cc" else (),
        headers={"X-Note": evil} if where == "header" else {},
    )
    with pytest.raises(mime.HeaderInjection):
        mime.build(out, content)


def test_a_display_name_cannot_become_an_address():
    out = row(mailbox=Mailbox(name='Boss <ceo@bank.example>, "x', address="support@nordwind.example"))
    (sender,) = parsed(mime.build(out, Content("Hi", "x")))["From"].addresses
    assert sender.addr_spec == "support@nordwind.example"


def test_threading_and_automatic_headers():
    content = Content(
        "Re: Hi",
        "x",
        in_reply_to="<a@b.example>",
        references=("<0@b.example>", "bad id>", "<a@b.example>"),
        automatic="auto-replied",
    )
    out = row()
    message = parsed(mime.build(out, content))
    assert message["In-Reply-To"] == "<a@b.example>" and message["References"].split() == ["<0@b.example>", "<a@b.example>"]
    assert message["Auto-Submitted"] == "auto-replied" and message["X-Auto-Response-Suppress"] == "All"
    assert mime.return_path(out, content) == "", "RFC 3834: an automatic reply has no return path"
    assert mime.return_path(out, Content("Hi", "x")) == f"bounce+{out.token}@localhost"
    assert out.token in message["Message-ID"] and f"+{out.token}@" in message["Reply-To"]


@pytest.mark.parametrize("name", ["Rechnung 2026.pdf", "Rechnung-für-Österreich.pdf", 'a"b.txt', "図.png", "x" * 200 + ".txt"])
def test_attachments_keep_their_names(name):
    blob = Blob.objects.keep(BytesIO(b"\x00\x01binary\r\n.\r\n" * 5000))
    item = Attachment.objects.create(blob=blob, name=name, content_type="application/pdf")
    message = parsed(mime.build(row(), Content("Hi", "x", "<p>x</p>", attachments=(item.pk,))))
    (got,) = message.iter_attachments()
    assert got.get_filename() == name and got.get_content() == b"\x00\x01binary\r\n.\r\n" * 5000


def test_dkim_covers_one_click_unsubscription(settings, tmp_path):
    key = tmp_path / "key.pem"
    subprocess.run(["openssl", "genrsa", "-traditional", "-out", key, "2048"], check=True, capture_output=True)
    public = subprocess.run(["openssl", "rsa", "-in", key, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
    settings.DKIM_KEY_FILE, settings.DKIM_DOMAIN = str(key), "nordwind.example"
    headers = {"List-Unsubscribe": "<https://nordwind.example/u/abc>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    raw = mime.build(row(campaign_id=5, klass=Class.PROMOTIONAL), Content("Grüße", "Hällo", "<p>Hällo</p>", headers=headers))
    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)
    assert dkim.verify(raw, dnsfunc=lambda *_args, **_kw: record)
    signed = parsed(raw)["DKIM-Signature"].replace(" ", "")
    for name in ("list-unsubscribe", "list-unsubscribe-post", "from", "subject"):
        assert name in signed.lower().split("h=")[1].split(";")[0].split(":")
    assert not dkim.verify(raw.replace(b"/u/abc", b"/u/abd"), dnsfunc=lambda *_args, **_kw: record)
