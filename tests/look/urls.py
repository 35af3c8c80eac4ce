"""The addresses the look can be seen at without either half, and a form that counts what reaches it."""

import time

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import include, path

from helpdesk.accounts.access import public

received: list[str] = []


@public
def count(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        received.append(request.POST.get("text", ""))
        time.sleep(0.8)  # long enough for an impatient hand
    return redirect("/styleguide/?toast=1")


@public
def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("on purpose")


def places(request: HttpRequest) -> list[dict[str, object]]:
    return [
        {"icon": "inbox", "word": "Inbox", "url": "/styleguide/", "count": 37, "go": "i"},
        {"icon": "out", "word": "Outreach", "url": "/styleguide/?shell=page", "count": "", "go": "o"},
        {"icon": "people", "word": "Customers", "url": "/customers/", "count": "", "go": "c"},
        {"icon": "book", "word": "Knowledge", "url": "/knowledge/", "count": "", "go": "k"},
        {"icon": "chart", "word": "Reports", "url": "/reports/", "count": "", "go": "r"},
    ]


def views(request: HttpRequest) -> list[dict[str, object]]:
    return [
        {"word": "Waiting on us", "url": "/styleguide/?shell=desk", "count": 37},
        {"word": "Kundenbetreuung Österreich und Schweiz", "url": "/views/2/", "count": "99+"},
    ]


def found(request: HttpRequest, text: str, most: int) -> list[dict[str, object]]:
    """What a room would find: one ticket, for whoever asks for a printer."""
    ticket = {
        "icon": "inbox",
        "word": "#812 The printer <b>sulks</b>",
        "beside": "Ben Carter",
        "url": "/styleguide/?shell=page&t=812",
    }
    return [ticket] if "printer" in text else []


urlpatterns = [
    path("", include("helpdesk.styleguide")),
    path("", include("helpdesk.rail")),
    path("", include("helpdesk.palette")),
    path("accounts/", include("allauth.urls")),
    path("", include("tickets.urls")),  # the shell leads there: who one is to colleagues
    path("count/", count),
    path("broken/", broken),
]
