# ruff: noqa: E501 - mail is as wide as it is
"""What a person wrote, apart from what they answer: only a quote at the end is folded."""

import pytest

from helpdesk.mail.parsing import Mail, read

OLD = "> Have you tried the new firmware?\n>\n> Ana"
NEW = "It works now, thank you."


def plain(body: str, subject: str = "Re: Router") -> Mail:
    head = f"From: ben@carter.example\nSubject: {subject}\nContent-Type: text/plain; charset=utf-8\n\n"
    return read(head.encode() + body.encode())


def html(body: str, subject: str = "Re: Router") -> Mail:
    head = f"From: ben@carter.example\nSubject: {subject}\nContent-Type: text/html; charset=utf-8\n\n"
    return read(head.encode() + body.encode())


INTRODUCTIONS = {
    "English": "On Mon, 6 May 2024 at 10:12, Nordwind <support@nordwind.example> wrote:",
    "English, wrapped": "On Mon, 6 May 2024 at 10:12, Nordwind Customer Service\n<support@nordwind.example>\nwrote:",
    "German": "Am 06.05.2024 um 10:12 schrieb Nordwind:",
    "German, name last": "Am Mo., 6. Mai 2024 um 10:12 Uhr schrieb Nordwind <support@nordwind.example>:",
    "French": "Le lun. 6 mai 2024 à 10:12, Nordwind <support@nordwind.example> a écrit :",
    "Spanish": "El lun, 6 may 2024 a las 10:12, Nordwind (<support@nordwind.example>) escribió:",
    "Portuguese": "Em seg., 6 de mai. de 2024 às 10:12, Nordwind <support@nordwind.example> escreveu:",
    "Italian": "Il giorno lun 6 mag 2024 alle ore 10:12 Nordwind <support@nordwind.example> ha scritto:",
    "Dutch": "Op ma 6 mei 2024 om 10:12 schreef Nordwind <support@nordwind.example>:",
    "Polish": "pon., 6 maj 2024 o 10:12 Nordwind <support@nordwind.example> napisał(a):",
    "Swedish": "Den mån 6 maj 2024 kl 10:12 skrev Nordwind <support@nordwind.example>:",
    "Danish": "Den man. 6. maj 2024 kl. 10.12 skrev Nordwind <support@nordwind.example>:",
    "Finnish": "ma 6. toukok. 2024 klo 10.12 Nordwind (support@nordwind.example) kirjoitti:",
    "Czech": "po 6. 5. 2024 v 10:12 odesílatel Nordwind <support@nordwind.example> napsal:",
    "Hungarian": "Nordwind <support@nordwind.example> ezt írta (időpont: 2024. máj. 6., H, 10:12):",
    "Romanian": "În lun., 6 mai 2024 la 10:12, Nordwind <support@nordwind.example> a scris:",
    "Russian": "пн, 6 мая 2024 г. в 10:12, Nordwind <support@nordwind.example> написал(а):",
    "Ukrainian": "пн, 6 трав. 2024 р. о 10:12 Nordwind <support@nordwind.example> пише:",
    "Turkish": "Nordwind <support@nordwind.example>, 6 May 2024 Pzt, 10:12 tarihinde şunu yazdı:",
    "Greek": "Στις Δευ 6 Μαΐ 2024 στις 10:12, ο χρήστης Nordwind <support@nordwind.example> έγραψε:",
    "Japanese": "2024年5月6日(月) 10:12 Nordwind <support@nordwind.example> のメール:",
    "Chinese": "Nordwind <support@nordwind.example> 于2024年5月6日周一 10:12写道：",
    "Korean": "2024년 5월 6일 (월) 오전 10:12, Nordwind <support@nordwind.example>님이 작성:",
    "Hebrew": "‫בתאריך יום ב׳, 6 במאי 2024 ב-10:12 מאת ‪Nordwind‬‏ <‪support@nordwind.example‬‏>:‬ כתב:",
}


