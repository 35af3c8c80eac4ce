"""Whether a mail is from whom it says: real servers' Authentication-Results, and what strangers write into them."""

import pytest

from helpdesk.mail.authentication import read as read_field
from helpdesk.mail.authentication import verified
from helpdesk.mail.parsing import read

GMAIL = (
    "mx.google.com; dkim=pass header.i=@carter.example header.s=s1 header.b=AbC1+/=; spf=pass (google.com: domain of"
    " bounce+x=y@mail.carter.example designates 192.0.2.1 as permitted sender) smtp.mailfrom=bounce+x=y@mail.carter.example;"
    " dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=carter.example"
)
EXCHANGE = (
    "spf=fail (sender IP is 192.0.2.1) smtp.mailfrom=carter.example; dkim=none (message not signed) header.d=none;"
    "dmarc=fail action=quarantine header.from=carter.example;compauth=fail reason=000"
)
RSPAMD = "mx.nordwind.example; dkim=none; dmarc={} (policy=none) header.from={}; spf=softfail smtp.mailfrom=ben@carter.example"


def asked(*fields, sender="Ben <ben@carter.example>", address="ben@carter.example"):
    raw = "".join(f"Authentication-Results: {field}\r\n" for field in fields)
    return verified(read(f"{raw}From: {sender}\r\nSubject: x\r\n\r\nHello".encode()), address)


@pytest.fixture(autouse=True)
def trusted(settings):
    settings.TRUSTED_AUTHSERV = ["mx.nordwind.example", "MX.Google.com", "without-id"]


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        (True, [GMAIL]),
        (False, [EXCHANGE]),
        (False, [RSPAMD.format("fail", "carter.example")]),
        (True, [RSPAMD.format("pass", "carter.example")]),
        (False, [RSPAMD.format("pass", "evil.example")]),  # for another From than the one that is shown
        (True, ["mx.nordwind.example; dkim=pass (2048-bit key) header.d=carter.example", "mx.nordwind.example; dmarc=none"]),
        (True, ["mx.nordwind.example 1; spf=pass smtp.mailfrom=bounce@mail.carter.example"]),
        (False, ["mx.nordwind.example; spf=pass smtp.mailfrom=x@evil.example; dkim=pass header.d=evil.example"]),
        (False, ["mx.nordwind.example; dkim=pass header.d=example"]),  # of a whole top level
        (False, ["mx.nordwind.example; spf=none; dkim=none; dmarc=none"]),
        (None, ["mx.nordwind.example; spf=temperror smtp.mailfrom=carter.example"]),
        (None, ["mx.nordwind.example; none"]),
        (None, ["mx.nordwind.example"]),
        (None, [""]),
        (None, []),
        (None, ["elsewhere.example; dmarc=pass header.from=carter.example"]),
        (None, ["mx.nordwind.example.evil.example; dmarc=pass header.from=carter.example"]),
        # prepended by the sender: ours stands above it
        (False, [RSPAMD.format("fail", "carter.example"), RSPAMD.format("pass", "carter.example")]),
        (False, ["mx.nordwind.example; spf=fail; dkim=none", "mx.nordwind.example; dkim=pass header.d=carter.example"]),
        # behind a name that is none of ours, nothing is ours
        (None, ["elsewhere.example; none", RSPAMD.format("pass", "carter.example")]),
        # what an address smuggles in hides nothing
        (False, ['mx.nordwind.example; spf=temperror smtp.mailfrom=a(b@evil.example; dmarc=fail (p=none)']),
        (False, ['mx.nordwind.example; spf=temperror smtp.mailfrom=a"b@evil.example; dmarc=fail']),
        (False, ['mx.nordwind.example; spf=pass smtp.mailfrom="; dmarc=pass header.from=carter.example"@evil; dmarc=fail']),
        (False, ["mx.nordwind.example; spf=none (dmarc=pass; dkim=pass header.d=carter.example)"]),
        (False, ["mx.nordwind.example; (dmarc=pass) spf=none"]),
    ],
)  # fmt: skip
def test_what_our_server_says(said, fields):
    assert asked(*fields) is said


def test_two_senders_are_nobody():
    assert asked(GMAIL, sender="ben@carter.example, eve@evil.example") is False
    assert asked("mx.nordwind.example; dkim=pass header.d=carter.example", sender="eve@evil.example, ben@carter.example") is False


def test_a_machine_vouches_for_nobody_else():
    """A form that writes from its own address, whose answers go to whoever was typed in."""
    field = "mx.nordwind.example; dmarc=pass header.from=shop.example; dkim=pass header.d=shop.example"
    assert asked(field, sender="noreply@shop.example", address="ben@carter.example") is False
    assert asked(field, sender="noreply@shop.example", address="noreply@shop.example") is True


def test_without_a_name_nothing_is_known(settings):
    settings.TRUSTED_AUTHSERV = []
    assert asked(GMAIL) is None and asked(EXCHANGE) is None


def test_any_text_is_read():
    for text in ("", ";", "=;=", '"', "(((", "a;b=;c", "\\", "x" * 9_000, "(" * 9_000, '"' * 9_000, "; ;=a b=c"):
        name, results = read_field(text)
        assert isinstance(name, str) and all(one.method for one in results)
