"""A mail from its bytes to its ticket, against a full parse of the same bytes and the same inserts."""

import email
import email.policy

from bench.measure import Results, in_turn, seconds
from bench.place import Sizes
from bench.same_rows import SameRows
from helpdesk.mail import inbox
from helpdesk.mail.models import IncomingMail, Mailbox

MAIL = """From: "{mark} Carter" <{mark}@new-customers.example>
To: Support <support@bench.example>
Subject: {mark} parcel shows as delivered
Date: Mon, 2 Nov 2026 09:12:33 +0100
Message-ID: <{mark}@new-customers.example>
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="between"

--between
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

{text}
Viele Grüße
Ben

On Sun, 1 Nov 2026 at 10:02, Support <support@bench.example> wrote:
> Your parcel is on its way.
> {text}
--between
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: 8bit

<html><body><p>{text}</p><p>Viele Grüße<br>Ben</p>
<blockquote type="cite"><p>Your parcel is on its way.</p><p>{text}</p></blockquote></body></html>
--between--
"""
TEXT = "The parcel shows as delivered, and nothing is here. The neighbours have not got it. What can I do? " * 4


def bytes_of(mark: str) -> bytes:
    return MAIL.format(mark=mark, text=TEXT).replace("\n", "\r\n").encode()


def measure(results: Results, size: Sizes) -> None:
    number, rounds = (40, 3) if results.fast else (200, 5)
    mailbox = Mailbox.objects.get(is_default=True)
    made = iter(range(10**9))

    def take(mails: list[bytes]) -> None:
        for raw in mails:  # with a sender: without one (RFC 5321, 4.5.5) it would be taken for automatic, and do less
            inbox.receive(raw, mailbox, source="smtp", envelope_from="ben@new-customers.example")
        done = 0
        while done < len(mails):
            done += inbox.process_due()

    rows = SameRows(lambda: take([bytes_of("mark0mail")]), "mark0mail")

    def ours() -> float:
        mails = [bytes_of(f"m{next(made)}") for _ in range(number)]
        return number / seconds(lambda: take(mails))

    def bare() -> float:
        mails = [bytes_of(f"n{next(made)}") for _ in range(number)]

        def run() -> None:
            for raw in mails:
                parsed = email.message_from_bytes(raw, policy=email.policy.default)
                for part in parsed.walk():
                    if not part.is_multipart():
                        part.get_content()
                    part.items()
                rows.write()

        return number / seconds(run)

    figure, limit = in_turn(rounds, ours, bare)
    left = set(IncomingMail.objects.exclude(state=IncomingMail.State.TICKETED).values_list("state", "reason"))
    assert not left, left
    results.at_least("mail in: parsed, threaded, ticketed, committed; one worker", figure, "mails/s", limit=limit, budget=0.4)
    results.note(f"rows of one mail: {', '.join(f'{count} {table}' for table, count in rows.tables().items())}")
