"""Pages about mail: one message and what became of it, what a person decides about it, and all that is stuck."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_POST, require_safe

from helpdesk.accounts.access import ADMINS, AGENTS, EVERYONE, MANAGERS, StaffRequest, staff
from helpdesk.accounts.back import back
from helpdesk.customers import dispatch
from helpdesk.customers.models import Customer
from helpdesk.files.serve import POLICY
from helpdesk.lib.ids import row_id, row_ids
from helpdesk.mail import ledger, operations, outbox
from helpdesk.mail.models import WAITING, Class, Lane, Outgoing

PAGE = 50
# A message is shown in a frame of its own, where nothing can run, load or reach us.
FRAME = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'"


def _outgoing(request: StaffRequest, pk: int) -> Outgoing:
    """The one guarded way to a message: 404 for one that this person may not read."""
    row = get_object_or_404(Outgoing.objects.select_related("customer", "mailbox", "subscription"), pk=pk)
    if not ledger.may_read(request.user, row):
        raise Http404
    return row


@require_safe
@staff(*EVERYONE)
def outgoing(request: StaffRequest, pk: int) -> HttpResponse:
    """One message: what was said, when, to whom, every attempt, and what may still be decided."""
    row = _outgoing(request, pk)
    tries = row.tries.order_by("number")[:PAGE]
    context = {"row": row, "tries": tries, "waiting": row.state in WAITING, "is_reply": row.klass == Class.REPLY}
    return render(request, "operations/outgoing.html", context)


@require_safe
@xframe_options_sameorigin
@staff(*EVERYONE)
def body(request: StaffRequest, pk: int) -> HttpResponse:
    """The HTML exactly as it was handed over, for the frame on the message's page."""
    row = _outgoing(request, pk)
    if not row.rendered or not row.rendered.get("html"):
        raise Http404
    response = HttpResponse(row.rendered["html"])
    response["Content-Security-Policy"] = FRAME
    return response


@require_safe
@staff(*EVERYONE)
def customer_mail(request: StaffRequest, pk: int) -> HttpResponse:
    """Everything one customer was sent, was not sent, or will be sent, newest first."""
    customer = get_object_or_404(Customer, pk=pk)
    rows = ledger.seen_by(request.user).filter(customer=customer).order_by("-due_at", "-id")
    if last := rows.filter(pk=row_id(request.GET.get("before", "")) or 0).first():
        rows = rows.filter(due_at__lte=last.due_at).exclude(due_at=last.due_at, pk__gte=last.pk)
    page = list(rows[: PAGE + 1])
    older = f"?before={page[PAGE - 1].pk}" if len(page) > PAGE else ""
    return render(request, "operations/customer_mail.html", {"customer": customer, "rows": page[:PAGE], "older": older})


DECISIONS = {
    "hold": lambda row, by: outbox.hold(_only(row), reason=_("%(name)s holds it") % {"name": by}, by=by),
    "release": lambda row, by: outbox.release(_only(row), by=by),
    "never": lambda row, by: outbox.never(_only(row), reason=_("%(name)s decided not to send it") % {"name": by}, by=by),
    "again": lambda row, by: outbox.retry_unknown(row, by=by),
    "arrived": lambda row, by: outbox.leave_unknown(row, by=by, arrived=True),
    "lost": lambda row, by: outbox.leave_unknown(row, by=by, arrived=False),
}


def _only(row: Outgoing) -> Any:
    return Outgoing.objects.filter(pk=row.pk)


@require_POST
@staff(*AGENTS)
def decide(request: StaffRequest, pk: int, verb: str) -> HttpResponse:
    """A person's word on one message; where somebody was faster, nothing happens and the page says how it is now."""
    if verb not in DECISIONS:
        raise Http404
    row = get_object_or_404(Outgoing.objects.select_related("customer"), pk=pk)
    if not ledger.may_decide(request.user, row):
        raise Http404
    if verb == "again" and row.klass != Class.REPLY:
        raise PermissionDenied(_("Only a reply is sent again. Outreach in doubt is not."))
    if not DECISIONS[verb](row, request.user):
        row.refresh_from_db()
        now_it_is = {"title": row, "state": row.get_state_display()}
        messages.warning(request, _("Nothing changed. “%(title)s” is: %(state)s.") % now_it_is)
    if request.htmx and row.customer_id:
        shown = {"ledger": ledger.ledger(row.customer_id, request.user), "customer": row.customer}
        return render(request, "customers/_ledger.html", shown)
    return redirect(back(request, reverse("outgoing", args=[pk])))


