"""Which ticket a mail goes on with: five signs in their order, and what only looks like one of them."""

import pytest

from helpdesk.accounts.models import AuditEntry
from helpdesk.lib import signing
from helpdesk.mail import threading
from helpdesk.mail.models import IncomingMail, Outgoing
from helpdesk.mail.parsing import read
from tests.tickets.conftest import sent_by
from tickets import intake, letters
from tickets.models import Message, Ticket

pytestmark = pytest.mark.django_db
OUTLOOK = """A new one.

From: Nordwind help <support@nordwind.example>
Sent: Monday, 23 November 2026 10:00
To: Ben Carter <ben@carter.example>
Subject: Re: Locked out

{body}"""


@pytest.fixture
def second(ben, support):
    words = intake.Words("Another thing.", address="ben@carter.example", rfc_id="<second@carter.example>")
    return intake.open_ticket(ben, "The invoice", words, channel="mail", mailbox=support, address=ben.addresses.get())


def signs(ticket, mail):
    """The five signs of a ticket, as the headers or the text of an answer: each with the words it takes."""
    ours = mail.message
    first = ticket.messages.earliest("pk").rfc_id
    return [
        {"to": ours["Reply-To"]},
        {"In_Reply_To": ours["Message-ID"]},
        {"References": f"<unknown@elsewhere.example> {ours['Message-ID']} <newer@elsewhere.example>"},
        {"In_Reply_To": first},
        {"References": f"<unknown@elsewhere.example> {first} <newer@elsewhere.example>"},
        {"text": OUTLOOK.format(body=mail.text)},
        {"subject": f"Re: [#{ticket.number}] Locked out"},
    ]


def test_each_sign_alone_finds_the_ticket(post, letter, answered, ticket):
    found = signs(ticket, answered)
    post(*(letter(**{"subject": "Something else", "text": f"Sign {n}.", **sign}) for n, sign in enumerate(found)))
    rows = IncomingMail.objects.order_by("pk")
    assert [row.ticket_id for row in rows] == [ticket.pk] * len(found) and Ticket.objects.count() == 1


def test_the_stronger_sign_decides(post, letter, answered, ticket, second, ana, drain, sink):
    stronger, weaker = signs(ticket, answered), signs(second, sent_by(ana, second, drain, sink, "Which invoice?"))
    pairs = [
        {**against, **sign, "References": f"{against.get('References', '')} {sign.get('References', '')}".strip()}
        for count, sign in enumerate(stronger)
        for against in weaker[count + 1 :]
        if not sign.keys() & against.keys() - {"References"}  # one header cannot say both
    ]
    post(*(letter(**{"subject": "Something else", "text": f"Pair {n}", **pair}) for n, pair in enumerate(pairs)))
    assert [row.ticket_id for row in IncomingMail.objects.order_by("pk")] == [ticket.pk] * len(pairs) and len(pairs) > 15


def test_the_newest_reference_decides(post, letter, answered, ticket, second, ana, drain, sink):
    older, newer = answered.message["Message-ID"], sent_by(ana, second, drain, sink, "Which invoice?").message["Message-ID"]
    post(letter("More", References=f"{older} {newer}"))
    assert IncomingMail.objects.latest("pk").ticket_id == second.pk


class TestTheMarkerInTheBody:
    """What is left when a relay wrote new ids and the answer goes to the bare address."""

    def test_it_is_in_both_parts_of_a_reply(self, answered):
        row = Outgoing.objects.get()
        assert f"Ref: {row.token}" in answered.text.splitlines() and f">Ref: {row.token}<" in answered.html

    def test_a_message_that_only_html_quotes(self, post, letter, answered, ticket):
        mail = letter("A new one.")
        mail.add_alternative(
            f'<p>A new one.</p><div class="gmail_quote"><p>On 23 Nov 2026 at 10:00 Nordwind help wrote:</p><blockquote>'
            f"{answered.html}</blockquote></div>",
            subtype="html",
        )
        post(mail)
        said = ticket.messages.latest("pk")
        assert Ticket.objects.count() == 1 and (said.text, said.customer_id) == ("A new one.", ticket.requester_id)
        row = IncomingMail.objects.get()
        assert row.outgoing_id == Outgoing.objects.get().pk and row.ticket_id == ticket.pk

    def test_nobody_reads_it(self, post, letter, answered, ticket, browser, ana):
        token = Outgoing.objects.get().token
        quoted = "".join(f"> {line}\n" for line in answered.text.splitlines())
        below = f"{quoted}\nA new one, below.\n"
        post(letter(below))  # an answer below the quote: all of it is the message
        post(letter(OUTLOOK.format(body=answered.text)))
        page = browser(ana).get(f"/tickets/{ticket.number}/").content.decode()
        assert "A new one, below." in page and "Which phone is it?" in page
        assert token not in page and "Ref:" not in page
        assert bytes(IncomingMail.objects.earliest("pk").raw).count(token.encode()) == 1  # the original keeps it

    def test_a_stranger_who_was_sent_it_stays_one(self, post, letter, answered, ticket):
        post(letter(OUTLOOK.format(body=answered.text), sender="eve@evil.example", cc="mallory@evil.example"))
        assert ticket.messages.latest("pk").stranger and not ticket.participants.exists()

    def test_automatic_mail_is_known_by_its_headers_alone(self, post, letter, answered, ticket):
        post(letter(OUTLOOK.format(body=answered.text), Auto_Submitted="auto-replied"))
        assert ticket.messages.count() == 2

    def test_a_hundred_thousand_of_them_cost_little(self, answered, support, django_assert_max_num_queries):
        token = Outgoing.objects.get().token
        other = signing.token("outgoing", 10**9)
        mail = read(f"From: eve@evil.example\n\n{f'Ref: {other} ' * 20_000}Ref: {token}".encode())
        with django_assert_max_num_queries(1):
            assert threading.marked(mail) is None


