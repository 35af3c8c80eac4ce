# ruff: noqa: E501 - mail is as wide as it is
"""Delivery reports in their many shapes: whom it did not reach, why, and whether trying again helps."""

import pytest

from helpdesk.mail.parsing import Bounce, read


def dsn(
    *groups: str, words: str = "I'm sorry.", returned: str = "Message-ID: <sent@nordwind.example>\nTo: ben@carter.example"
) -> bytes:
    recipients = "\n\n".join(groups)
    return (
        "Return-Path: <>\nFrom: MAILER-DAEMON@mx.example\nSubject: Undelivered Mail Returned to Sender\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
        f"--b\n\n{words}\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n{recipients}\n\n"
        f"--b\nContent-Type: message/rfc822\n\n{returned}\n\nHello\n--b--\n"
    ).encode()


def failed(status: str, diagnosis: str = "", action: str = "failed", who: str = "ben@carter.example") -> str:
    return f"Final-Recipient: rfc822; {who}\nAction: {action}\nStatus: {status}\nDiagnostic-Code: smtp; {diagnosis}"


def words(body: str, sender: str = "MAILER-DAEMON@mx.example", subject: str = "failure notice", more: str = "") -> bytes:
    return f"Return-Path: <>\nFrom: {sender}\nSubject: {subject}\n{more}\n{body}".encode()


@pytest.mark.parametrize(
    ("status", "diagnosis", "action", "kind", "permanent"),
    [
        ("5.1.1", "550 5.1.1 User unknown", "failed", "hard", True),
        ("5.2.1", "550 5.2.1 The mailbox is disabled", "failed", "hard", True),
        ("5.4.1", "550 5.4.1 Recipient address rejected: Access denied", "failed", "hard", True),
        ("5.0.0", "550 5.1.10 RESOLVER.ADR.RecipientNotFound", "failed", "hard", True),
        # A full mailbox is temporary, whatever its code.
        ("5.2.2", "552 5.2.2 The email account is over quota", "failed", "full", False),
        ("4.2.2", "452 4.2.2 Mailbox full", "delayed", "full", False),
        ("5.0.0", "554 delivery error: Sorry, your message cannot be delivered. This mailbox is full", "failed", "full", False),
        # Policy blames no address.
        ("5.7.1", "550 5.7.1 Message rejected due to DMARC policy", "failed", "policy", True),
        ("4.7.28", "421-4.7.28 unusual rate of unsolicited mail", "failed", "policy", False),
        (
            "5.7.515",
            "550 5.7.515 Access denied, sending domain does not meet the required authentication level",
            "failed",
            "policy",
            True,
        ),
        ("5.0.0", "554 Service unavailable; blocked using zen.spamhaus.example", "failed", "policy", True),
        # This message, not this address.
        ("5.3.4", "552 5.3.4 Message size exceeds fixed limit", "failed", "message", True),
        # Later, perhaps.
        ("4.4.1", "connect to mx.carter.example: Connection timed out", "delayed", "soft", False),
        ("4.4.7", "Delivery time expired", "failed", "soft", False),
        ("4.2.0", "450 4.2.0 Greylisted", "delayed", "soft", False),
    ],
)
def test_reports_by_their_status(status: str, diagnosis: str, action: str, kind: str, permanent: bool) -> None:
    mail = read(dsn(failed(status, diagnosis, action)))
    bounce = mail.bounce
    assert bounce and (bounce.kind, bounce.permanent) == (kind, permanent)
    assert bounce.recipients == ("ben@carter.example",)
    assert bounce.message_id == "<sent@nordwind.example>"
    assert diagnosis.split()[-1] in bounce.reason
    assert mail.automatic


def test_a_generic_status_is_made_exact_by_the_diagnosis() -> None:
    assert read(dsn(failed("5.0.0", "550 5.1.10 not found"))).bounce.status == "5.1.10"  # type: ignore[union-attr]


def test_the_failed_ones_of_several_recipients() -> None:
    bounce = read(
        dsn(
            failed("2.0.0", "250 ok", "relayed", "a@x.example"),
            failed("5.1.1", "550 no", "failed", "b@x.example"),
            failed("4.0.0", "", "delayed", "c@x.example"),
        )
    ).bounce
    assert bounce and bounce.recipients == ("b@x.example",) and bounce.permanent


def test_the_address_as_we_wrote_it_is_preferred() -> None:
    group = "Original-Recipient: rfc822;ben@carter.example\nFinal-Recipient: rfc822;ben@inside.carter.example\nAction: failed\nStatus: 5.1.1"
    assert read(dsn(group)).bounce.recipients == ("ben@carter.example",)  # type: ignore[union-attr]


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded"])
def test_good_news_is_no_bounce(action: str) -> None:
    mail = read(dsn(failed("2.1.5", "250 ok", action)))
    assert mail.bounce is None and mail.automatic


def test_broken_reports_fill_no_log(caplog: pytest.LogCaptureFixture) -> None:
    read(b"Return-Path: <>\nFrom: \nSubject: failure notice\n\nWhat?")
    assert not caplog.records


