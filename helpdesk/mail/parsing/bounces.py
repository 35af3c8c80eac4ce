"""What a delivery report says: whom our message did not reach, why, and whether trying again helps.

RFC 3464 reports and RFC 5965 complaints are read as such; for the many shapes without either, flufl.bounce finds the
addresses and the status is looked for in the words. Whether a bounce is *believed* is decided elsewhere, by its match.
"""

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from email import message_from_bytes

import flufl.bounce

from .addresses import parse, valid
from .charsets import clean_line, decode
from .headers import Headers, ids, split

logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)  # its detectors raise on broken mail, with a traceback for each

MAX_GUESSED = 64 * 1024  # bytes of a report without structure that are searched: its own words stand at the top
MAX_REPORT = 1024 * 1024  # bytes of a structured report that are read
MAX_RECIPIENTS = 1_000

_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]\d)")
_REPLY = re.compile(r"(?<![\d.])([45])[0-5]\d(?=[ :-])")
_FULL = re.compile(
    r"mailbox (?:is )?(?:currently )?full|over ?quota|quota (?:is |has been )?(?:exceeded|full)|"
    r"exceed\w* (?:\w+ ){0,3}(?:quota|storage)|"
    r"insufficient (?:system )?storage|out of (?:storage|disk)|not enough (?:storage|space)|mailbox (?:size )?limit exceeded|"
    r"(?:account|inbox) is full|no room left|storage allocation|"
    r"postfach (?:ist )?voll|boîte (?:aux lettres )?(?:est )?pleine|buz[oó]n lleno|casella (?:di posta )?piena|"
    r"caixa postal (?:\w+ ){0,3}cheia|переполнен|邮箱已满|郵箱已滿",
    re.IGNORECASE,
)
_POLICY = re.compile(
    r"spam|black ?list|block ?list|blocked|policy|dmarc|\bspf\b|\bdkim\b|reputation|unsolicited|not authenticated|"
    r"\brbl\b|\bdnsbl\b|service refus|ask your postmaster|content denied|user complaints",
    re.IGNORECASE,
)
_UNKNOWN_USER = re.compile(
    r"user unknown|unknown user|no such (?:user|recipient|mailbox|address)|does ?n[o']t exist|does not exist|"
    r"invalid (?:recipient|mailbox|address)|unknown (?:recipient|local|address|e-?mail)|"
    r"recipient not found|not found|mailbox unavailable|address rejected|disabled|inactiv|"
    r"no mailbox|not listed|not recogni[sz]ed|unrout[e]?able|doesn['’]t have an?\b|illegal alias|"
    r"unbekannt|existiert nicht|inconnu|n['’]existe pas|no existe|desconocid|desconhecid|não existe|sconosciut|inesistente|"
    r"не существует|не найден|不存在|존재하지",
    re.IGNORECASE,
)
# Words so plain that no code is believed against them: some say 5.7.1 where they mean 5.1.1.
_NOBODY = re.compile(r"no such (?:user|recipient|mailbox)|user unknown|unknown user", re.IGNORECASE)
_GREYLIST = re.compile(r"gr[ae]y-?list", re.IGNORECASE)
_PASSING = re.compile(r"retry time|timed out|could not connect|connection (?:refused|reset)|in the queue too long", re.IGNORECASE)
_STILL_TRYING = re.compile(
    r"(?:will|we'll) (?:keep|continue) (?:trying|to try|attempting|retrying)|still being (?:tried|retried)|warning message only|"
    r"do not need to resend|will be retried|delivery attempts will continue",
    re.IGNORECASE,
)
_DAEMON = re.compile(r"^(?:mailer-daemon|postmaster|mail-daemon|mdaemon|double-bounce)@", re.IGNORECASE)
_SUBJECT = re.compile(
    r"undeliver|returned mail|return(?:ed)? to sender|"
    r"delivery (?:status )?(?:notification|failure|failed|problem|error|has failed)|mail delivery|failure notice|"
    r"mail system error|non ?remis|nicht zustellbar|unzustellbar|no entregado|delivery report|could not send message|"
    r"mancata consegna|não entregue|недоставлен|退信|발송실패",
    re.IGNORECASE,
)
_QMAIL = re.compile(r"^<([^<>\s]{3,320})>:?\s*$|^<([^<>\s]{3,320})>:\s", re.MULTILINE)
_ADDRESS = re.compile(r"(?<![\w.%+'=-])[\w.%+'=-]{1,64}@[\w.-]{1,253}\.[a-z]{2,}", re.IGNORECASE | re.ASCII)
_COPY = re.compile(
    r"^[ \t]*--.*\b(?:copy|original|unsent|header)\b|^.*original message follows|"
    r"^[> \t]{0,4}(?:message-id|return-path|received):",
    re.IGNORECASE | re.MULTILINE,
)
_MESSAGE_ID = re.compile(r"^[> \t]{0,4}Message-ID:\s{0,20}(<[^<>\s]{1,500}>)", re.IGNORECASE | re.MULTILINE)
_RETURNED = {"message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers", "message/global-headers"}
_COMPLAINTS = {"abuse", "fraud", "virus", "opt-out", "opt-out-list", "miscategorized", "complaint"}


