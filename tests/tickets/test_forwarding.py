"""An agent passes a customer's mail on to a mailbox of ours: the customer's ticket, and the agent's words as a note."""

import pytest

from helpdesk.customers.models import Customer
from helpdesk.mail.models import Mailbox
from tickets.models import Message, Ticket

pytestmark = pytest.mark.django_db
SHAPES = {
    "Gmail": """{above}

---------- Forwarded message ---------
From: Cleo Marchetti <cleo@marchetti.example>
Date: Mon, May 6, 2024 at 10:12 AM
Subject: Broken
To: Ana <ana@nordwind.example>, Omar <omar@nordwind.example>


{said}
""",
    "Outlook, German": """{above}

Von: Cleo Marchetti <cleo@marchetti.example>
Gesendet: Montag, 6. Mai 2024 10:12
An: Ana Kowalczyk <ana@nordwind.example>
Cc: Omar <omar@nordwind.example>
Betreff: Broken

{said}
""",
    "Outlook, French": """{above}

________________________________
De : Cleo Marchetti <cleo@marchetti.example>
Envoyé : lundi 6 mai 2024 10:12
À : Ana Kowalczyk
Objet : Broken

{said}
""",
    "Outlook, old": """{above}

-----Original Message-----
From: Cleo Marchetti [mailto:cleo@marchetti.example]
Sent: Monday, May 06, 2024 10:12 AM
To: Ana Kowalczyk
Subject: Broken

{said}
""",
    "Outlook on a telephone": """{above}

*From:* Cleo Marchetti <cleo@marchetti.example<mailto:cleo@marchetti.example>>
*Sent:* Monday, May 6, 2024 10:12:03 AM
*To:* Ana Kowalczyk <ana@nordwind.example>
*Subject:* Broken

{said}
""",
    "Outlook, Spanish": """{above}

De: Cleo Marchetti <cleo@marchetti.example>
Enviado: lunes, 6 de mayo de 2024 10:12
Para: Ana Kowalczyk <ana@nordwind.example>
Asunto: Broken

{said}
""",
    "Apple": """{above}

Begin forwarded message:

> From: Cleo Marchetti <cleo@marchetti.example>
> Subject: Broken
> Date: 6 May 2024 at 10:12:00 CEST
> To: ana@nordwind.example
>
> {said}
""",
    "Apple, German": """{above}

Anfang der weitergeleiteten Nachricht:

Von: Cleo Marchetti <cleo@marchetti.example>
Betreff: Broken
Datum: 6. Mai 2024 um 10:12:00 MESZ
An: ana@nordwind.example

{said}
""",
    "Thunderbird": """{above}


-------- Forwarded Message --------
Subject: \tBroken
Date: \tMon, 6 May 2024 10:12:00 +0200
From: \tCleo Marchetti <cleo@marchetti.example>
To: \tana@nordwind.example



{said}
""",
    "Thunderbird, Italian": """{above}


-------- Messaggio inoltrato --------
Oggetto: \tBroken
Data: \tMon, 6 May 2024 10:12:00 +0200
Mittente: \tCleo Marchetti <cleo@marchetti.example>
A: \tana@nordwind.example


{said}
""",
    "Thunderbird, Dutch": """{above}


-------- Doorgestuurd bericht --------
Onderwerp: \tBroken
Datum: \tMon, 6 May 2024 10:12:00 +0200
Van: \tCleo Marchetti <cleo@marchetti.example>
Aan: \tana@nordwind.example


{said}
""",
    "Outlook, Polish": """{above}

Od: Cleo Marchetti <cleo@marchetti.example>
Wysłano: poniedziałek, 6 maja 2024 10:12
Do: Ana Kowalczyk <ana@nordwind.example>
Temat: Broken

{said}
""",
    "Outlook, Russian": """{above}

От: Cleo Marchetti <cleo@marchetti.example>
Отправлено: 6 мая 2024 г. 10:12
Кому: Ana Kowalczyk
Тема: Broken

{said}
""",
    "Outlook, Japanese": """{above}

差出人: Cleo Marchetti <cleo@marchetti.example>
送信日時: 2024年5月6日 10:12
宛先: Ana Kowalczyk
件名: Broken

{said}
""",
}
ABOVE, SAID = "Please help Cleo, she waits since Monday.", "The router is broken."
HTML = (
    '<div dir="ltr">Please help Cleo.</div><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">'
    "---------- Forwarded message ---------<br>From: <strong>Cleo</strong> <span>&lt;<a href='mailto:cleo@marchetti.example'>"
    "cleo@marchetti.example</a>&gt;</span><br>Date: Mon, May 6, 2024<br>Subject: Broken<br>To: &lt;ana@nordwind.example&gt;<br>"
    "</div><br><br>The router is broken.</div>"
)


