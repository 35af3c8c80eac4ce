"""Pages for admins: people, teams, API tokens, and the log of who changed what."""

from allauth.account.forms import ResetPasswordForm
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from helpdesk.accounts import people, removal
from helpdesk.accounts.access import ADMINS, StaffRequest, staff
from helpdesk.accounts.forms import PersonForm, TeamForm, TokenForm
from helpdesk.accounts.models import ApiToken, AuditEntry, Team, User
from helpdesk.accounts.names import names_of
from helpdesk.accounts.seen import audited, seen, turn
from helpdesk.lib import ids

FORM = ["GET", "HEAD", "POST"]
PAGE = 100
TAKEN = gettext_lazy("Somebody with this address works here already.")
LAST_ADMIN = gettext_lazy("Nobody would be left who can let people in. Make somebody else an admin first.")


def _invite(request: StaffRequest, user: User) -> None:
    """Mail a link, good once and for three days, with which they set a password."""
    form = ResetPasswordForm({"email": user.email})
    if form.is_valid():
        form.save(request)


@require_safe
@staff(*ADMINS)
def person_list(request: StaffRequest) -> HttpResponse:
    everybody = User.objects.prefetch_related("teams").order_by("-is_active", "name")
    return render(request, "accounts/person_list.html", {"people": everybody})


@require_http_methods(FORM)
@staff(*ADMINS)
def person_add(request: StaffRequest) -> HttpResponse:
    form = PersonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                user = people.add_person(by=request.user, teams=form.cleaned_data["teams"], **form.facts())
        except IntegrityError:  # the second of two clicks
            form.add_error("email", TAKEN)
        else:
            _invite(request, user)
            messages.success(request, _("%(name)s gets a mail with a link to set a password") % {"name": user})
            return redirect("people")
    return render(request, "accounts/person_form.html", {"form": form, "person": None}, status=422 if form.errors else 200)


@require_http_methods(FORM)
@staff(*ADMINS)
def person(request: StaffRequest, pk: int) -> HttpResponse:
    with turn(request, f"person:{pk}"):
        user = get_object_or_404(User, pk=pk)
        form = PersonForm(request.POST or None, instance=user)
        known = seen(request, form, audited(user.ref, "person.added", "person.changed"))
        if request.method == "POST" and form.is_valid() and not known.newer:
            try:
                unchanged = get_object_or_404(User, pk=pk)  # checking the form has written into the other one
                with transaction.atomic():
                    people.change_person(unchanged, by=request.user, teams=form.cleaned_data["teams"], **form.facts())
            except people.LastAdmin:
                form.add_error("role", LAST_ADMIN)
            except IntegrityError:  # two gave the same address to two people
                form.add_error("email", TAKEN)
            else:
                messages.success(request, _("Saved"))
                return redirect("people")
        context = {"form": form, "seen": known, "person": User.objects.get(pk=pk)}
        return render(request, "accounts/person_form.html", context, status=known.status(form.errors))


@require_POST
@staff(*ADMINS)
def person_shut_out(request: StaffRequest, pk: int) -> HttpResponse:
    user = get_object_or_404(User, pk=pk)
    try:
        tokens = people.shut_out(user, by=request.user)
    except people.LastAdmin:
        messages.error(request, LAST_ADMIN)
        return redirect("person", pk)
    if tokens is not None:
        text = ngettext("%(name)s is out, and %(n)d token with them", "%(name)s is out, and %(n)d tokens with them", tokens)
        messages.success(request, text % {"name": user, "n": tokens})
    return redirect("people")


@require_POST
@staff(*ADMINS)
def person_let_in(request: StaffRequest, pk: int) -> HttpResponse:
    user = get_object_or_404(User, pk=pk)
    people.let_in(user, by=request.user)
    return redirect("person", pk)


@require_POST
@staff(*ADMINS)
def person_invite(request: StaffRequest, pk: int) -> HttpResponse:
    """Another link; the one before stops working once a password is set."""
    user = get_object_or_404(User.objects.active(), pk=pk)
    _invite(request, user)
    messages.success(request, _("%(name)s gets a mail with a link to set a password") % {"name": user})
    return redirect("person", pk)


