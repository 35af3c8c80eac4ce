"""Writing a campaign: one form for a new one and for the next version of one, whole without JavaScript."""

from datetime import timedelta
from typing import Any

from django.contrib import messages as notices
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from helpdesk.accounts.access import MANAGERS, staff
from helpdesk.accounts.locks import one_at_a_time
from helpdesk.accounts.models import audit
from helpdesk.accounts.seen import Line, Seen, audited, compared, stored, turn
from helpdesk.customers.conditions_form import ConditionsForm
from helpdesk.customers.models import Segment
from helpdesk.lib.dates import now
from helpdesk.lib.ids import row_id
from outreach import campaigns, triggers
from outreach.forms import CampaignForm, MessageFormSet, VersionForm, initial_messages, initial_version, save, written
from outreach.models import Campaign, Version
from outreach.views.pages import campaign_of, person

A_CLICK = timedelta(minutes=1)
STEP_FIELDS = ("wait", "unit", "subject", "body", "fallbacks", "too_late")
OFFERED = 500  # segments to start from


@staff(*MANAGERS)
@require_http_methods(["GET", "HEAD", "POST"])
def campaign_edit(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """One form for a new campaign and for the next version of one. Every button but Save only redraws it."""
    with turn(request, f"campaign:{pk}"):
        return _edit(request, pk)


def _edit(request: HttpRequest, pk: int | None) -> HttpResponse:
    campaign = campaign_of(pk) if pk else Campaign(created_by=person(request))
    if campaign.is_over:
        notices.warning(request, _("This campaign is over; it can only be read."))
        return redirect("campaign", campaign.pk)
    version = (campaign.draft or campaign.live if pk else None) or Version()
    data = request.POST if request.method == "POST" else None
    asked = ConditionsForm(data, stored=version.conditions)
    _copied(asked, data)
    if (partial := asked.partial(request)) is not None:
        return partial
    form = CampaignForm(data, instance=campaign)
    version_form = VersionForm(data, initial=initial_version(version), kinds=triggers.starters())
    steps = MessageFormSet(_with_another(data) if data else None, initial=initial_messages(version), prefix="m")
    saving = bool(data and data.get("action") == "save")
    wrong = saving and not all([form.is_valid(), version_form.is_valid(), steps.is_valid(), asked.is_valid()])
    known = Seen(
        request,
        [stored(form), {name: getattr(version, name) for name in campaigns.CARRIED_OVER}],
        _compared(form, version_form, steps, asked),
        audited(campaign.subject, "campaign.written"),
        saving,
    )
    if saving and not wrong:
        values = written(version_form, steps, asked)
        same = not form.changed_data and all(getattr(version, name) == value for name, value in values.items())
        if same or not known.newer:
            return _saved(request, form, values, new=pk is None, changed=not same)
    elif data and not saving:
        asked.press(data.get("action", ""), form, version_form, *steps)
    context = {
        "campaign": campaign,
        "form": form,
        "version_form": version_form,
        "steps": steps,
        "conditions": asked,
        "segments": Segment.objects.all()[:OFFERED],
        "all_forms": [form, version_form, *steps, asked],
        "failed": wrong,
        "seen": known,
    }
    return render(request, "outreach/campaign_form.html", context, status=known.status(wrong))


def _compared(form: CampaignForm, version_form: VersionForm, steps: Any, asked: ConditionsForm) -> list[Line]:
    """What the draft says beside what was typed, a message at a time; also one that was not typed at all."""
    lines = [*compared(form), *compared(version_form), *asked.compared()]
    title = _("Message %d")
    for n, step in enumerate(steps, 1):
        lines += compared(step, f"{title % n}: %s")
    for n, step in enumerate(steps.initial[len(steps) :], len(steps) + 1):
        lines.append(Line(title % n, f"{step['subject']}\n\n{step['body']}", ""))
    return lines


def _saved(request: HttpRequest, form: CampaignForm, values: dict[str, Any], *, new: bool, changed: bool) -> HttpResponse:
    with transaction.atomic():
        if new:
            _once(form.instance)
            form.instance.save()
        version = campaigns.draft_of(form.instance, by=person(request))
        if new:  # the second of two clicks finds its words there
            changed = any(getattr(version, name) != value for name, value in values.items())
        save(form, version, values)
        if changed:
            audit("campaign.written", actor=person(request).ref, subject=form.instance.subject, after={"version": version.number})
    return redirect(reverse("campaign", args=[form.instance.pk]) + "?version=draft")


def _once(campaign: Campaign) -> None:
    """The second of two clicks saves into the draft that the first has made."""
    one_at_a_time(f"campaign:{campaign.created_by_id}:{campaign.name}")
    drafts = Campaign.objects.filter(created_by=campaign.created_by_id, name=campaign.name, status=Campaign.Status.DRAFT)
    if first := drafts.filter(created_at__gt=now() - A_CLICK).first():
        campaign.pk, campaign.created_at = first.pk, first.created_at
        campaign._state.adding = False


def _with_another(data: Any) -> Any:
    """The posted messages, with an empty one more when that button was pressed, or without the one taken away."""
    action = data.get("action", "")
    total = int(data.get("m-TOTAL_FORMS", "1")) if data.get("m-TOTAL_FORMS", "1").isdigit() else 1
    data = data.copy()
    if action == "add-message":
        data["m-TOTAL_FORMS"] = str(total + 1)
        data[f"m-{total}-wait"], data[f"m-{total}-unit"] = "3", "days"
    if action.startswith("remove-message-") and action[15:].isdigit() and total > 1:
        gone = int(action[15:])
        for n in range(gone, total):
            for name in STEP_FIELDS:
                data[f"m-{n}-{name}"] = data.get(f"m-{n + 1}-{name}", "")
        data["m-TOTAL_FORMS"] = str(total - 1)
    return data


def _copied(asked: ConditionsForm, data: Any) -> None:
    """The button that takes over the conditions of a saved segment."""
    if not data or data.get("action") != "copy":
        return
    found = Segment.objects.filter(pk=row_id(data.get("from", "")) or 0).first()
    if found is None:
        asked.fault = _("Choose the segment to start from.")
    else:
        asked.draw(found.conditions)
