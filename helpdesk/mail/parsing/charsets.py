"""Bytes to text, for mail whose charset is missing, unknown or a lie; and text made safe to store and show."""

import codecs
import re

# What a label says and what is meant by it: the supersets that mailers write under the older name.
MEANT = {
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "shift_jis": "cp932",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "iso2022_jp": "iso2022_jp_ext",
    "iso8859-9": "cp1254",
    "tis-620": "cp874",
}
# Names that no registry knows but mailers send.
ALIASES = {
    "ks_c_5601-1987": "cp949",
    "x-sjis": "cp932",
    "x-mac-roman": "mac_roman",
    "macintosh": "mac_roman",
    "cp-850": "cp850",
    "unicode-1-1-utf-7": "utf-7",
    "iso-8859-8-i": "iso8859-8",
    "x-gbk": "gb18030",
    "x-unknown": "utf-8",
    "unicode": "utf-16",
    "windows-874": "cp874",
    "windows-936": "gb18030",
    "windows-949": "cp949",
    "windows-950": "cp950",
}
# Codecs that are no charsets, or that cost quadratic time (punycode, idna).
REFUSED = {"punycode", "idna", "unicode_escape", "raw_unicode_escape", "unicode-escape", "raw-unicode-escape", "undefined"}
SINGLE_BYTE_LATIN = {"cp1252", "cp1254", "iso8859-15", "mac_roman", "cp850"}
BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
INVISIBLE = "\u00ad\u115f\u1160\u180e\u200b-\u200d\u2060-\u2064\u206a-\u206f\u3164\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
_JAPANESE = re.compile(rb"\x1b\$[@B]|\x1b\([JI]")
_PRINTABLE = bytes(range(32, 127))  # text of little else is not UTF-16, whatever it says
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_BREAKS = re.compile("[\r\n\t\x0b\x0c\x85\u2028\u2029]+")


def codec(label: str | None) -> str | None:
    """The Python codec for a charset label, or None when nobody knows it (or it is no charset at all)."""
    label = (label or "").strip().strip("\"'").lower()
    if not re.fullmatch(r"[a-z0-9][a-z0-9._:+-]{0,38}", label):
        return None
    try:
        name = codecs.lookup(ALIASES.get(label, label)).name
    except (LookupError, ValueError, ImportError):
        return None
    if name in REFUSED:
        return None
    return MEANT.get(name, name)


def decode(data: bytes, charset: str | None = None, *, hint: str | None = None) -> str:
    """The text that was meant, from bytes and the label they came under. Never raises.

    A label that cannot be right (UTF-8 under a Latin label, plain ASCII called UTF-16) is not believed; `hint` is a
    second guess, such as the body's charset for raw bytes in a header.
    """
    if data.isascii() and b"\0" not in data and b"\x1b" not in data and codec(charset) not in ("utf-7", "hz"):
        return data.decode("ascii")
    if data.isascii() and _JAPANESE.search(data) and (text := _strict(data, "iso2022_jp_ext")) is not None:
        return text  # seven bits with these escapes are that, also without a label or called ASCII
    for name in (codec(charset), _beside_ascii(hint)):
        if name is None or (name.startswith(("utf-16", "utf-32")) and len(data.translate(None, _PRINTABLE)) * 5 < len(data)):
            continue
        if name in SINGLE_BYTE_LATIN:
            text = _strict(data, "utf-8")
            if text is not None:
                return text
        text = _strict(data, name)
        if text is not None:
            return text
        if name.startswith(("iso2022", "euc", "cp9", "gb", "big5")):
            return _clean_decode(data, name)
    return _best(data)


def _beside_ascii(label: str | None) -> str | None:
    """The codec of a charset in which ASCII is ASCII: no other can be meant by bytes in the midst of headers or markup."""
    name = codec(label)
    return name if name and _strict(b"<a@b>", name) == "<a@b>" else None


def _best(data: bytes) -> str:
    """UTF-8 if it is that or almost that (cut in the middle of a letter), else Windows-1252, which reads anything."""
    text = _strict(data, "utf-8-sig")
    if text is not None:
        return text
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _clean_decode(data, "utf-16")
    repaired = data.decode("utf-8", "replace")
    letters = sum(data.count(byte) for byte in range(0xC2, 0xF5))
    if repaired.count("\ufffd") * 3 <= letters:
        return repaired
    return _clean_decode(data, "cp1252")


def _strict(data: bytes, name: str) -> str | None:
    try:
        return data.decode(name)
    except (UnicodeError, LookupError, ValueError):
        return None


def _clean_decode(data: bytes, name: str) -> str:
    try:
        return data.decode(name, "replace")
    except (UnicodeError, LookupError, ValueError):  # some codecs refuse even under "replace"
        return data.decode("latin-1")


def clean_text(text: str) -> str:
    """Text for a body: one kind of line end, nothing that PostgreSQL refuses (NUL, lone surrogates) or that steers a terminal."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _SURROGATES.sub("\ufffd", _CONTROLS.sub("", text))


def clean_line(text: str, limit: int) -> str:
    """Text for one line such as a subject: no line break of any kind, no bidi control; at most `limit` characters."""
    text = re.sub(f"[{BIDI}]", "", _BREAKS.sub(" ", clean_text(text)))
    return re.sub(r"\s+", " ", text).strip()[:limit]


def clean_name(text: str, limit: int) -> str:
    """A person's or a file's name: a line without invisible characters, so that what is shown is what is there."""
    return clean_line(re.sub(f"[{INVISIBLE}]", "", text), limit)
