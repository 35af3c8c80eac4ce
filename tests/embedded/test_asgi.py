"""The web process beside Django: bodies come whole, streams give their connection back."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.db import connection, connections

from helpdesk import asgi

SCOPE: Any = {"type": "http", "path": "/"}


def send_to(answers: list[dict[str, Any]]) -> Callable[[Any], Any]:
    async def send(message: Any) -> None:
        answers.append(message)

    return send


def receive_from(*pieces: bytes) -> Callable[[], Any]:
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages[-1]["more_body"] = False
    left = iter(messages)

    async def receive() -> Any:
        return next(left)

    return receive


def test_a_body_in_pieces_arrives_whole_and_in_order() -> None:
    pieces = [bytes([number]) * 70_000 for number in range(8)]  # beyond what stays in memory
    got = bytearray()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        more = True
        while more:
            message = await receive()
            got.extend(message["body"])
            more = message["more_body"]

    asyncio.run(asgi.after_body(app, SCOPE, receive_from(*pieces), send_to([])))
    assert bytes(got) == b"".join(pieces)


def test_no_thread_is_taken_before_the_body_is_there() -> None:
    order = []

    async def receive() -> Any:
        order.append("read")
        return {"type": "http.request", "body": b"x", "more_body": len(order) < 3}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        order.append("app")

    asyncio.run(asgi.after_body(app, SCOPE, receive, send_to([])))
    assert order == ["read", "read", "read", "app"]


def test_too_large_a_body_is_refused_while_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi, "LARGEST_BODY", 2_000_000)
    answers: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("the page must not see it")

    asyncio.run(asgi.after_body(app, SCOPE, receive_from(b"x" * 1_500_000, b"x" * 1_500_000, b""), send_to(answers)))
    assert [message.get("status") for message in answers] == [413, None]
    assert answers[1]["body"] == b"This is more than 2 MB.\n"


@pytest.mark.django_db(transaction=True)
def test_a_stream_gives_its_connection_back_before_its_first_line() -> None:
    open_then = []

    def ask_the_database() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    def still_open() -> bool:
        return connections["default"].connection is not None

    async def request() -> None:
        async with ThreadSensitiveContext():  # as Django's handler does for each request
            send = asgi.releasing_connections(send_to([]))
            await sync_to_async(ask_the_database)()
            open_then.append(await sync_to_async(still_open)())
            await send({"type": "http.response.start", "status": 200, "headers": []})
            open_then.append(await sync_to_async(still_open)())

    asyncio.run(request())
    assert open_then == [True, False]