def false_tokens(row):
    """Of our shape and not signed by us for this."""
    good = row.token
    return [
        good[:20] + ("b" if good[20] != "b" else "c") + good[21:],
        signing.token("unsubscribe", row.pk),
        "a" * 39,
    ]


def test_what_only_looks_signed_names_nothing_and_is_told_once(post, letter, answered, ticket, settings):
    named = [
        (sign, value)
        for token in false_tokens(Outgoing.objects.get())
        for sign, value in (
            ("to", f"support+{token}@nordwind.example"),
            ("In_Reply_To", f"<{token}.1@{settings.MAIL_DOMAIN}>"),
            ("References", f"<{token}.1@{settings.MAIL_DOMAIN}>"),
        )
    ]
    post(*(letter(f"Let me in {n}.", **{sign: value}) for n, (sign, value) in enumerate(named)))
    assert Ticket.objects.count() == 1 + len(named)
    told = list(AuditEntry.objects.filter(action="mail.token_invalid").order_by("pk"))
    assert [entry.after["named"] for entry in told] == [value for _sign, value in named]
    assert [entry.subject for entry in told] == [f"incoming:{row.pk}" for row in IncomingMail.objects.order_by("pk")]
    assert ticket.messages.count() == 2
    IncomingMail.objects.filter(pk=IncomingMail.objects.latest("pk").pk).update(state="accepted")
    before = AuditEntry.objects.count()
    post(letter("Another one"))  # and the last is read again
    assert AuditEntry.objects.count() == before


def test_what_is_none_of_ours_is_no_news(post, letter, answered, ticket):
    token = "a" * 39
    good = Outgoing.objects.get().token
    cut = (good[:-1], f"{good}a", good.replace(good[5], "!"))
    post(
        letter("One", to=f"support@nordwind.example, list+{token}@elsewhere.example", In_Reply_To=f"<{token}.1@else.example>"),
        letter(f"Ref: {token}"),
        *(letter(f"Cut off {each}", to=f"support+{each}@nordwind.example") for each in cut),
        *(letter(f"Ref: {each}") for each in cut),
    )
    assert ticket.messages.count() == 2 and not AuditEntry.objects.filter(action="mail.token_invalid").exists()
    assert Message.objects.filter(text=f"Ref: {token}").exists()  # what we did not sign is shown as it came


def test_a_bad_token_does_not_take_away_a_good_one(post, letter, answered, ticket, settings):
    old = f"<{'a' * 39}.1@{settings.MAIL_DOMAIN}>"  # signed by a key that is gone
    post(letter("More", References=f"{old} {answered.message['Message-ID']}"))
    assert ticket.messages.count() == 3 and AuditEntry.objects.filter(action="mail.token_invalid").count() == 1


def test_a_confirmation_carries_it_too(post, letter, ticket, drain, sink):
    letters.confirm(ticket, ticket.address)
    drain()
    post(letter(OUTLOOK.format(body=sink.to("ben@carter.example")[-1].text)))
    assert Ticket.objects.get().messages.count() == 2


def test_our_quote_of_theirs_has_one_marker_only(post, letter, answered, ticket, ana, drain, sink):
    quoted = "".join(f"> {line}\n" for line in answered.text.splitlines())
    post(letter(f"{quoted}\nA new one, below.\n"))
    mail = sent_by(ana, ticket, drain, sink, "Thank you.")
    assert mail.text.count("Ref:") == 1 and mail.text.index("Ref:") < mail.text.index("> A new one, below.")
