"""Signatures at the end of what a person wrote: behind a line `-- ` (RFC 3676, 4.3), or a telephone's one line about itself."""

import re

from . import phrases

LONGEST = 40  # lines below `-- `
LONGEST_BARE = 10  # lines below `--`, which people also draw between two thoughts

# "Sent from my iPhone", "Get Outlook for Android" and their sisters: the words, then what the thing is called.
_SENT = re.compile(
    r"^\W{0,3}(?:sent (?:from|via|with|using|by)|get (?:outlook|bluemail)|von (?:meinem|unterwegs)|gesendet (?:von|mit|über|aus)|"
    r"(?:outlook|bluemail) für|laden sie|hol(?:e dir|en sie sich)|envoy[ée]e? (?:de|à partir|avec|via|par)|obten(?:ir|ez)|"
    r"télécharge[rz]|enviad[oa] (?:desde|do|da|a partir|con|com|via|de|por)|obt(?:ener|enga|én|er|enha)|descarg(?:ar|a|ue)|"
    r"inviat[oa] (?:da|dal|con|tramite)|ottieni|scarica|verzonden (?:vanaf|met|vanuit|via|van)|verstuurd (?:vanaf|met|via)|"
    r"download|wysłan[eoay] (?:z|przez|za)|pobierz|отправлено (?:с|из|через)|(?:с|за)качать|загрузить|skickat (?:från|med)|"
    r"hämta|sendt (?:fra|med|via)|hent|lähetetty|hanki|odesl[áa]no z|odoslan[ée] z|elküldve|trimis de|надіслано|"
    r"发自|來自|来自|寄自|從我的|从我的|傳送自|获取|獲取|取得|下载|下載|나의)",
    re.IGNORECASE,
)
_SENT_AT_END = re.compile(
    r"(?:から送信|を入手|をダウンロード|傳送|发送|에서 보냄|보냄|gesendet|küldve|gönderildi|verzonden)\W{0,3}$", re.IGNORECASE
)
_THING = re.compile(
    r"iphone|ipad|ios|android|samsung|galaxy|huawei|xiaomi|honor|oppo|pixel|outlook|e-?mail|gmail|yahoo|proton|tuta|blackberry|"
    r"mobil|smartphone|phone|handy|móvil|celular|cellulare|téléphone|telefon|telefoon|телефон|мобильн|thunderbird|windows|"
    r"web\.de|gmx|aol|bluemail|spark|tablet|posteo|スマート|携帯|手机|手機|邮箱|郵箱|信箱|邮件",
    re.IGNORECASE,
)
_LINK = re.compile(r"[<(\[]?https?://\S{1,500}")
_RULE = re.compile(r"^\s*[-_*=~\u2013\u2014]{1,60}\s*$")


def start(lines: list[str]) -> int:
    """The line on which the signature at the end begins; len(lines) if there is none."""
    end = _filled(lines, len(lines))
    found = len(lines)
    while end and device(lines[end - 1]):
        found = end - 1
        end = _filled(lines, found)
    if found < len(lines) and end and _RULE.match(lines[end - 1]):
        found = end - 1
        end = _filled(lines, found)
    first = max(end - LONGEST - 1, 0)
    for index in range(first, end):
        bare = lines[index] != "-- " and lines[index].strip("\u200b\ufeff \xa0") == "--"
        if lines[index] == "-- " or (bare and end - index <= LONGEST_BARE + 1):
            below = lines[index + 1 : end]
            if any(phrases.QUOTED.match(line) or phrases.forwarded(line) for line in below):
                break
            return index
    return found


def device(line: str) -> bool:
    """Whether this line is what a telephone or a mail program writes about itself."""
    if len(line) > 600:
        return False
    words = _LINK.sub(" ", line).replace("\u200b", "").strip()
    if not words or len(words) > 90 or len(words.split()) > 13 or words.endswith(("?", "!", ",", ":")):
        return False
    return bool((_SENT.match(words) or _SENT_AT_END.search(words)) and _THING.search(words))


def _filled(lines: list[str], end: int) -> int:
    """`end` without the blank lines above it."""
    while end and not lines[end - 1].strip("\u200b\ufeff\xa0 \t"):
        end -= 1
    return end