@dataclass(frozen=True)
class Bounce:
    """A report on one message of ours.

    `kind`: *hard* (the address is wrong or closed), *soft* (try later), *full* (a full mailbox, temporary whatever its
    code), *policy* (we were refused, no address is to blame), *message* (this message was refused for its size or
    content), *complaint* (a reader called it spam).
    `permanent`: sending it again does not help. `delayed`: the other
    side is still trying, so nothing is settled.
    """

    recipients: tuple[str, ...]
    status: str | None  # RFC 3463
    permanent: bool
    reason: str
    kind: str
    message_id: str | None = None  # of the message reported on
    delayed: bool = False


def read(
    leaves: Iterable[tuple[str, bytes]],
    *,
    get: Callable[[str], str],
    sender: str,
    subject: str,
    text: str,
    raw: bytes,
    return_path: str | None,
) -> Bounce | None:
    """The report in these leaves (type, content), or None. `text` is the message's own text."""
    parts = list(leaves)
    original = _original(parts, text)
    for kind, content in parts:
        if kind == "message/feedback-report":
            return _complaint(_fields(content), original)
    reports = [(content, _groups(content)) for kind, content in parts if kind.endswith("delivery-status")]
    groups = [group for _, found in reports for group in found]
    if groups:
        prose = [decode(content) for content, found in reports if not found]  # some put their words here
        return _report(groups, original, "\n".join([text, *prose]), subject)
    suspicious = return_path == "" or _DAEMON.match(sender) or get("x-failed-recipients") or _SUBJECT.search(subject)
    reported = any(kind.endswith("disposition-notification") for kind, _ in parts)
    # People write about undeliverable parcels, and some as postmaster: their words are searched only if more speaks for it.
    sure = return_path == "" or bool(_DAEMON.match(sender) and (_SUBJECT.search(subject) or not sender.startswith("postmaster")))
    return _guess(get, subject, text, raw, original, sure) if suspicious and not reported else None


def judged(
    words: str, recipients: tuple[str, ...], *, kind: str = "", lasting: bool | None = None, delayed: bool = False
) -> Bounce:
    """What a mail system's answer means outside any report: said to our sender, or by a provider's event.

    `kind`, where it is known already; `lasting`, what the provider calls it, for words without a code.
    """
    reason = clean_line(words, 500)
    status = _status(reason) or (None if lasting is None else "5.0.0" if lasting else "4.0.0")
    kind = kind or _kind(status or "4.0.0", reason, delayed)
    if kind == "hard" and lasting is False:
        kind = "soft"  # whoever tried says that it may come right
    permanent = not delayed and kind not in ("soft", "full") and lasting is not False and (status or "5").startswith("5")
    return Bounce(recipients, status, permanent, reason, kind, None, delayed)


