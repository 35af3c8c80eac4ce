"""The words by which mail programs, in their languages, say "what follows is what I answer to"."""

import re

QUOTED = re.compile(r"^\s{0,3}(?:[>＞]|\|(?=[> ]))")  # a line with a quote mark
WROTE = re.compile(
    r"\b(?:wrote|writes|schrieb|schreibt|geschrieben|a écrit|écrivait|escribió|escribe|va escriure|escreveu|ha scritto|scrive|"
    r"schreef|schrijft|napisał(?:\(a\)|a)?|napisana przez|pisze|skrev|skriver|kirjoitti|"
    r"napsal(?:\(a\)|a)?|napísal(?:\(a\)|a)?|írta|a scris|написал(?:\(а\)|а)?|пишет|писал(?:\(а\)|а)?|пише|написав|написала|"
    r"yazdı|έγραψε|đã viết|je napisa[ol]|rašė|kirjutas|menulis)\b|写道|寫道|写到|のメール|のメッセージ|書きました|작성|כתב|كتب",
    re.IGNORECASE,
)
# Gmail in Japanese, Yandex, Mail.ru and Tutanota say only when and who.
_DATE_AND_SENDER = re.compile(
    r"^(?:\w{2,12}\.?,? )?(?:(?:19|20)\d\d[年./-]|\d{1,2}[./ -]{1,2}(?:\d{1,2}|\w{3,12})\.?[./ -]\d{2,4}|\w{3,12} \d{1,2}, \d{4})"
    r".{0,200}[<\s][^<>\s@]{1,100}@[^<>\s@]{3,200}>?[:：]$"
)
_DATED = re.compile(r"\d{1,2}[:.h]\d{2}|\b(?:19|20)\d{2}\b|\d{1,2}[./-]\d{1,2}[./-]\d{2}|年\d")
_FORWARDED_LINE = re.compile(
    r"^\W*(?:begin forwarded message|forwarded message|weitergeleitete nachricht|anfang der weitergeleiteten|message transféré|"
    r"début du message (?:transféré|réexpédié)|mensaje reenviado|mensagem (?:encaminhada|reencaminhada)|messaggio inoltrato|"
    r"inizio messaggio inoltrato|doorgestuurd bericht|przekazana wiadomość|vidarebefordrat|videresendt|välitetty viesti|"
    r"přeposlaná zpráva|пересылаемое сообщение|пересланное сообщение|转发的邮件|転送されたメッセージ)\b",
    re.IGNORECASE,
)
ORIGINAL = re.compile(
    r"^\W*(?:original message|original appointment|ursprüngliche nachricht|originalnachricht|message d['’]origine|"
    r"message original|mensaje original|mensagem original|messaggio originale|oorspronkelijk bericht|oryginalna wiadomość|"
    r"wiadomość oryginalna|ursprungligt meddelande|originalmeddelande|oprindelig meddelelse|opprinnelig melding|"
    r"alkuperäinen viesti|původní zpráva|pôvodná správa|eredeti üzenet|исходное сообщение|оригинальное сообщение|"
    r"orijinal mesaj|αρχικό μήνυμα|原始邮件|原始郵件|元のメッセージ|원본 메시지)\W*$",
    re.IGNORECASE,
)
_KEYS = {
    "from": "from|von|absender|de|expéditeur|remitente|da|mittente|van|od|nadawca|från|fra|lähettäjä|feladó|от|от кого|"
    "отправитель|від|kimden|gönderen|από|发件人|發件人|寄件者|寄件人|差出人|送信者|보낸 ?사람",
    "sent": "sent|date(?: d['’]envoi)?|gesendet(?: am)?|datum|envoyé(?: le)?|enviado(?: el| em)?|enviada(?: em)?|"
    "data(?: invio| wysłania)?|inviato(?: il)?|verzonden(?: op)?|wysłano|skickat|sendt|lähetetty|päiväys|odesláno|elküldve|"
    "dátum|отправлено|дата|надіслано|gönderme tarihi|gönderildi|tarih|fecha(?: de envío)?|ημερομηνία|发送时间|发送日期|"
    "發送時間|發送日期|寄件日期|寄件時間|傳送時間|时间|時間|日期|送信日時|日時|보낸 ?날짜|날짜",
    "to": "to|an|empfänger|à|destinataire|para|destinatario|a|aan|do|odbiorca|till|til|vastaanottaja|komu|címzett|кому|"
    "получатель|kime|alıcı|προς|收件人|收件者|收信人|宛先|받는 ?사람",
    "subject": "subject|betreff|objet|sujet|asunto|assunto|oggetto|onderwerp|temat|ämne|emne|aihe|předmět|predmet|tárgy|"
    "тема|konu|θέμα|主题|主題|主旨|标题|標題|件名|제목",
}
_KEY = re.compile(
    r"^[\W_]{0,4}(?:" + "|".join(f"(?P<{name}>{words})" for name, words in _KEYS.items()) + r")[\W_]{0,3}[:：]",
    re.IGNORECASE,
)
FORWARD_SUBJECT = re.compile(
    r"^\s*(?:\[[^\]]{0,60}\]\s*)?(?:fwd?|wg|tr|rv|enc|doorst|vb|vs|pd|i|továbbítás|转发|轉寄)\s*[:：]", re.IGNORECASE
)


def attribution(text: str) -> bool:
    """Whether these words introduce a quote: "On 3 May 2024, Ben wrote:" in any of two dozen languages."""
    text = " ".join(text.split())
    if len(text) > 400 or not text.endswith((":", "：")):
        return False
    if not WROTE.search(text):
        return bool(_DATE_AND_SENDER.match(text))
    return bool(_DATED.search(text)) or "@" in text


def dated(text: str) -> bool:
    """Whether a date or a time of day stands in these words."""
    return bool(_DATED.search(text))


def sure(text: str) -> bool:
    """Whether an attribution is certain enough to believe it without quote marks below: a date, and a time or a sender."""
    found = _DATED.findall(text)
    return len(found) > 1 or (bool(found) and any(sign in text for sign in "@,<"))


def forwarded(line: str) -> bool:
    """Whether this line says that a forwarded message follows; that is content, not a quote."""
    return bool(_FORWARDED_LINE.match(line))


def key(line: str) -> str | None:
    """Which field of a header block this line is: from, sent, to or subject, in any of their languages."""
    found = _KEY.match(line[:200])
    return found.lastgroup if found else None


def key_length(line: str) -> int:
    """How long the name of that field is, with its colon."""
    found = _KEY.match(line[:200])
    return found.end() if found else 0


def header_block(lines: list[str]) -> bool:
    """Whether these lines begin with the From, Sent, To, Subject that Outlook puts above what is answered.

    A trip also goes from somewhere to somewhere on a date: without a subject, the sender must have an address.
    """
    first = _KEY.match(lines[0][:200]) if lines else None
    if not first or first.lastgroup not in ("from", "sent"):
        return False
    found = {match.lastgroup: line for line in lines[:10] if (match := _KEY.match(line[:200]))}
    if not {"from", "sent"} <= found.keys():
        return False
    return "subject" in found or ("to" in found and "@" in found["from"])
