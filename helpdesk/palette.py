"""What the palette (Ctrl-K) finds beside the page's own places and actions, asked of the rooms through settings.PALETTE.

Each function(request, text, most) gives at most so many {"icon", "word", "beside", "url"}, nearest first, of what the reader
may see.
"""

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.module_loading import import_string
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from helpdesk.accounts.access import EVERYONE, StaffRequest, staff
from helpdesk.lib.text import one_line

EACH = 8  # of one kind
LONGEST = 200


def found(request: StaffRequest, text: str) -> list[dict[str, Any]]:
    """What the text may mean, room by room; nothing for no text."""
    text = one_line(text, LONGEST)
    return [entry for source in settings.PALETTE for entry in import_string(source)(request, text, EACH)] if text else []


@require_safe
@staff(*EVERYONE)
@never_cache
def palette(request: StaffRequest) -> HttpResponse:
    """The options that the palette adds to its list."""
    return render(request, "_palette_found.html", {"found": found(request, request.GET.get("q", ""))})


urlpatterns = [path("palette/", palette, name="palette")]
