"""The web server of our choice against Django's own ASGI handler, on the page that people look at most."""

from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client

from bench.measure import Results, in_turn
from bench.place import Sizes
from bench.web import children, drive, listen, pages, ready, request


async def django_asgi(scope, receive, send):  # type: ignore[no-untyped-def]
    """Django's own handler; it wants CONN_MAX_AGE=0, for its threads come and go with their connections."""
    from helpdesk.asgi import streams

    settings.DATABASES["default"]["CONN_MAX_AGE"] = 0
    await streams(scope, receive, send)


def measure(results: Results, size: Sizes) -> None:
    number, rounds = (150, 3) if results.fast else (300, 5)
    client = Client()
    client.force_login(get_user_model().objects.get(email="agent-5@bench.example"))
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    one = [request("GET", "/inbox/?part=list", Cookie=cookie)] * number
    ours, other = listen(), listen()
    asgi = pages(other, f"{__name__}.django_asgi")
    with children(pages(ours), pages(ours), asgi, asgi):
        ready(ours.getsockname())
        ready(other.getsockname())
        for server in (ours, other):
            drive(server.getsockname(), one[:40], connections=8)
        figure, limit = in_turn(
            rounds, lambda: drive(ours.getsockname(), one, connections=8), lambda: drive(other.getsockname(), one, connections=8)
        )
    ours.close()
    other.close()
    results.at_least(
        "web server: threads (a2wsgi) against Django's ASGI, 2 processes each", figure, "pages/s", limit=limit, budget=1
    )
