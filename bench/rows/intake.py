"""Tickets by the public form and by the API, through two web processes, against a view that only inserts the same rows."""

import json
from datetime import timedelta
from urllib.parse import urlencode

from django.conf import settings
from django.core import signing
from django.test import Client

from bench import bare
from bench.measure import Results, in_turn
from bench.place import Sizes
from bench.same_rows import SameRows
from bench.web import children, drive, listen, pages, ready, request
from helpdesk.accounts.models import ApiToken, Scope
from helpdesk.lib.dates import now
from tickets.forms import QUICKEST, SALT

TEXT = "The parcel shows as delivered, and nothing is here. The neighbours have not got it. What can I do?\n" * 4


def measure(results: Results, size: Sizes) -> None:
    number, rounds = (60, 3) if results.fast else (200, 5)
    _token, text = ApiToken.objects.issue("bench", list(Scope.values))
    csrf = "a" * 32
    opened = int((now() - QUICKEST - timedelta(seconds=10)).timestamp())

    def form(mark: str) -> tuple[bytes, dict[str, str]]:
        fields = {
            "csrfmiddlewaretoken": csrf,
            "name": "Ben",
            "email": f"{mark}@new-customers.example",
            "subject": mark,
            "text": TEXT,
            "nonce": signing.dumps([mark, opened], salt=SALT),
        }
        return urlencode(fields).encode(), fields

    def call(mark: str) -> bytes:
        return json.dumps({"subject": mark, "text": TEXT, "requester": {"email": f"{mark}@new-customers.example"}}).encode()

    def by_form() -> None:
        browser = Client()
        browser.cookies[settings.CSRF_COOKIE_NAME] = csrf
        done = browser.post("/write/", form("mark0form")[1])
        assert done.status_code == 302, done.content

    def by_api() -> None:
        done = Client().post(
            "/api/v1/tickets",
            call("mark0api"),
            content_type="application/json",
            headers={"Authorization": f"Bearer {text}", "Idempotency-Key": "mark0api"},
        )
        assert done.status_code == 201, done.content

    form_headers = {"Content_Type": "application/x-www-form-urlencoded", "Cookie": f"{settings.CSRF_COOKIE_NAME}={csrf}"}
    api_headers = {"Content_Type": "application/json", "Authorization": f"Bearer {text}"}
    for name, path, work, mark, body, headers, status in (
        ("by form", "/write/", by_form, "mark0form", lambda mark: form(mark)[0], form_headers, 302),
        ("by API", "/api/v1/tickets", by_api, "mark0api", call, api_headers, 201),
    ):
        bare.rows = SameRows(work, mark)
        bare.rows.write()
        ours, limit = listen(), listen()
        with children(pages(ours), pages(ours), pages(limit, urlconf="bench.bare"), pages(limit, urlconf="bench.bare")):
            ready(ours.getsockname())
            ready(limit.getsockname())
            made = iter(range(10**9))

            def requests(path: str, real: bool, name=name, body=body, headers=headers, made=made) -> list[bytes]:
                marks = [f"b{name[-1]}{next(made)}" for _ in range(number)]
                return [
                    request("POST", path, body(mark), **headers, **({"Idempotency_Key": mark} if real else {})) for mark in marks
                ]

            drive(ours.getsockname(), requests(path, True)[:20], statuses=(status,))
            drive(limit.getsockname(), requests("/insert", False)[:20])
            figure, most = in_turn(
                rounds,
                lambda: drive(ours.getsockname(), requests(path, True), statuses=(status,)),  # noqa: B023
                lambda: drive(limit.getsockname(), requests("/insert", False)),  # noqa: B023
            )
        ours.close()
        limit.close()
        results.at_least(f"ticket intake {name}, 2 web processes", figure, "tickets/s", limit=most, budget=0.5)
        results.note(f"rows of one ticket {name}: {', '.join(f'{count} {table}' for table, count in bare.rows.tables().items())}")
