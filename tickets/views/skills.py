"""The pages of skills."""

from django.contrib import messages
from django.db import IntegrityError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from helpdesk.accounts import removal
from helpdesk.accounts.access import ADMINS, StaffRequest, staff
from helpdesk.accounts.models import Skill
from helpdesk.accounts.seen import audited, seen, turn
from helpdesk.knowledge.models import Topic
from tickets.skills import SkillForm


@staff(*ADMINS)
@require_safe
def skills(request: StaffRequest) -> HttpResponse:
    topics = dict(Topic.objects.values_list("pk", "name"))
    rows = [
        {"skill": skill, "topics": [topics[pk] for pk in skill.topics if pk in topics]}
        for skill in Skill.objects.prefetch_related("people")
    ]
    return render(request, "tickets/skill_list.html", {"rows": rows})


@staff(*ADMINS)
@require_http_methods(["GET", "HEAD", "POST"])
def skill(request: StaffRequest, pk: int | None = None) -> HttpResponse:
    with turn(request, f"skill:{pk}"):
        found = get_object_or_404(Skill, pk=pk) if pk else Skill()
        title = str(found) if pk else _("Add a skill")
        form = SkillForm(request.POST or None, instance=found)
        known = seen(request, form, audited(f"skill:{pk}"))
        if request.method == "POST" and form.is_valid() and not known.newer:
            try:
                form.keep(by=request.user)
            except IntegrityError:  # the second of two clicks
                form.add_error("name", _("There is one of this name already."))
            else:
                messages.success(request, _("Saved"))
                return redirect("skills")
        context = {"form": form, "seen": known, "title": title, "new": pk is None}
        return render(request, "tickets/skill_form.html", context, status=known.status(form.errors))


@staff(*ADMINS)
@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: StaffRequest, pk: int) -> HttpResponse:
    return removal.ask(request, Skill.objects.all(), pk, home="skills", page="skill")
