"""One letter of every kind that leaves, written about a customer of any name and subject; and what their bytes must be."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parseaddr, parsedate_to_datetime
from html.parser import HTMLParser
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.mail import EmailMultiAlternatives

from helpdesk.accounts.models import User
from helpdesk.customers.models import Company, Customer
from helpdesk.customers.timeline import Fact, record_all
from helpdesk.files.models import Attachment, Blob
from helpdesk.lib import dates
from helpdesk.mail.models import Mailbox, Outgoing, State
from tests.conftest import Letter, Sink
from tickets import forwards, intake, letters, replies

ONCE = ("From", "To", "Subject", "Date", "Message-ID", "Reply-To", "MIME-Version")
AT_MOST_ONCE = ("Cc", "In-Reply-To", "References", "Sender", "List-Unsubscribe", "List-Unsubscribe-Post", "Auto-Submitted")
# kind of settings.OUTBOX → what it says of itself (RFC 3834)
AUTOMATIC = {"ticket.reply": None, "ticket.forward": None, "campaign.message": None,
             "ticket.confirmation": "auto-replied", "account.mail": "auto-generated"}  # fmt: skip


@dataclass
class Left:
    """A letter as the sink took it, the row it left by, and the ids of what was said before it, oldest first."""

    row: Outgoing
    letter: Letter
    before: list[str]
    cc: list[str]
    files: list[str]


@dataclass
class Desk:
    """A customer with a hostile name, and everything that we can send them."""

    word: str
    ana: User
    support: Mailbox
    drain: Callable[[], None]
    sink: Sink
    campaign: Callable[..., Any]

    def everything(self) -> list[Left]:
        company = Company.objects.create(name=self.word[:200])
        ben = Customer.objects.create(name=self.word[:200], company=company, attributes={"plan": self.word})
        ben.addresses.create(canonical="ben@carter.example", shown="ben@carter.example")
        name = " ".join(self.word.split())[:120]
        Mailbox.objects.filter(pk=self.support.pk).update(name=name, signature=self.word)
        self.support.refresh_from_db()
        left = self.answers(ben)
        left += [self.gone(kind) for kind in (self.confirms(ben), self.signs_in(), self.campaigns(ben))]
        return left

    def gone(self, kind: str, before: Sequence[str] = (), cc: Sequence[str] = (), files: Sequence[str] = ()) -> Left:
        """Let the newest of a kind leave, at its own time."""
        row = Outgoing.objects.filter(kind=kind).latest("pk")
        with dates.moved(to=row.due_at + timedelta(seconds=1)):
            self.drain()
        row.refresh_from_db()
        assert row.state == State.ACCEPTED, (kind, row.state, row.reason)
        (letter,) = [each for each in self.sink if each.message["Message-ID"] == row.rfc_id]
        return Left(row, letter, list(before), list(cc), list(files))

    def answers(self, ben: Customer) -> list[Left]:
        """The first answer, the second, the third with Cc, Bcc and a file, a forward, and the first on a follow-up."""
        address, left, ids = ben.addresses.get(), [], ["<1@carter.example>"]
        name = " ".join(self.word.split())[:60].replace("/", "-").replace("\\", "-") + ".pdf"
        file = Attachment.objects.create(blob=Blob.objects.keep(ContentFile(b"%PDF")), name=name, content_type="application/pdf")

        def said(n: int) -> intake.Words:
            words = {"name": self.word[:200], "address": address.shown, "rfc_id": f"<{n}@carter.example>"}
            return intake.Words(self.word, html="<p>x</p>", **words)

        ticket = intake.open_ticket(ben, self.word, said(1), channel="mail", mailbox=self.support, address=address)
        for n in (2, 3, 4):
            if n < 4:
                replies.reply(ticket, self.word, by=self.ana)
                left.append(self.gone("ticket.reply", ids))
            else:
                cc = ["boss@carter.example", "cc@xn--exmple-cua.de"]
                replies.reply(ticket, self.word, by=self.ana, cc=cc, bcc=["hidden@secret.example"], attachments=[file])
                left.append(self.gone("ticket.reply", ids, cc, [name]))
            intake.hear(ticket, ben, said(n))
            ids += [str(left[-1].letter.message["Message-ID"]), f"<{n}@carter.example>"]
        to = ["kim@supplier.example", "tom@supplier.example"]
        forwards.forward(ticket, self.word, by=self.ana, to=to, message=ticket.messages.earliest("pk"))
        left.append(self.gone("ticket.forward", ids[:1], to[1:]))
        ticket.refresh_from_db()
        ticket.close(by=self.ana)
        following = intake.hear(ticket, ben, said(9)).ticket
        assert following.pk != ticket.pk
        replies.reply(following, self.word, by=self.ana)
        left.append(self.gone("ticket.reply", ["<9@carter.example>"]))
        return left

    def confirms(self, ben: Customer) -> str:
        address = ben.addresses.get()
        words = intake.Words(self.word, name=self.word[:200], address=address.shown)
        letters.confirm(intake.open_ticket(ben, self.word, words, channel="form", mailbox=self.support, address=address), address)
        return "ticket.confirmation"

    def signs_in(self) -> str:
        subject = " ".join(f"Code for {self.word}".split())
        EmailMultiAlternatives(subject, self.word, None, [self.ana.email]).send()
        return "account.mail"

    def campaigns(self, ben: Customer) -> str:
        known = "{{ customer.name }} of {{ company.name }}, {{ customer.plan }} and {{ event.what }}"
        body = f"{known}: [see](https://nordwind.example/{{{{ event.what }}}})"
        unknown = dict.fromkeys(("event.what", "customer.plan", "company.name", "customer.name"), "-")
        step = {"do": "send", "subject": "For {{ customer.name }}", "body": body, "too_late": None, "fallbacks": unknown}
        self.campaign(klass="transactional", wait=0, steps=[step])
        payload = {"order_id": "A", "what": self.word}
        record_all([Fact("order_shipped", ben.pk, dates.now(), "", payload, source="shop", external_id="e1")])
        self.drain()
        return "campaign.message"


def check(left: Left) -> None:
    """What every message must be, whatever is in it."""
    raw, row = left.letter.raw, left.row
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998 and b"\n" not in raw.replace(b"\r\n", b"")
    message: EmailMessage = message_from_bytes(raw, policy=policy.default)  # type: ignore[assignment]
    assert not message.defects
    for name in ONCE:
        assert len(message.get_all(name, [])) == 1, name
    for name in AT_MOST_ONCE:
        assert len(message.get_all(name, [])) <= 1, name
    assert "Bcc" not in message and b"secret.example" not in raw

    box = row.mailbox
    assert box is not None
    (sender,) = message["From"].addresses
    assert sender.addr_spec == box.address and "".join(sender.display_name.split()) == "".join(box.name.split())
    assert [each.addr_spec for each in message["To"].addresses] == [row.to]
    assert [each.addr_spec for each in (message["Cc"].addresses if "Cc" in message else ())] == left.cc
    assert parsedate_to_datetime(message["Date"]).tzinfo is not None
    assert row.token in message["Message-ID"] and message["Message-ID"].endswith(f"@{settings.MAIL_DOMAIN}>")
    local, _at, domain = box.address.partition("@")
    assert parseaddr(message["Reply-To"])[1] == f"{local}+{row.token}@{domain}"
    assert not message["Subject"].lower().startswith(("re: re:", "fwd: fwd:"))

    assert message.get("References", "").split() == left.before
    answers = left.before[-1] if left.before and row.kind == "ticket.reply" else None
    assert message.get("In-Reply-To") == answers

    automatic = AUTOMATIC[row.kind]
    assert message.get("Auto-Submitted") == automatic
    assert ("X-Auto-Response-Suppress" in message) == bool(automatic)
    null_sender = left.letter.envelope_from in ("", "<>", None)
    assert null_sender == (automatic == "auto-replied")
    assert null_sender or row.token in left.letter.envelope_from
    if row.subscription_id:
        assert message["List-Unsubscribe"].startswith("<http") and message["List-Unsubscribe"].count("<") == 1
        assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    else:
        assert "List-Unsubscribe" not in message and "List-Unsubscribe-Post" not in message

    plain = message.get_body(("plain",))
    assert plain is not None and plain.get_content().strip()
    assert message.get_body(("html",)) is not None or row.kind == "account.mail"
    assert [part.get_filename() for part in message.iter_attachments()] == left.files
    assert harm(left.letter.html) == []


class Markup(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))


FRAME = ("html", "head", "meta", "body", "title")
LEADS = ("https://", "http://", "mailto:", "cid:", "#")
WILD = {"script", "form", "input", "iframe", "svg", "object", "embed", "link", "base", "button", "math"}


def harm(html: str) -> list[tuple[str, dict[str, str]]]:
    """Elements that run, ask, load, or lead to where no word of ours led."""
    parser = Markup()
    parser.feed(html)
    return [
        (tag, attrs)
        for tag, attrs in parser.tags
        if tag in WILD
        or any(name.startswith("on") or name in ("srcset", "background", "action", "poster") for name in attrs)
        or not attrs.get("href", "#").startswith(LEADS)
        or (tag != "link" and not attrs.get("src", "cid:").startswith("cid:"))
    ]