@require_safe
@staff(*MANAGERS)
def stuck(request: StaffRequest) -> HttpResponse:
    """All that does not move, with its reason and a button; and the sum that shows no mail is lost."""
    unknown, waiting, mails, failing = ledger.unsettled(), ledger.stuck(), operations.quarantined(), dispatch.failing()
    sums = operations.sums()
    counts = {
        "events_count": failing.count(),
        "mails_count": mails.count(),
        "unknown_count": unknown.count(),
        "waiting_count": waiting.count(),
    }
    context = {
        **counts,
        "stuck_count": sum(counts.values()),
        "sums": sums,
        "sums_hold": all(each.holds for each in sums),
        "events": operations.stuck_events(),
        "mails": operations.glanced(mails[:PAGE]),
        "unknown": unknown.defer("rendered", "variables")[:PAGE],
        "waiting": waiting.defer("rendered", "variables")[:PAGE],
        "switches": operations.switches(),
        "running": operations.running(),
        "reply": Class.REPLY,
        "oldest_event": dispatch.oldest_undispatched(),
        "oldest_mail": outbox.oldest_unsent(),
    }
    return render(request, "operations/stuck.html", context)


@require_POST
@staff(*ADMINS)
def switch(request: StaffRequest, turn: str) -> HttpResponse:
    """The brake: stop all sending, or one lane; and let go again."""
    name = request.POST.get("name", "")
    if name not in ("all", *Lane.values):
        return HttpResponseBadRequest()
    if turn == "on":
        outbox.switch_on(name, by=request.user)
    else:
        outbox.switch_off(name, reason=request.POST.get("reason", "").strip()[:300] or _("Stopped by hand"), by=request.user)
    return redirect("operations")


def _ids(request: StaffRequest) -> list[int]:
    return row_ids(request.POST.getlist("id")[:500])


@require_POST
@staff(*MANAGERS)
def read_again(request: StaffRequest) -> HttpResponse:
    """Quarantined mail back into the line: those ticked, or all of them."""
    rows = operations.quarantined()
    count = operations.read_again(rows if "all" in request.POST else rows.filter(pk__in=_ids(request)), by=request.user)
    messages.success(request, ngettext("%(n)d mail is read again", "%(n)d mails are read again", count) % {"n": count})
    return redirect("operations")


@require_safe
@staff(*MANAGERS)
def ignored(request: StaffRequest) -> HttpResponse:
    """What came and became no ticket, newest first, each with its reason; what was judged wrongly is taken by hand."""
    rows = operations.ignored()
    if before := row_id(request.GET.get("before", "")):
        rows = rows.filter(pk__lt=before)
    page = operations.glanced(rows[: PAGE + 1])
    older = f"?before={page[PAGE - 1].mail.pk}" if len(page) > PAGE else ""
    return render(request, "operations/ignored.html", {"mails": page[:PAGE], "older": older})


@require_POST
@staff(*MANAGERS)
def take_by_hand(request: StaffRequest) -> HttpResponse:
    """Ignored mail that people wrote: those ticked become words on tickets."""
    count = operations.take_by_hand(operations.ignored().filter(pk__in=_ids(request)), by=request.user)
    words = ngettext("%(n)d mail is taken as a person's", "%(n)d mails are taken as people's", count)
    messages.success(request, words % {"n": count})
    return redirect("mail-ignored")


@require_POST
@staff(*ADMINS)
def discard(request: StaffRequest) -> HttpResponse:
    """Quarantined mail of which nothing is wanted: those ticked."""
    count = operations.discard(operations.quarantined().filter(pk__in=_ids(request)), by=request.user)
    messages.success(request, ngettext("%(n)d mail is discarded", "%(n)d mails are discarded", count) % {"n": count})
    return redirect("operations")


@require_safe
@staff(*ADMINS)
def source(request: StaffRequest, pk: int) -> HttpResponse:
    """A mail that became no ticket as it came, byte for byte, as a download in which nothing runs."""
    mail = get_object_or_404((operations.quarantined() | operations.ignored()).defer(None), pk=pk)
    response = HttpResponse(bytes(mail.raw), content_type="application/octet-stream")
    response["Content-Disposition"] = f'attachment; filename="mail-{pk}.eml"'
    response["Content-Security-Policy"] = POLICY
    return response


@require_POST
@staff(*MANAGERS)
def deliver_again(request: StaffRequest) -> HttpResponse:
    """Events that a subscriber failed on, once more and at once: those ticked, or all of them."""
    rows = dispatch.failing()
    count = operations.deliver_again(rows if "all" in request.POST else rows.filter(pk__in=_ids(request)), by=request.user)
    messages.success(request, ngettext("%(n)d event is tried again", "%(n)d events are tried again", count) % {"n": count})
    return redirect("operations")
