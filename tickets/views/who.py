"""Who is here: the teams with what waits for them, and each person's own presence, hours and absences."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from helpdesk.accounts import people
from helpdesk.accounts import presence as presences
from helpdesk.accounts.access import AGENTS, EVERYONE, MANAGERS, staff
from helpdesk.accounts.back import back
from helpdesk.accounts.calendar_forms import CalendarForm
from helpdesk.accounts.forms import AbsenceForm, ZoneForm
from helpdesk.accounts.models import Team, User
from helpdesk.lib.dates import now
from tickets import assignment, hands, roster
from tickets.access import StaffRequest
from tickets.models import OURS, Ticket


@staff(*AGENTS)
@require_safe
def who(request: StaffRequest) -> HttpResponse:
    """Every team in one line."""
    return render(request, "tickets/who.html", {"standings": roster.standings(now(), request.user)})


@staff(*AGENTS)
@require_safe
def team(request: StaffRequest, pk: int) -> HttpResponse:
    """One team: who is here with how much, and what waits, in its order, with what is in its way."""
    found = get_object_or_404(Team.objects.living().select_related("calendar"), pk=pk)
    members = roster.members_of(found, now())
    waiting, count = roster.waiting_in(found, members, request.user)
    here = [member for member in members if member.presence.is_here]
    context = {"team": found, "members": members, "here": here, "waiting": waiting, "count": count, "shown": roster.SHOWN}
    return render(request, "tickets/who_team.html", context)


def person_for(request: StaffRequest, pk: int) -> User:
    """Oneself, or for managers anybody. Raises PermissionDenied."""
    if pk != request.user.pk and not request.user.has_role(*MANAGERS):
        raise PermissionDenied
    return get_object_or_404(User, pk=pk)


@staff(*EVERYONE)
@require_http_methods(["GET", "HEAD", "POST"])
def person(request: StaffRequest, pk: int) -> HttpResponse:
    """Somebody's presence, hours, work and absences; the form adds an absence."""
    found = person_for(request, pk)
    form = AbsenceForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        presences.add_absence(found, said["first"], said["last"], said["note"], by=request.user)
        messages.success(request, _("Saved"))
        return redirect("who-person", pk)
    return _shown(request, found, form, ZoneForm(initial={"zone": found.zone}))


@staff(*EVERYONE)
@require_POST
def zone(request: StaffRequest) -> HttpResponse:
    """The time zone that one reads times in oneself; that of others is the admins' to set."""
    form = ZoneForm(request.POST)
    if not form.is_valid():
        return _shown(request, request.user, AbsenceForm(), form)
    if people.set_zone(request.user, form.cleaned_data["zone"], by=request.user):
        messages.success(request, _("Saved"))
    return redirect("who-person", request.user.pk)


def _shown(request: StaffRequest, found: User, form: AbsenceForm, zone_form: ZoneForm) -> HttpResponse:
    pk, at = found.pk, now()
    absences = [(row, *presences.days_of(row, found)) for row in found.absences.filter(ends_at__gt=at)]
    loaded = hands.load(User.objects.filter(pk=pk), Team.objects.living())
    own = loaded[0].person if loaded else None
    if own and pk == request.user.pk:
        hands.count_streaks([own], at)  # theirs alone to see
    limit = min((hand.urgent_streak for hand in loaded if hand.urgent_streak), default=None)
    context = {
        "person": found,
        "own": pk == request.user.pk,
        "zone": presences.own_zone(found).key,
        "presence": presences.presences(User.objects.filter(pk=pk), at)[pk],
        "calendars": found.calendar or ", ".join(str(t.calendar) for t in found.teams.living().exclude(calendar=None)),
        "teams": found.teams.living(),
        "skills": found.skills.all(),
        "open": Ticket.objects.filter(assignee=pk, status__in=OURS).count(),
        "streak": own.streak if own and limit and own.streak >= limit else 0,
        "absences": absences,
        "form": form,
        "zone_form": zone_form,
        "zones": CalendarForm.zones() if pk == request.user.pk else [],
    }
    return render(request, "tickets/who_person.html", context, status=422 if form.errors or zone_form.errors else 200)


@staff(*EVERYONE)
@require_POST
def presence(request: StaffRequest, pk: int) -> HttpResponse:
    """Available, or away until said otherwise."""
    presences.set_available(person_for(request, pk), request.POST.get("here") == "1", by=request.user)
    return redirect(back(request, reverse("who-person", args=[pk])))


@staff(*EVERYONE)
@require_POST
def absence_remove(request: StaffRequest, pk: int, absence: int) -> HttpResponse:
    presences.remove_absence(person_for(request, pk), absence, by=request.user)
    return redirect("who-person", pk)


@staff(*AGENTS)
@require_POST
def hand_back(request: StaffRequest, pk: int) -> HttpResponse:
    """What waits on us of somebody's is their teams' again."""
    found = person_for(request, pk)
    count = assignment.hand_back(found, by=request.user)
    if count:
        text = ngettext("%(n)d ticket is the team’s again", "%(n)d tickets are the teams’ again", count)
        messages.success(request, text % {"n": count})
    return redirect("who-person", pk)
