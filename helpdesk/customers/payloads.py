"""How much foreign JSON we keep, and what PostgreSQL could not hold, said in words before it gets there."""

import json
import math
import re
from typing import Any

MAX_BYTES = 16_384
MAX_DEPTH = 5
MAX_KEYS = 200
BIGGEST = 2**63
KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,59}")


class BadPayload(ValueError):
    """JSON we do not keep, and why; permanent. Its text is for the one who sent it."""


def check_object(value: Any, name: str) -> dict[str, Any]:
    """An object of at most 16 KB, 200 keys and five levels, whose texts and numbers the database can hold."""
    if not isinstance(value, dict):
        raise BadPayload(f"{name} must be an object.")
    if len(value) > MAX_KEYS:
        raise BadPayload(f"{name} has {len(value)} keys; at most {MAX_KEYS} are kept.")
    _walk(value, name, 1)
    if len(json.dumps(value, ensure_ascii=False).encode()) > MAX_BYTES:
        raise BadPayload(f"{name} is larger than {MAX_BYTES} bytes.")
    return value


def check_attributes(value: Any) -> dict[str, Any]:
    """As `check_object`, with keys that a custom field can have."""
    for key in check_object(value, "attributes"):
        if not KEY.fullmatch(key):
            raise BadPayload(f"attributes: the key {key[:60]!r} must be a letter, then letters, digits, - or _, at most 60.")
    return value


def _walk(value: Any, name: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise BadPayload(f"{name} is nested deeper than {MAX_DEPTH} levels.")
    if isinstance(value, dict):
        for key, inner in value.items():
            _text(key, name)
            _walk(inner, name, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _walk(inner, name, depth + 1)
    elif isinstance(value, str):
        _text(value, name)
    elif isinstance(value, (int, float)) and not (math.isfinite(value) and abs(value) < BIGGEST):
        raise BadPayload(f"{name} has a number beyond 64 bits.")


def _text(value: str, name: str) -> None:
    if "\0" in value:
        raise BadPayload(f"{name} has a NUL character, which cannot be kept.")
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise BadPayload(f"{name} has half of a surrogate pair, which is no character.")
