"""A person's own notifications."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from helpdesk.accounts import notifications
from helpdesk.accounts.access import EVERYONE, StaffRequest, staff
from helpdesk.lib.ids import row_id

PAGE = 50


@require_safe
@staff(*EVERYONE)
def notification_list(request: StaffRequest) -> HttpResponse:
    """Newest first, a page at a time; what is new stands out until its reader says that they have seen it."""
    before = row_id(request.GET.get("before", ""))
    rows = notifications.of(request.user)
    found = list((rows.filter(pk__lt=before) if before else rows)[: PAGE + 1])
    older = f"?before={found[PAGE - 1].pk}" if len(found) > PAGE else ""
    return render(request, "accounts/notification_list.html", {"rows": found[:PAGE], "older": older})


@require_POST
@staff(*EVERYONE)
def read(request: StaffRequest) -> HttpResponse:
    """Seen, as far as the page showed them."""
    upto = row_id(request.POST.get("upto", ""))
    if upto is not None:
        notifications.mark_read(request.user, upto=upto)
    return redirect("notifications")