@pytest.fixture
def forward(post, letter, ana):
    def send(*texts, subject="Fwd: Broken", **kwargs):
        post(*(letter(text, sender="Ana Kowalczyk <ana@nordwind.example>", subject=subject, **kwargs) for text in texts))

    return send


def test_the_ticket_is_the_customers(forward):
    forward(
        *(shape.format(above=ABOVE, said=SAID) for shape in SHAPES.values()), subject="WG: Broken", Cc="omar@nordwind.example"
    )
    tickets = Ticket.objects.order_by("pk")
    assert tickets.count() == len(SHAPES)
    for name, ticket in zip(SHAPES, tickets, strict=True):
        first, note = ticket.messages.order_by("pk")
        assert (ticket.requester.name, ticket.address.shown) == ("Cleo Marchetti", "cleo@marchetti.example"), name
        assert (ticket.subject, first.text, first.address) == ("Broken", SAID, "cleo@marchetti.example"), name
        assert (note.kind, note.user, note.author, note.text) == ("note", None, "Ana Kowalczyk, by mail", ABOVE), name
        assert ticket.waiting_since == first.at and ticket.said == SAID and not ticket.participants.exists()


def test_files_go_with_it_html_is_read_and_nothing_leaves(post, letter, ana, sink, browser):
    mail = letter("", sender="ana@nordwind.example", subject="Fwd: Broken")
    mail.set_content(HTML, subtype="html")
    mail.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename="invoice.pdf")
    post(mail)
    ticket = Ticket.objects.get()
    first, note = ticket.messages.order_by("pk")
    assert ticket.address.shown == "cleo@marchetti.example" and first.text == SAID and note.text == "Please help Cleo."
    assert first.attachments.get().name == "invoice.pdf" and not sink
    page = browser(ana).get(f"/tickets/{ticket.number}/").content.decode()
    assert "Note, team only" in page and "Ana Kowalczyk, by mail" in page


def test_two_mailboxes_and_two_runs_make_one(post, letter, ana, support):
    other = Mailbox.objects.create(slug="sales", name="Sales", address="sales@nordwind.example")
    mail = letter(
        SHAPES["Gmail"].format(above=ABOVE, said=SAID), sender="ana@nordwind.example", subject="Fwd: Broken", Message_ID="<f@x>"
    )
    post(mail)
    post(mail, mailbox=other)
    assert Ticket.objects.count() == 1 and Message.objects.count() == 2


def test_an_answer_that_is_passed_on_lands_in_its_ticket(forward, answered, ticket, ben):
    quoted = "".join(f"> {line}\n" for line in answered.text.splitlines())
    text = (
        SHAPES["Gmail"]
        .format(above=ABOVE, said=f"It works.\n\n{quoted}")
        .replace("Cleo Marchetti <cleo@marchetti", "Ben <ben@carter")
    )
    forward(text)
    said, note = ticket.messages.order_by("pk")[2:]
    assert Ticket.objects.count() == 1 and said.customer == ben and not said.stranger and note.text == ABOVE


def as_a_file(letter, inner, words="Please help Cleo.", subject="Fwd: Broken"):
    mail = letter(words, sender="Ana Kowalczyk <ana@nordwind.example>", subject=subject)
    mail.add_attachment(inner)
    return mail


