"""Addresses of the bench alone: the smallest view that could take the same request, on the same server and middleware."""

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from bench.same_rows import SameRows

rows: SameRows | None = None  # set before the web processes are forked


@csrf_exempt
def insert(request: HttpRequest) -> HttpResponse:
    """Read what was sent, write the rows, answer."""
    assert rows is not None
    _read = request.POST or request.body
    rows.write()
    return HttpResponse(b"ok")


def nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"ok")


urlpatterns = [path("insert", insert), path("write/", nothing)]
