"""Pictures from elsewhere, fetched for a reader by us: their sender learns neither who reads nor when, beyond that we asked.

Every hop goes through the guarded dialler (lib.net), so no picture leads into our network.
"""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from django.core.cache import cache

from helpdesk.files.pictures import Busy, NoPicture, still
from helpdesk.lib import http as door

MOST = 5_000_000  # bytes of a picture
WITHIN = 10.0  # seconds for all hops together
HOPS = 3  # redirects that are followed
PORTS = (80, 443)
PRIVATE: tuple[str, ...] = ()  # hosts that may be asked although they are not public: none
HEADERS = {"User-Agent": "Twofold-Pictures", "Accept": "image/webp,image/png,image/jpeg,image/gif"}
REDIRECTS = (301, 302, 303, 307, 308)
# Threads of a web process (asgi.THREADS, eight) that may wait for foreign servers, and how long a further one queues.
AT_ONCE, QUEUE = 4, 2.0
IN_ALL = 6
SULKS = 60  # seconds in which a host that was too slow is not asked again

_fetching, _inside = threading.BoundedSemaphore(AT_ONCE), threading.BoundedSemaphore(IN_ALL)


def picture(url: str) -> bytes:
    """The picture at a foreign address, drawn anew as WebP. Raises NoPicture when there is none to be had, and Busy."""
    host = f"slow-picture-host:{urlsplit(url).netloc.lower()[:120]}"
    if cache.get(host):
        raise NoPicture("This host was too slow a moment ago")
    with _place():
        end = time.monotonic() + WITHIN
        try:
            content = _fetch(url, end)
        except (OSError, http.client.HTTPException) as error:  # Forbidden and TooMuch are OSErrors
            if time.monotonic() >= end:
                cache.set(host, True, SULKS)
            raise NoPicture(str(error) or type(error).__name__) from error
    return still(content)


@contextmanager
def _place() -> Iterator[None]:
    """A slow host holds a few threads and never all of them."""
    if not _inside.acquire(blocking=False):
        raise Busy
    try:
        if not _fetching.acquire(timeout=QUEUE):
            raise Busy
        try:
            yield
        finally:
            _fetching.release()
    finally:
        _inside.release()


def _fetch(url: str, end: float) -> bytes:
    for _hop in range(HOPS + 1):
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError("It took too long")
        answer = door.request("GET", _wire(url), headers=HEADERS, ports=PORTS, private=PRIVATE, timeout=left, most=MOST)
        if answer.status not in REDIRECTS:
            if answer.status != 200:
                raise NoPicture(f"Its server answers {answer.status}")
            return answer.body
        try:
            url = urljoin(url, answer.headers["Location"] or "")
        except ValueError as error:
            raise NoPicture("It is redirected to what is no address") from error
    raise NoPicture("It is redirected too often")


def _wire(url: str) -> str:
    """The address with what its path and query may not hold percent-encoded (RFC 3986)."""
    parts = urlsplit(url)
    safe = "/%:=&?~#+!$,;'@()*[]"
    return urlunsplit((parts.scheme, parts.netloc, quote(parts.path, safe), quote(parts.query, safe), ""))