@pytest.mark.parametrize("words", INTRODUCTIONS.values(), ids=INTRODUCTIONS)
def test_marked_quote_in_many_languages(words: str) -> None:
    mail = plain(f"{NEW}\n\n{words}\n\n{OLD}\n")
    assert mail.reply == NEW
    assert "firmware" in mail.text


@pytest.mark.parametrize("words", INTRODUCTIONS.values(), ids=INTRODUCTIONS)
def test_unmarked_quote_under_an_introduction(words: str) -> None:
    assert plain(f"{NEW}\n\n{words}\n\nHave you tried the new firmware?\n\nAna\n").reply == NEW


OUTLOOK = {
    "English": "From: Nordwind <support@nordwind.example>\nSent: Monday, May 6, 2024 10:12 AM\nTo: Ben Carter\nSubject: Re: Router",
    "German": "Von: Nordwind <support@nordwind.example>\nGesendet: Montag, 6. Mai 2024 10:12\nAn: Ben Carter\nBetreff: AW: Router",
    "French": "De : Nordwind <support@nordwind.example>\nEnvoyé : lundi 6 mai 2024 10:12\nÀ : Ben Carter\nObjet : RE: Router",
    "Spanish": "De: Nordwind <support@nordwind.example>\nEnviado el: lunes, 6 de mayo de 2024 10:12\nPara: Ben Carter\nAsunto: RE: Router",
    "Italian": "Da: Nordwind <support@nordwind.example>\nInviato: lunedì 6 maggio 2024 10:12\nA: Ben Carter\nOggetto: R: Router",
    "Dutch": "Van: Nordwind <support@nordwind.example>\nVerzonden: maandag 6 mei 2024 10:12\nAan: Ben Carter\nOnderwerp: RE: Router",
    "Swedish": "Från: Nordwind <support@nordwind.example>\nSkickat: den 6 maj 2024 10:12\nTill: Ben Carter\nÄmne: SV: Router",
    "Polish": "Od: Nordwind <support@nordwind.example>\nWysłano: poniedziałek, 6 maja 2024 10:12\nDo: Ben Carter\nTemat: RE: Router",
    "Russian": "От: Nordwind <support@nordwind.example>\nОтправлено: 6 мая 2024 г. 10:12\nКому: Ben Carter\nТема: RE: Router",
    "Chinese": "发件人: Nordwind <support@nordwind.example>\n发送时间: 2024年5月6日 10:12\n收件人: Ben Carter\n主题: RE: Router",
    "bold": "*From:* Nordwind <support@nordwind.example>\n*Sent:* Monday, May 6, 2024 10:12 AM\n*To:* Ben\n*Subject:* Re: Router",
}


@pytest.mark.parametrize("block", OUTLOOK.values(), ids=OUTLOOK)
@pytest.mark.parametrize(
    "rule", ["", "________________________________\n", "-----Original Message-----\n"], ids=["", "line", "original"]
)
def test_outlooks_block_in_text(block: str, rule: str) -> None:
    assert plain(f"{NEW}\n\n{rule}{block}\n\nHave you tried the new firmware?\n").reply == NEW


def test_answers_between_the_lines_survive() -> None:
    body = f"{INTRODUCTIONS['English']}\n> Have you tried the new firmware?\n\nYes.\n\n> And did it help?\n\nNo.\n"
    assert plain(body).reply == body.strip()


def test_only_the_last_quote_folds_below_answers_between_the_lines() -> None:
    mail = plain("> Have you tried the new firmware?\n\nYes.\n\n> And did it help?\n\nNo.\n\n> Ana\n> Nordwind\n")
    assert mail.reply == "> Have you tried the new firmware?\n\nYes.\n\n> And did it help?\n\nNo."


def test_an_answer_below_the_quote_keeps_the_quote() -> None:
    body = f"{INTRODUCTIONS['English']}\n{OLD}\n\n{NEW}"
    assert plain(body).reply == body


def test_a_signature_below_the_quote_goes_with_it() -> None:
    assert plain(f"{NEW}\n\n{INTRODUCTIONS['English']}\n{OLD}\n\n-- \nBen Carter\nCarter & Sons\n").reply == NEW


