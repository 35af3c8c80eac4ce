"""What several parts of a page need is asked once a request."""

from collections.abc import Callable, Hashable
from typing import TypeVar

from django.http import HttpRequest

T = TypeVar("T")


def once(request: HttpRequest, name: Hashable, ask: Callable[[], T]) -> T:
    """What ``ask`` gives, kept under this name until the request ends."""
    known = request.__dict__.setdefault("_known", {})
    if name not in known:
        known[name] = ask()
    found: T = known[name]
    return found
