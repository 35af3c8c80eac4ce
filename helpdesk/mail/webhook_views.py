"""Pages of webhooks: which tools we tell, with what secret, and what has not arrived there."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db.models import OuterRef, Subquery
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _later
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from helpdesk.accounts.access import ADMINS, StaffRequest, staff
from helpdesk.accounts.seen import turn
from helpdesk.accounts.setup import SetupForm
from helpdesk.accounts.vault import seal
from helpdesk.customers.setup_views import set_up
from helpdesk.mail import webhooks
from helpdesk.mail.models import Webhook, WebhookDelivery
from helpdesk.mail.models.webhooks import new_secret

FORM = ["GET", "HEAD", "POST"]
SHOWN = 50


class WebhookForm(SetupForm):
    noun = "webhook"
    told = ("name", "url", "is_enabled")

    class Meta:
        model = Webhook
        fields = ["name", "url", "is_enabled"]
        labels = {"name": _later("Name"), "url": _later("Address"), "is_enabled": _later("In use")}
        help_texts = {
            "name": _later("The tool, such as “On-call” or “Chat”. Rules and paths of escalation name it."),
            "url": _later("An https:// address that takes a POST with JSON, signed by Standard Webhooks."),
        }

    def clean_url(self) -> str:
        url = str(self.cleaned_data["url"]).strip()
        try:
            webhooks.check_address(url)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
        return url

    def _write(self) -> None:
        if not self.instance.secret:
            self.instance.secret = seal(new_secret())
        if self.instance.is_enabled:
            self.instance.stopped = ""
        super()._write()


@require_safe
@staff(*ADMINS)
def webhook_list(request: StaffRequest) -> HttpResponse:
    newest = WebhookDelivery.objects.filter(webhook=OuterRef("pk")).order_by("-id").values("pk")[:1]
    found = list(Webhook.objects.annotate(newest=Subquery(newest))[:200])
    last = WebhookDelivery.objects.in_bulk([each.newest for each in found if each.newest])
    rows = [{"webhook": each, "last": last.get(each.newest)} for each in found]
    return render(request, "mail/webhook_list.html", {"rows": rows, "troubled": webhooks.troubled()[:SHOWN]})


@require_http_methods(FORM)
@staff(*ADMINS)
def webhook(request: StaffRequest, pk: int | None = None) -> HttpResponse:
    with turn(request, f"webhook:{pk}"):
        found = get_object_or_404(Webhook, pk=pk) if pk else Webhook()
        context: dict[str, Any] = {"title": str(found) if pk else _("Add a webhook"), "home": "webhooks", "new": pk is None}
        context |= {"webhook": found, "private": settings.WEBHOOK_PRIVATE_HOSTS}
        if pk:
            context |= {"keys": found.keys(), "deliveries": found.deliveries.order_by("-id")[:SHOWN]}
        return set_up(request, WebhookForm(request.POST or None, instance=found), "mail/webhook_form.html", "webhooks", context)


@require_POST
@staff(*ADMINS)
def rotate(request: StaffRequest, pk: int) -> HttpResponse:
    """A new secret; of two clicks, both name the secret that they saw, so one of them does it."""
    if webhooks.rotate(get_object_or_404(Webhook, pk=pk), request.POST.get("of", ""), by=request.user):
        messages.success(request, _("The old secret signs beside the new one for a day."))
    return redirect("webhook", pk)


@require_POST
@staff(*ADMINS)
def retry(request: StaffRequest, pk: int) -> HttpResponse:
    """A person's choice to tell again what failed."""
    row = get_object_or_404(WebhookDelivery.objects.select_related("webhook"), pk=pk)
    webhooks.retry(row, by=request.user)
    return redirect("webhook", row.webhook_id)