@require_safe
@staff(*ADMINS)
def team_list(request: StaffRequest) -> HttpResponse:
    return render(request, "accounts/team_list.html", {"teams": Team.objects.archived_last().prefetch_related("members")})


@require_http_methods(FORM)
@staff(*ADMINS)
def team(request: StaffRequest, pk: int | None = None) -> HttpResponse:
    with turn(request, f"team:{pk}"):
        found = get_object_or_404(Team, pk=pk) if pk else Team()
        form = TeamForm(request.POST or None, instance=found)
        known = seen(request, form, audited(f"team:{pk}"))
        if request.method == "POST" and form.is_valid() and not known.newer:
            said = form.cleaned_data
            try:
                with transaction.atomic():
                    people.save_team(found, said["name"], said["members"], by=request.user, **form.facts())
            except ValidationError as error:
                form.add_error("name", error)
            else:
                messages.success(request, _("Saved"))
                return redirect("teams")
        context = {"form": form, "seen": known, "team": Team.objects.get(pk=pk) if pk else None}
        return render(request, "accounts/team_form.html", context, status=known.status(form.errors))


@require_http_methods(FORM)
@staff(*ADMINS)
def team_remove(request: StaffRequest, pk: int) -> HttpResponse:
    return removal.ask(request, Team.objects.all(), pk, home="teams", page="team")


@require_POST
@staff(*ADMINS)
def team_restore(request: StaffRequest, pk: int) -> HttpResponse:
    return removal.bring_back(request, Team.objects.all(), pk, page="team")


@require_safe
@staff(*ADMINS)
def token_list(request: StaffRequest) -> HttpResponse:
    tokens = ApiToken.objects.select_related("team", "created_by").order_by("revoked_at", "-pk")
    return render(request, "accounts/token_list.html", {"tokens": tokens[:500]})


@never_cache
@require_http_methods(FORM)
@staff(*ADMINS)
def token_add(request: StaffRequest) -> HttpResponse:
    """Issue a token. Its text is on the answer to this one POST and nowhere else, not even in the session."""
    form = TokenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            token, text = people.issue_token(
                said["name"], said["scopes"], by=request.user, team=said["team"], expires_at=said["expires_on"]
            )
        except people.NameTaken:
            form.add_error("name", _("A token of this name is in use. If you lost its text, revoke it and issue another."))
        else:
            return render(request, "accounts/token_shown.html", {"token": token, "text": text})
    return render(request, "accounts/token_form.html", {"form": form}, status=422 if form.errors else 200)


@require_POST
@staff(*ADMINS)
def token_revoke(request: StaffRequest, pk: int) -> HttpResponse:
    token = get_object_or_404(ApiToken, pk=pk)
    if people.revoke_token(token, by=request.user):
        messages.success(request, _("%(name)s opens nothing any more") % {"name": token.name})
    return redirect("tokens")


@require_safe
@staff(*ADMINS)
def audit_log(request: StaffRequest) -> HttpResponse:
    """What happened to configuration and access, newest first."""
    rows = AuditEntry.objects.order_by("-pk")
    if subject := request.GET.get("subject", "")[:120].replace("\0", ""):
        rows = rows.filter(subject=subject)
    if (before := ids.row_id(request.GET.get("before", ""))) is not None:
        rows = rows.filter(pk__lt=before)
    page = list(rows[: PAGE + 1])
    names = names_of([ref for entry in page for ref in (entry.actor, entry.subject)])
    lines = [
        {
            "entry": entry,
            "who": names.get(entry.actor, entry.actor or _("the system")),
            "what": names.get(entry.subject, entry.subject),
            "changes": _changes(entry),
        }
        for entry in page[:PAGE]
    ]
    older = ids.older(request.GET, [entry.pk for entry in page], PAGE)
    return render(request, "accounts/audit_log.html", {"lines": lines, "subject": subject, "older": older})


def _changes(entry: AuditEntry) -> list[tuple[str, object, object]]:
    """(name, before, after) of what differs."""
    before = entry.before if isinstance(entry.before, dict) else {}
    after = entry.after if isinstance(entry.after, dict) else {}
    differing = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return [(key, _said(before.get(key)), _said(after.get(key))) for key in differing]


def _said(value: object) -> object:
    return ", ".join(map(str, value)) if isinstance(value, list) else value