def _original(parts: list[tuple[str, bytes]], text: str) -> Headers:
    """The headers of the message that came back; of a report in plain text only its Message-ID, if quoted."""
    for kind, content in parts:
        if kind in _RETURNED:
            return _fields(content)
    quoted = _MESSAGE_ID.search(text)
    return Headers((("message-id", quoted[1].encode("utf-8", "replace")),) if quoted else ())


def _message_id(original: Headers) -> str | None:
    return next(iter(ids(original.all("message-id"))), None)


def _fields(content: bytes) -> Headers:
    data = content[:MAX_REPORT].lstrip()
    return split(data, 0, len(data))[0]


def _groups(content: bytes) -> list[Headers]:
    """The groups of fields about one recipient each (RFC 3464, 2.1); prose between them is passed over."""
    found = []
    for block in re.split(rb"\r?\n[ \t]*\r?\n", content[:MAX_REPORT].strip())[: MAX_RECIPIENTS + 10]:
        group = split(block + b"\n\n", 0, len(block) + 2)[0]
        if "final-recipient" in group or "original-recipient" in group:
            found.append(group)
    return found


def _report(groups: list[Headers], original: Headers, text: str, subject: str) -> Bounce | None:
    failed = [group for group in groups if _action(group) == "failed"]
    counted = failed or [group for group in groups if _action(group) == "delayed"]
    if not counted:
        return None  # delivered, relayed, expanded: good news
    first = counted[0]
    diagnosis = _diagnosis(first)
    status = _status(first.get("status"))
    if status is None or status[2:] in ("0.0", "5.0"):
        status = _status(diagnosis) or status or _status(text)
    recipients = [_recipient(group) for group in counted]
    reason = diagnosis or _line_about(text, status, recipients) or subject
    return _bounce(recipients, status, reason, original, not failed)


def _action(group: Headers) -> str:
    action = group.get("action").partition("(")[0].strip().lower()
    if action:
        return action
    return {"5": "failed", "4": "delayed"}.get(group.get("status").strip()[:1], "")


def _recipient(group: Headers) -> str | None:
    """The address as we wrote it, if the report still knows it."""
    for name in ("original-recipient", "final-recipient"):
        if found := valid(group.get(name).rpartition(";")[2].strip().strip("<>")):
            return found
    return None


def _diagnosis(group: Headers) -> str:
    kind, semicolon, words = group.get("diagnostic-code").partition(";")
    return clean_line(words if semicolon and len(kind) < 20 else kind + semicolon + words, 500)


def _status(text: str) -> str | None:
    found = _STATUS.search(text[:20_000])
    if found:
        return ".".join(found.groups())
    reply = _REPLY.search(text[:20_000])
    return f"{reply[1]}.0.0" if reply else None


def _bounce(recipients: Iterable[str | None], status: str | None, reason: str, original: Headers, delayed: bool) -> Bounce:
    kind = _kind(status, reason, delayed)
    lasting = not delayed and (status or "5").startswith("5")
    known = tuple(dict.fromkeys(address for address in recipients if address))[:MAX_RECIPIENTS]
    permanent = lasting and kind not in ("soft", "full")
    return Bounce(known, status, permanent, clean_line(reason, 500), kind, _message_id(original), delayed)


def _kind(status: str | None, reason: str, delayed: bool) -> str:
    code = (status or "")[2:]
    if code == "2.2" or _FULL.search(reason):
        return "full"
    if code.startswith("7."):
        return "soft" if _GREYLIST.search(reason) else "hard" if _NOBODY.search(reason) and not delayed else "policy"
    if code in ("2.3", "3.4") or code.startswith("6."):
        return "message"
    if code in ("", "0.0") and _POLICY.search(reason) and not _UNKNOWN_USER.search(reason):
        return "policy"
    if code in ("", "0.0") and _PASSING.search(reason):
        return "soft"
    if delayed or (status or "5").startswith("4"):
        return "soft"
    return "hard"