def test_a_signature_above_the_quote_folds_with_it() -> None:
    assert plain(f"{NEW}\n\n-- \nBen\n\n{INTRODUCTIONS['English']}\n{OLD}\n").reply == NEW


@pytest.mark.parametrize("body", [OLD, f"{INTRODUCTIONS['German']}\n{OLD}", f"{OUTLOOK['French']}\n\nHave you tried?"])
def test_if_only_quote_is_left_all_is_shown(body: str) -> None:
    assert plain(body).reply == body.strip()


@pytest.mark.parametrize("body", [
    "Ben wrote 3 things:\n- one\n- two",
    "My list:\n> not a quote of yours but a command prompt\nand so on",
    "From: the beginning it never worked.\nI sent it back.",
    "Cable length 5 > 3 and so on",
    "-----\nBegin forwarded message:\n\nFrom: Cleo <cleo@marchetti.example>\nDate: 6 May 2024 10:12\nTo: Ben\nSubject: Broken\n\nIt is broken.",
    "See below.\n\n---------- Forwarded message ---------\nFrom: Cleo <cleo@marchetti.example>\nDate: Mon, 6 May 2024\nSubject: Broken\n"
    "To: <ben@carter.example>\n\nIt is broken.",
])  # fmt: skip
def test_what_only_looks_like_a_quote_stays(body: str) -> None:
    assert plain(body).reply == body


def test_what_the_subject_calls_forwarded_is_shown_whole() -> None:
    body = f"Please see to this.\n\n{OUTLOOK['German']}\n\nEs ist kaputt.\n"
    assert plain(body, subject="WG: Router").reply == body.strip()


# --- HTML -------------------------------------------------------------------------------------------------------------

BOXES = {
    "Gmail": '<div dir="ltr">{new}</div><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">On Mon, 6 May 2024 at 10:12, '
    'Nordwind &lt;<a href="mailto:support@nordwind.example">support@nordwind.example</a>&gt; wrote:<br></div><blockquote '
    'class="gmail_quote" style="margin:0 0 0 .8ex;border-left:1px #ccc solid">{old}</blockquote></div>',
    "Gmail 2024": '<div dir="ltr">{new}</div><br><div class="gmail_quote gmail_quote_container"><div class="gmail_attr">Am Mo., 6. Mai 2024 '
    'um 10:12 Uhr schrieb Nordwind:<br></div><blockquote class="gmail_quote">{old}</blockquote></div>',
    "Apple": '<html><body>{new}<div><br><blockquote type="cite"><div>On 6. May 2024, at 10:12, Nordwind wrote:</div><br><div>{old}</div>'
    "</blockquote></div><br></body></html>",
    "Thunderbird": '<p>{new}</p><div class="moz-cite-prefix">Am 06.05.24 um 10:12 schrieb Nordwind:<br></div>'
    '<blockquote type="cite" cite="mid:x@nordwind.example">{old}</blockquote>',
    "Outlook": '<div class="WordSection1"><p class="MsoNormal">{new}</p><p>&nbsp;</p><div style="border:none;border-top:solid #E1E1E1 '
    '1.0pt;padding:3.0pt 0cm 0cm 0cm"><p class="MsoNormal"><b>From:</b> Nordwind &lt;support@nordwind.example&gt;<br><b>Sent:</b> Monday, '
    "May 6, 2024 10:12 AM<br><b>To:</b> Ben<br><b>Subject:</b> Re: Router</p></div><p>{old}</p></div>",
    "Outlook on the web": '<div>{new}</div><div id="appendonsend"></div><hr><div id="divRplyFwdMsg"><b>From:</b> Nordwind<br><b>Sent:</b> '
    "Monday, May 6, 2024<br><b>To:</b> Ben<br><b>Subject:</b> Re</div><div>{old}</div>",
    "Outlook, passed on": '<div>{new}</div><div id="x_divRplyFwdMsg"><b>From:</b> Nordwind</div><div>{old}</div>',
    "Outlook for phones": '<div>{new}</div><div id="mail-editor-reference-message-container"><div>{old}</div></div>',
    "Yahoo": '<div class="ydp1a2byahoo-style-wrap">{new}</div><div id="ydp3c" class="ydp3cyahoo_quoted yahoo_quoted"><div>On Monday, May 6, 2024 '
    "at 10:12 AM, Nordwind wrote:</div><div>{old}</div></div>",
    "Proton": '<div>{new}</div><div class="protonmail_quote">On Monday, May 6th, 2024 at 10:12, Nordwind wrote:<br><blockquote '
    'class="protonmail_quote" type="cite">{old}</blockquote></div>',
    "GMX": '<div>{new}<div name="quote" style="margin:10px"><div><b>Gesendet:</b> 06.05.2024</div><div name="quoted-content">{old}</div></div></div>',
    "an introduction and a blockquote": "<p>{new}</p><p>On 6 May 2024, Nordwind wrote:</p><blockquote>{old}</blockquote>",
}  # fmt: skip


