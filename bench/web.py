"""Web processes on one listening socket, and a client that costs little beside them."""

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connections


def listen(port: int = 0) -> socket.socket:
    return socket.create_server(("127.0.0.1", port), backlog=512)


@contextmanager
def children(*runs: Callable[[], Any]) -> Iterator[list[int]]:
    """Fork a process for each of these, and kill them in the end. Nobody takes an open connection along."""
    connections.close_all()
    pids = []
    for run in runs:
        pid = os.fork()
        if pid == 0:
            try:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                run()
                os._exit(0)
            except BaseException as error:
                print(f"{type(error).__name__}: {error}", file=sys.stderr)
                os._exit(1)
        pids.append(pid)
    try:
        yield pids
    finally:
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                continue


def pages(listener: socket.socket, application: str = "helpdesk.asgi.application", urlconf: str = "") -> Callable[[], None]:
    """One web process as `manage.py up` runs it; another address table or another kind of application for comparison."""

    def run() -> None:
        import uvicorn
        from django.conf import settings
        from django.utils.module_loading import import_string

        if urlconf:
            settings.ROOT_URLCONF = urlconf
        config = uvicorn.Config(import_string(application), lifespan="off", access_log=False, log_level="critical")
        asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))

    return run


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """The bytes of one HTTP request on a connection that stays open."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Unexpected(AssertionError):
    """An answer that a measure did not want: its figure would mean nothing."""


def drive(
    address: tuple[str, int], requests: Sequence[bytes], *, connections: int = 4, statuses: Sequence[int] = (200,)
) -> float:
    """Send these over a few connections at once; requests a second."""
    line = iter(requests)
    lock, faults = threading.Lock(), []

    def work() -> None:
        with wire_to(address) as wire:
            while not faults:
                with lock:
                    each = next(line, None)
                if each is None:
                    return
                wire.sendall(each)
                status, _head, body = answer(wire)
                if status not in statuses:
                    faults.append(f"{status} to {each[:60]!r}: {body[:300]!r}")

    threads = [threading.Thread(target=work) for _ in range(connections)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise Unexpected(faults[0])
    return len(requests) / (time.perf_counter() - began)


def wire_to(address: tuple[str, int]) -> socket.socket:
    wire = socket.create_connection(address, timeout=60)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return wire


def answer(wire: socket.socket) -> tuple[int, bytes, bytes]:
    """Read one response: status, head, body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += received(wire)
    head, _, body = data.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        while not body.endswith(b"0\r\n\r\n"):
            body += received(wire)
    else:
        found = lower.partition(b"content-length:")[2].partition(b"\r\n")[0]
        while len(body) < int(found or 0):
            body += received(wire)
    return status, head, body


def received(wire: socket.socket) -> bytes:
    data = wire.recv(262_144)
    if not data:
        raise Unexpected("the server hung up")
    return data


def ready(address: tuple[str, int], path: str = "/write/", patience: float = 30) -> None:
    """Wait until every process has answered once; a connection each finds most of them."""
    for _ in range(6):
        with socket.create_connection(address, timeout=patience) as wire:
            wire.sendall(request("GET", path, Connection="close"))
            answer(wire)
