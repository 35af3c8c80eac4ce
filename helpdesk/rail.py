"""What the rail shows, asked of the rooms through settings.RAIL, so that the shell imports none of them.

`places`: functions(request) → list of {"icon", "word", "url", "count", "go"}; `go` is the letter after g.
`views`: one function(request) → list of {"word", "url", "count"}; all counts come from one query.
`views_page`: the name of the page where they are set up.
Where a reader is follows from the address; an entry that also owns other addresses says so with `here`.
"""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.module_loading import import_string
from django.views.decorators.http import require_safe

from helpdesk.accounts.access import EVERYONE, staff
from helpdesk.lib.memo import once

Entries = list[dict[str, Any]]


def rail_for(request: HttpRequest) -> dict[str, Any]:
    """Places and views for this reader with the current ones marked; asked once a request."""
    return once(request, "rail", lambda: _rail_for(request))


def _rail_for(request: HttpRequest) -> dict[str, Any]:
    htmx = getattr(request, "htmx", None)
    here = (htmx.current_url_abs_path if htmx else None) or request.get_full_path()
    places = [dict(place) for source in settings.RAIL["places"] for place in import_string(source)(request)]
    views = [dict(view) for view in import_string(str(settings.RAIL["views"]))(request)]
    view = next((e for e in views if e.get("here")), None) or nearest(views, here)
    place = next((e for e in places if e.get("here")), None) or nearest(places, here)
    for entry in views:
        entry["current"] = "page" if entry is view else ""
    for entry in places:
        entry["current"] = "" if entry is not place else "true" if view else "page"
    page = str(settings.RAIL.get("views_page", ""))
    return {"places": places, "views": views, "views_page": reverse(page) if views and page else ""}


def nearest(entries: Entries, here: str) -> dict[str, Any] | None:
    """The entry whose address is the longest beginning of this one; "/" is only itself."""
    near = [e for e in entries if here == e["url"] or (e["url"] != "/" and here.startswith(e["url"]))]
    return max(near, key=lambda entry: len(entry["url"]), default=None)


@require_safe
@staff(*EVERYONE)
def views(request: HttpRequest) -> HttpResponse:
    """The views with fresh counts, for a page that is already open."""
    return render(request, "_views.html", rail_for(request))


urlpatterns = [path("rail/", views, name="rail")]
