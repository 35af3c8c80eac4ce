"""One HTTP request to a host that somebody named, by the guarded dialler: no redirect, no cookie, no proxy, no file.

What comes back is bounded in size and in time.
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from functools import partial
from urllib.parse import urlsplit

from helpdesk.lib.net import Forbidden, dial


class TooMuch(OSError):
    """The answer is larger than we wanted."""


@dataclass(frozen=True)
class Answer:
    """A redirect is an answer like any other: whoever wants to follow it asks anew, and is guarded anew."""

    status: int
    headers: Message
    body: bytes


def request(
    method: str, url: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None,
    ports: Collection[int] = (80, 443), private: Collection[str] = (), timeout: float = 10, most: int = 1_000_000,
) -> Answer:  # fmt: skip
    """Ask once. `timeout` (seconds) is for all of it, `most` (bytes) for the answer's body; `ports` and `private` as in `dial`.

    Raises Forbidden or TooMuch, else OSError or http.client.HTTPException.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise Forbidden("This is no address") from error
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        raise Forbidden("Only http:// and https:// are fetched, and without a password in the address")
    line = dial(host, port, ports=ports, private=private, timeout=timeout)
    if parts.scheme == "https":
        line = ssl.create_default_context().wrap_socket(line, server_hostname=host, do_handshake_on_connect=False)
    # Every read begins the socket's own timeout anew; this ends a server that sends one byte now and then.
    late = threading.Event()
    end = threading.Timer(timeout, partial(_hang_up, line, late))
    end.daemon = True
    end.start()
    connection = http.client.HTTPConnection(host, port)
    connection.default_port = 443 if parts.scheme == "https" else 80  # any other is named in Host
    connection.sock = line
    try:
        if isinstance(line, ssl.SSLSocket):
            line.do_handshake()
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body, {"Connection": "close", **(headers or {})})
        answer = connection.getresponse()
        content = answer.read(most + 1)
        if late.is_set():
            raise TimeoutError(f"No whole answer within {timeout} seconds")
        if len(content) > most:
            raise TooMuch(f"The answer is larger than {most} bytes")
        if answer.length:
            raise http.client.IncompleteRead(content, answer.length)
        return Answer(answer.status, answer.headers, content)
    except ValueError as error:  # what no request can carry
        raise Forbidden("This is no address") from error
    finally:
        end.cancel()
        connection.close()
        line.close()


def _hang_up(line: socket.socket, late: threading.Event) -> None:
    late.set()
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