def _complaint(report: Headers, original: Headers) -> Bounce | None:
    """RFC 5965. Reports about authentication or "this is not spam" are no complaints."""
    feedback = report.get("feedback-type").strip().lower()
    if feedback not in _COMPLAINTS:
        return None
    listed = [*report.all("original-rcpt-to"), *report.all("removal-recipient"), *original.all("to")]
    recipients = dict.fromkeys(one.address for value in listed[:20] for one in parse(value))
    reason = clean_line(f"{feedback}: {report.get('user-agent') or report.get('source-ip')}".rstrip(": "), 500)
    return Bounce(tuple(recipients), None, True, reason, "complaint", _message_id(original))


def _guess(get: Callable[[str], str], subject: str, text: str, raw: bytes, original: Headers, sure: bool) -> Bounce | None:
    """A report without structure: the addresses by X-Failed-Recipients, by flufl.bounce, by qmail's lines, or by its words."""
    temporary: set[str] = set()
    listed = [found for value in get("x-failed-recipients")[:10_000].split(",") if (found := valid(value))]
    if not listed:
        temporary, permanent = _scan(raw[:MAX_GUESSED])
        listed = sorted(permanent | temporary)
    own_words = text[:MAX_GUESSED]
    if not listed and (_SUBJECT.search(subject) or _STATUS.search(own_words)):
        listed = [found for one, two in _QMAIL.findall(own_words) if (found := valid(one or two))]
    if not listed and sure:
        listed = _named(own_words, get, original)
    if not listed:
        return None
    reason = _line_about(own_words, None, listed) or subject
    status = _status(reason) or _status(own_words)
    if status is None and temporary and not set(listed) - temporary:
        status = "4.0.0"
    if status and status.startswith("2"):
        return None
    return _bounce(listed, status, reason, original, bool(_STILL_TRYING.search(own_words)))


def _named(text: str, get: Callable[[str], str], original: Headers) -> list[str]:
    """Whom its own words name, above the copy of our message, if they say that something failed: of several, whom we wrote
    to, or else the first."""
    copy = _COPY.search(text)
    words = text[: copy.start()] if copy else text
    if not any(sign.search(words) for sign in (_STATUS, _REPLY, _UNKNOWN_USER, _FULL, _STILL_TRYING, _PASSING)):
        return []
    others = {one.address.lower() for name in ("from", "to", "reply-to") for one in parse(get(name)[:10_000])}
    found = [good for one in _ADDRESS.findall(words)[:MAX_RECIPIENTS] if (good := valid(one)) and not _DAEMON.match(good)]
    failed = list(dict.fromkeys(one for one in found if one.lower() not in others))
    ours = {one.address.lower() for value in list(original.all("to"))[:20] for one in parse(value)}
    return [one for one in failed if one.lower() in ours] or failed[:1]


def _scan(raw: bytes) -> tuple[set[str], set[str]]:
    """flufl.bounce's (temporary, permanent) addresses; its detectors raise on broken mail, which then says nothing."""
    try:
        found = flufl.bounce.all_failures(message_from_bytes(raw))
    except Exception:  # any of forty detectors, on any bytes at all
        return set(), set()
    temporary, permanent = ({good for one in some if (good := valid(_as_text(one)))} for some in found)
    return temporary, permanent


def _as_text(one: bytes | str) -> str:
    return decode(one) if isinstance(one, bytes) else one


def _line_about(text: str, status: str | None, recipients: Iterable[str | None]) -> str:
    """The line that says why: with the status, an SMTP reply, the words for a usual reason, or the address."""
    names = [name for name in recipients if name][:5]
    lines = [line.strip() for line in text[:MAX_GUESSED].split("\n")]
    for looks in (
        (lambda line: bool(status) and status in line),
        _STATUS.search,
        _REPLY.search,
        (lambda line: _UNKNOWN_USER.search(line) or _FULL.search(line)),
        (lambda line: any(name in line for name in names)),
    ):
        for index, line in enumerate(lines):
            if line and looks(line[:1_000]):
                return clean_line(" ".join(lines[index : index + 3]), 500)
    return ""
