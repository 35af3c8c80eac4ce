"""Secrets at rest: what the database keeps of a mailbox's password is of no use without the installation's key."""

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import models

PURPOSE = b"twofold secrets at rest"


class Unreadable(ValueError):
    """Sealed under a key that this installation no longer has: enter the secret again."""


class SealedField(models.BinaryField):
    """What `seal` gave; `manage.py rotate_secrets` finds every such column by its type."""


def _box() -> MultiFernet:
    """The first key seals, all of them open (HKDF, RFC 5869; Fernet is AES-128-CBC with HMAC-SHA256)."""
    keys = (HKDF(SHA256(), 32, None, PURPOSE).derive(key.encode()) for key in settings.TOKEN_KEYS)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])


def seal(secret: str) -> bytes:
    return _box().encrypt(secret.encode()) if secret else b""


def unseal(sealed: bytes | memoryview) -> str:
    """The secret again. Raises Unreadable."""
    if not sealed:
        return ""
    try:
        return _box().decrypt(bytes(sealed)).decode()
    except InvalidToken as error:
        raise Unreadable("This secret was sealed under another key.") from error


def rotate(sealed: bytes | memoryview) -> bytes:
    """The same secret under the first key, for after a change of TOKEN_KEYS. Raises Unreadable."""
    try:
        return _box().rotate(bytes(sealed)) if sealed else b""
    except InvalidToken as error:
        raise Unreadable("This secret was sealed under another key.") from error