def test_a_mail_that_is_attached_is_the_customers_too(post, letter, ana):
    inner = letter(
        SAID, sender="Cleo Marchetti <cleo@marchetti.example>", subject="Broken", to="ana@nordwind.example", Message_ID="<c@m>"
    )
    inner.add_alternative("<p>The router is <b>broken</b>.</p><script>alert(1)</script>", subtype="html")
    inner.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename="invoice.pdf")
    post(as_a_file(letter, inner), as_a_file(letter, inner, words="", subject=""))
    for ticket in Ticket.objects.order_by("pk"):
        first, note = ticket.messages.order_by("pk")
        assert (ticket.requester.name, ticket.address.shown, ticket.subject) == (
            "Cleo Marchetti",
            "cleo@marchetti.example",
            "Broken",
        )
        assert (first.text, first.rfc_id) == (SAID, "<c@m>") and "<b>broken</b>" in first.html and "script" not in first.html
        assert {each.name for each in first.attachments.all()} == {"invoice.pdf", "Broken.eml"}
        assert note.kind == "note" and note.text in ("Please help Cleo.", "Passed this mail on.")
    assert Ticket.objects.count() == 2


def test_an_answer_that_is_attached_lands_in_its_ticket(post, letter, answered, ticket, ben, ana):
    inner = letter("It works.", subject="Re: Locked out", to="ana@nordwind.example", In_Reply_To=answered.message["Message-ID"])
    post(as_a_file(letter, inner))
    said, note = ticket.messages.order_by("pk")[2:]
    assert Ticket.objects.count() == 1 and (said.customer, said.text, said.stranger) == (ben, "It works.", False)
    assert note.text == "Please help Cleo."


def test_an_attached_mail_that_is_only_a_file_stays_one(post, letter, ana, settings):
    inner = letter(SAID, sender="cleo@marchetti.example")
    two = as_a_file(letter, inner)
    two.add_attachment(inner)
    post(two, as_a_file(letter, inner, subject="See this"), as_a_file(letter, letter(SAID, sender="no-reply@shop.example")))
    stranger = as_a_file(letter, inner)
    stranger.replace_header("From", "ben@carter.example")
    post(stranger)
    assert set(Message.objects.values_list("address", flat=True)) == {"ana@nordwind.example", "ben@carter.example"}


TEXT = SHAPES["Gmail"].format(above=ABOVE, said=SAID)


def test_what_is_no_forward_is_her_own_mail(forward, post, letter, settings):
    forward(
        TEXT.replace("<cleo@marchetti.example>", ""),  # whose was it?
        TEXT.replace("cleo@marchetti.example", "support@nordwind.example"),  # our own words
        TEXT.replace("cleo@marchetti.example", "ana@nordwind.example"),
        TEXT.replace("cleo@marchetti.example", "no-reply@shop.example"),
    )
    forward(TEXT, Auto_Submitted="auto-generated")
    forward(TEXT, subject="Broken")  # it does not say that it passes something on
    settings.TRUSTED_AUTHSERV = ["mx.nordwind.example"]
    forward(f"One {TEXT}", Authentication_Results="mx.nordwind.example; dmarc=fail header.from=nordwind.example")
    forward(f"Two {TEXT}", Authentication_Results="elsewhere.example; dmarc=pass header.from=nordwind.example")
    assert list(Message.objects.values_list("address", flat=True)) == ["ana@nordwind.example"] * 8
    assert not Customer.objects.filter(addresses__canonical="cleo@marchetti.example").exists()


def test_confirmed_it_is_one_and_from_anybody_else_it_is_theirs(forward, post, letter, ana, settings):
    settings.TRUSTED_AUTHSERV = ["mx.nordwind.example"]
    forward(TEXT, Authentication_Results="mx.nordwind.example; dmarc=pass header.from=nordwind.example")
    assert Ticket.objects.get().address.shown == "cleo@marchetti.example"
    settings.TRUSTED_AUTHSERV = []
    post(letter(TEXT, subject="Fwd: Broken"))
    ana.is_active = False
    ana.save()
    forward(TEXT, subject="Fwd: Broken again")
    assert [ticket.address.shown for ticket in Ticket.objects.order_by("pk")[1:]] == [
        "ben@carter.example",
        "ana@nordwind.example",
    ]
