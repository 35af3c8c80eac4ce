"""Pages of our mailboxes."""

from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from helpdesk.accounts.access import ADMINS, StaffRequest, staff
from helpdesk.accounts.seen import turn
from helpdesk.customers.setup_views import set_up
from helpdesk.mail import mailserver, oauth
from helpdesk.mail.mailboxes import MailboxForm
from helpdesk.mail.models import Mailbox

SIGN_IN = "mail_sign_in"  # what the session keeps of a sign-in on its way


@require_safe
@staff(*ADMINS)
def mailboxes(request: StaffRequest) -> HttpResponse:
    return render(request, "mail/mailbox_list.html", {"rows": Mailbox.objects.select_related("team")})


@require_http_methods(["GET", "HEAD", "POST"])
@staff(*ADMINS)
def mailbox(request: StaffRequest, pk: int | None = None) -> HttpResponse:
    """One mailbox. Saved, its connection is tested, or its admin goes on to its provider, if that was the button."""
    providers = oauth.providers()
    with turn(request, f"mailbox:{pk}"):
        form = MailboxForm(request.POST or None, instance=get_object_or_404(Mailbox, pk=pk) if pk else Mailbox())
        context = {"new": pk is None, "providers": providers, "provider": providers.get(form.instance.provider)}
        response = set_up(request, form, "mail/mailbox_form.html", "mailboxes", context)
    if response.status_code == 302 and form.then:
        response = _test(request, form.instance) if form.then == "test" else _sign_in(request, form.instance, form.then)
    # A browser lets a form be answered by a redirect only to where its page said that it may lead.
    origins = ["{0.scheme}://{0.netloc}".format(urlsplit(provider["authorize"])) for provider in providers.values()]
    response._csp_update = {"form-action": origins}  # type: ignore[attr-defined]
    return response


def _test(request: StaffRequest, box: Mailbox) -> HttpResponse:
    if not box.imap_host:
        messages.warning(request, _("There is no IMAP server to connect to."))
    elif trouble := mailserver.probe(box):
        messages.error(request, trouble)
    else:
        messages.success(request, _("%(host)s lets %(user)s in.") % {"host": box.imap_host, "user": box.imap_user})
    return redirect("mailbox", box.pk)


def _sign_in(request: StaffRequest, box: Mailbox, provider: str) -> HttpResponse:
    begun = oauth.begin(box, provider, back=_back())
    request.session[SIGN_IN] = begun.kept
    return redirect(begun.url)


def _back() -> str:
    """Registered at the provider, letter by letter."""
    return settings.BASE_URL + reverse("mailbox-signed-in")


@require_safe
@staff(*ADMINS)
def signed_in(request: StaffRequest) -> HttpResponse:
    """An admin comes back from a provider. Nothing happens unless this very browser was sent there."""
    kept = request.session.get(SIGN_IN, {})
    if not oauth.answers(kept, request.GET):
        messages.warning(request, _("This is not the sign-in that was begun here last. Please begin again."))
        return redirect("mailboxes")
    del request.session[SIGN_IN]
    try:
        oauth.finish(kept, request.GET, back=_back(), by=request.user)
    except oauth.SignInFailed as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Signed in. Its mail is fetched from now on."))
    return redirect("mailbox", kept["mailbox"])
