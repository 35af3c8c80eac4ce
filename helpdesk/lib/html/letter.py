"""A mail with its own look, for a frame of its own whose policy lets nothing run and nothing load."""

import re
from collections.abc import Iterator, Mapping
from html import escape, unescape

from helpdesk.lib.html.sanitiser import sanitize

MAX_STYLES = 200_000  # characters of style sheets
_FITS = "img { max-width: 100%; height: auto }"  # on a telephone; the mail's own word counts more
_CID = re.compile(r'(<img\b[^<>]*?) data-cid="([^"]*)"')


def styled(html: str) -> str:
    """Foreign HTML with its style sheets, classes and colours kept and everything else sanitised; nothing in it fetches.

    Only for a document of its own under `default-src 'none'; style-src 'unsafe-inline'; sandbox`: on a page of ours,
    styles could cover what is ours.
    """
    sheets = "\n".join(_quiet(sheet) for sheet in _sheets(html))[:MAX_STYLES]
    return f"<style>{_FITS}\n{sheets}</style>{sanitize(html, styled=True)}"


def with_pictures(html: str, images: Mapping[str, str]) -> str:
    """What `styled` made, with the pictures whose Content-IDs are known in their places."""

    def put(found: re.Match[str]) -> str:
        address = images.get(unescape(found[2]))
        return f'{found[1]} src="{escape(address)}"' if address else found[0]

    return _CID.sub(put, html)


def _sheets(html: str) -> Iterator[str]:
    lower, at = re.sub("[A-Z]+", lambda m: m[0].lower(), html), 0
    while (begin := lower.find("<style", at)) != -1:
        start = lower.find(">", begin) + 1
        end = lower.find("</style", start)
        if not start or end == -1:
            return
        yield html[start:end]
        at = end


def _quiet(sheet: str) -> str:
    """Without the means to fetch, or to end the sheet: a declaration that had them is no longer one, and is skipped."""
    return re.sub(r"url\s*\(|image-set\s*\(|src\s*\(|@import|@font-face|\\", "none ", sheet.replace("<", ""), flags=re.IGNORECASE)
