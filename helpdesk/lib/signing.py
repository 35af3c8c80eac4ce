"""Ids that leave the house in links and mail addresses, signed so that nobody can guess one.

A token is base32 (RFC 4648 section 6, lower case, unpadded: safe in a mail address whose local
part some relays fold to one case) of the 8-byte id and 16 bytes of HMAC-SHA256 (RFC 2104; half
of the hash, the shortest its section 5 advises). Nothing is stored. Each kind has its own key,
so a token for one thing never opens another.
"""

import base64
import binascii
import hmac
import struct
from functools import lru_cache

from django.conf import settings

_LENGTH = 39  # 24 bytes in base32, without padding


def token(kind: str, id: int) -> str:
    """The public name, 39 characters, of the row `id` for the use `kind` ("reply", "unsubscribe").

    Raises ValueError for an id that PostgreSQL's bigint could not hold or that is negative.
    """
    if not 0 <= id < 2**63:
        raise ValueError(f"{id} cannot be the id of a row.")
    return _signed(_keys()[0], kind, struct.pack(">Q", id))


def read(kind: str, token: str) -> int | None:
    """The id that `token` names for `kind`, or None for anything we did not sign ourselves.

    The one verifier. It forgives letter case and nothing else, and takes the same time
    whichever key or character fails.
    """
    if len(token) != _LENGTH or not token.isascii():
        return None
    given = token.lower()
    try:
        id_bytes = base64.b32decode(given.upper() + "=")[:8]
    except binascii.Error:
        return None
    # The whole spelling is compared, so the unused bits of the last letter give no second one.
    good = [hmac.compare_digest(_signed(key, kind, id_bytes), given) for key in _keys()]
    return struct.unpack(">Q", id_bytes)[0] if any(good) else None


def _keys() -> list[str]:
    """TOKEN_KEYS: the first signs, all verify, so keys can be changed while old links still work."""
    return list(getattr(settings, "TOKEN_KEYS", None) or [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS])


@lru_cache(maxsize=64)
def _own_key(key: str, kind: str) -> bytes:
    return hmac.digest(key.encode(), b"helpdesk.lib.signing:" + kind.encode(), "sha256")


def _signed(key: str, kind: str, id_bytes: bytes) -> str:
    mac = hmac.digest(_own_key(key, kind), id_bytes, "sha256")[:16]
    return base64.b32encode(id_bytes + mac).decode().rstrip("=").lower()