@pytest.mark.parametrize("shape", BOXES.values(), ids=BOXES)
def test_quotes_in_html(shape: str) -> None:
    mail = html(shape.format(new=NEW, old="Have you tried the <b>new firmware</b>?"))
    assert mail.reply == NEW
    assert "firmware" not in mail.reply_html and "wrote" not in mail.reply_html and NEW in mail.reply_html
    assert "firmware" in mail.html and "firmware" in mail.text


@pytest.mark.parametrize("shape", BOXES.values(), ids=BOXES)
def test_only_a_quote_in_html_is_shown_whole(shape: str) -> None:
    mail = html(shape.format(new="", old="Have you tried the new firmware?"))
    assert "firmware" in mail.reply and "firmware" in mail.reply_html


def test_answers_inside_gmails_box_survive() -> None:
    body = (
        '<div class="gmail_quote"><div class="gmail_attr">On Mon, 6 May 2024 at 10:12, Nordwind wrote:</div><blockquote class="gmail_quote">Have '
        'you tried?</blockquote><div>Yes.</div><blockquote class="gmail_quote">Did it help?</blockquote><div>No.</div></div>'
    )
    mail = html(body)
    assert "Yes." in mail.reply_html and "No." in mail.reply_html and "Have you tried?" in mail.reply_html


def test_answers_inside_gmails_box_below_a_greeting_survive() -> None:
    body = (
        '<div>Hello Ana,</div><div class="gmail_quote"><div class="gmail_attr">On Mon, 6 May 2024 at 10:12, Nordwind wrote:</div><blockquote '
        'class="gmail_quote">Have you tried?</blockquote><div>Yes.</div><blockquote class="gmail_quote">Did it help? Ana</blockquote></div>'
    )
    mail = html(body)
    assert (
        "Hello Ana" in mail.reply
        and "Yes." in mail.reply
        and "Have you tried?" in mail.reply
        and "Did it help?" not in mail.reply
    )


def test_an_answer_below_the_html_quote_keeps_the_quote() -> None:
    mail = html(f'<blockquote type="cite">Have you tried?</blockquote><p>{NEW}</p>')
    assert "Have you tried?" in mail.reply_html and NEW in mail.reply_html


def test_a_citation_that_a_person_set_stays() -> None:
    mail = html("<p>The manual says:</p><blockquote>Never do that.</blockquote>")
    assert "Never do that." in mail.reply_html


def test_a_forwarded_message_in_html_is_content() -> None:
    mail = html(
        '<p>FYI</p><div class="gmail_quote"><div class="gmail_attr">---------- Forwarded message ---------<br>From: Cleo</div>'
        "It is broken.</div>"
    )
    assert "It is broken." in mail.reply_html


def test_the_text_part_is_used_when_only_it_shows_the_quote() -> None:
    raw = (
        "From: ben@carter.example\nSubject: Re: x\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\n"
        f"{NEW}\n\n{INTRODUCTIONS['English']}\n{OLD}\n--b\nContent-Type: text/html\n\n<p>{NEW}</p><p>Have you tried the new firmware?</p>\n--b--\n"
    )
    mail = read(raw.encode())
    assert mail.reply == NEW and "firmware" not in mail.reply_html and "firmware" in mail.html