def test_a_read_receipt_is_no_bounce() -> None:
    raw = (
        "From: ben@carter.example\nSubject: Read: Undeliverable thoughts\nContent-Type: multipart/report; report-type=disposition-notification; "
        "boundary=b\n\n--b\n\nYour message was displayed\n--b\nContent-Type: message/disposition-notification\n\nFinal-Recipient: rfc822;ben@carter.example\n"
        "Disposition: manual-action/MDN-sent-manually; displayed\n\n--b--\n"
    )
    mail = read(raw.encode())
    assert mail.bounce is None and mail.automatic


@pytest.mark.parametrize("kind", ["abuse", "fraud", "virus", "opt-out"])
def test_a_complaint(kind: str) -> None:
    """RFC 5965, as Yahoo and others send it."""
    raw = (
        "From: feedback@arf.mail.example\nSubject: FW: Tips\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\n\n"
        "This is an email abuse report\n--b\nContent-Type: message/feedback-report\n\n"
        f"Feedback-Type: {kind}\nUser-Agent: Feedback/1.0\nVersion: 0.1\nOriginal-Mail-From: <bounce+x@nordwind.example>\nOriginal-Rcpt-To: <ben@carter.example>\n\n"
        "--b\nContent-Type: message/rfc822\n\nFrom: tips@nordwind.example\nTo: Ben <ben@carter.example>\nMessage-ID: <sent@nordwind.example>\n\nTips\n--b--\n"
    )
    bounce = read(raw.encode()).bounce
    assert bounce and bounce.kind == "complaint" and bounce.recipients == ("ben@carter.example",)
    assert bounce.message_id == "<sent@nordwind.example>" and kind in bounce.reason


@pytest.mark.parametrize("kind", ["not-spam", "auth-failure"])
def test_other_feedback_is_no_complaint(kind: str) -> None:
    raw = (
        "From: feedback@arf.mail.example\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\nContent-Type: "
        f"message/feedback-report\n\nFeedback-Type: {kind}\n\n--b--\n"
    )
    assert read(raw.encode()).bounce is None


SHAPES = {
    "qmail": (
        words("Hi. This is the qmail-send program at mx.example.\nI'm afraid I wasn't able to deliver your message to the following addresses.\n"
              "This is a permanent error; I've given up. Sorry it didn't work out.\n\n<ben@carter.example>:\n192.0.2.1 does not like recipient.\n"
              "Remote host said: 550 5.1.1 unknown user\nGiving up on 192.0.2.1.\n\n--- Below this line is a copy of the message.\n\n"
              "Message-ID: <sent@nordwind.example>\nSubject: Tips\n\nHello"),
        "hard", True, "<sent@nordwind.example>",
    ),
    "exim": (
        words("This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\n"
              "recipients. This is a permanent error. The following address(es) failed:\n\n  ben@carter.example\n    SMTP error from remote mail "
              "server after RCPT TO:<ben@carter.example>:\n    550 No such user here\n\n------ This is a copy of the message ------\n\n"
              "Message-Id: <sent@nordwind.example>\n", subject="Mail delivery failed: returning message to sender",
              more="X-Failed-Recipients: ben@carter.example\n"),
        "hard", True, "<sent@nordwind.example>",
    ),
    "a full mailbox in words": (
        words("Your message to <ben@carter.example> could not be delivered:\n\n<ben@carter.example>:\n552 mailbox full\n"),
        "full", False, None,
    ),
    "for now, in words": (
        words("<ben@carter.example>:\n451 4.3.0 try again later\n", subject="Delivery Status Notification (Delay)"), "soft", False, None,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("raw", "kind", "permanent", "message_id"), SHAPES.values(), ids=SHAPES)
def test_reports_without_structure(raw: bytes, kind: str, permanent: bool, message_id: str | None) -> None:
    bounce = read(raw).bounce
    assert bounce and (bounce.recipients, bounce.kind, bounce.permanent) == (("ben@carter.example",), kind, permanent)
    assert bounce.message_id == message_id


@pytest.mark.parametrize("raw", [
    words("I am away until Monday. Write to <cleo@marchetti.example> instead.", sender="ben@carter.example", subject="Out of office"),
    b"From: ben@carter.example\nSubject: Undeliverable parcel\n\nThe parcel came back. 550 euros lost!",
    b"From: ben@carter.example\nSubject: Undelivered order\n\nThe page says 550 not found. Write to ben@private.example, this mailbox is full.",
    b"From: postmaster@carter.example\nSubject: Your page\n\nIt says user unknown for ben@carter.example, 550.",
    b"From: ben@carter.example\nSubject: Router\n\n550 5.1.1 user unknown is what your page says for <ben@carter.example>",
])  # fmt: skip
def test_what_is_no_report(raw: bytes) -> None:
    assert read(raw).bounce is None


def test_a_report_reads_the_same_in_every_line_end() -> None:
    raw = dsn(failed("5.1.1", "550 5.1.1 User unknown"))
    found: list[Bounce | None] = [read(raw.replace(b"\n", end)).bounce for end in (b"\n", b"\r\n", b"\r")]
    assert found[0] and found[0] == found[1] == found[2]
