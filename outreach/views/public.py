"""The pages behind a message's own link: no login, no cookie, no redirect, and a GET that changes nothing (RFC 8058)."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from helpdesk.accounts.access import public
from helpdesk.lib.ids import row_ids
from helpdesk.mail.models import Outgoing
from outreach import unsubscribe as verbs

# The signed token is the permission: these pages know no session, and so there is nothing a forged request could ride on.


@public
@never_cache
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows one button; POST, by the button or by a mail program, unsubscribes. A second POST changes nothing."""
    message = _message(token)
    if request.method == "POST":
        verbs.leave(message, source="one-click")
    return _page(request, "outreach/unsubscribe.html", message, token, done=request.method == "POST")


@public
@never_cache
@csrf_exempt
@require_POST
def undo(request: HttpRequest, token: str) -> HttpResponse:
    """It was a mistake: they get it again."""
    message = _message(token)
    kept = {subscription.pk for subscription, getting in verbs.choices(message) if getting}
    verbs.choose(message, kept | {message.subscription_id or 0}, wording=_("Undo, I want to keep getting it"))
    return _page(request, "outreach/unsubscribe.html", message, token, undone=True)


@public
@never_cache
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def choices(request: HttpRequest, token: str) -> HttpResponse:
    """Every subscription with a tick; saving writes down what differs."""
    message = _message(token)
    if request.method == "POST":
        verbs.choose(message, row_ids(request.POST.getlist("subscription")), wording=_("Choose what you get"))
    return _page(request, "outreach/choices.html", message, token, choices=verbs.choices(message), saved=request.method == "POST")


def _message(token: str) -> Outgoing:
    message = verbs.message_of(token)
    if message is None:
        raise Http404
    return message


def _page(request: HttpRequest, template: str, message: Outgoing, token: str, **context: object) -> HttpResponse:
    return render(request, template, {"message": message, "subscription": message.subscription, "token": token, **context})
