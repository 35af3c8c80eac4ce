"""Removing what is set up: what uses it, what holds it, and whether it is archived or deleted.

One concept for all kinds. Each room tells its own uses (settings.USES). What would change its meaning holds: it is changed
first. What history names is archived, and can be brought back; the rest is deleted.
"""

from collections.abc import Iterator
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib import messages
from django.db import IntegrityError, OperationalError, models, transaction
from django.db.models import ForeignObjectRel, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from helpdesk.accounts.access import StaffRequest
from helpdesk.accounts.locks import one_at_a_time
from helpdesk.accounts.models import User, audit
from helpdesk.lib import conditions
from helpdesk.lib.rows import at_most

MOST = 99  # a count above this is "99+"
PATIENCE = 5_000  # milliseconds for one count


class Tie(StrEnum):
    HOLDS = "holds"  # it would mean something else then: it is changed first
    ENDS = "ends"  # it goes with it
    KEEPS = "keeps"  # history: it names what is archived, and stays as it is


class Use(NamedTuple):
    """Something that names what is to be removed, in words, with its page."""

    tie: Tie
    words: str
    url: str = ""
    admins: bool = False  # its page is theirs alone


class Held(ValueError):
    """Something would mean something else then; permanent until that is changed."""


class Count(NamedTuple):
    """How many rows there are: exactly, or more than anybody counts, or too slow to find (then there may be some)."""

    number: int
    shown: str

    @classmethod
    def of(cls, rows: QuerySet[Any]) -> "Count":
        try:
            with at_most(PATIENCE):
                number = len(rows.order_by().values_list("pk")[: MOST + 1])
        except OperationalError:
            return cls(MOST + 1, _("an unknown number of"))
        return cls(number, f"{MOST}+" if number > MOST else str(number))


class Uses:
    """All that names a thing."""

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    @cached_property
    def found(self) -> list[Use]:
        with conditions.once():
            return [use for name in settings.USES for use in import_string(name)(self.thing)]

    def _of(self, tie: Tie) -> list[Use]:
        return [use for use in self.found if use.tie == tie]

    @property
    def holding(self) -> list[Use]:
        return self._of(Tie.HOLDS)

    @property
    def ending(self) -> list[Use]:
        return self._of(Tie.ENDS)

    @property
    def keeping(self) -> list[Use]:
        return self._of(Tie.KEEPS)

    @cached_property
    def stays(self) -> bool:
        """Whether it is archived; asked where nothing holds it. Whatever has a foreign key to it, but its own parts, keeps it."""
        return hasattr(self.thing, "archived_at") and (bool(self.keeping) or any(map(_any, _pointing(self.thing))))


def _pointing(thing: models.Model) -> Iterator[QuerySet[Any]]:
    for relation in thing._meta.get_fields(include_hidden=True):
        if not isinstance(relation, ForeignObjectRel) or relation.many_to_many or relation.related_model._meta.auto_created:
            continue  # who is a member, or has a skill, is told by `uses`
        if relation.get_accessor_name() not in getattr(thing, "PARTS", ()):
            yield relation.related_model._base_manager.filter(**{relation.field.name: thing.pk})


def _any(rows: QuerySet[Any]) -> bool:
    try:
        with at_most(PATIENCE):
            return rows.exists()
    except OperationalError:
        return True


@transaction.atomic
def remove(thing: Any, *, by: User) -> bool | None:
    """Archive it, True, or delete it, False; None when somebody was first. Raises Held.

    Its row is locked first, so that nothing new comes to it by a foreign key meanwhile; a form that is being saved goes first.
    """
    one_at_a_time(f"form:{thing.ref}")
    found = type(thing)._base_manager.select_for_update(of=("self",)).filter(pk=thing.pk).first()
    if found is None or getattr(found, "archived_at", None):
        return None
    uses, ref, name = Uses(found), found.ref, str(found)
    if uses.holding:
        raise Held(ref)
    noun, stays = ref.partition(":")[0], uses.stays
    if stays:
        found.put_away()
    else:
        found.delete()
    audit(f"{noun}.archived" if stays else f"{noun}.removed", actor=by.ref, subject=ref, before={"name": name})
    return stays


@transaction.atomic
def restore(thing: Any, *, by: User) -> bool:
    """It can be chosen again; False when it can already."""
    one_at_a_time(f"form:{thing.ref}")
    found = type(thing)._base_manager.select_for_update(of=("self",)).get(pk=thing.pk)
    if not found.archived_at:
        return False
    found.bring_back()
    audit(f"{found.ref.partition(':')[0]}.restored", actor=by.ref, subject=found.ref, after={"name": str(found)})
    return True


def bring_back(request: StaffRequest, rows: QuerySet[Any], pk: int, *, page: str) -> HttpResponse:
    """The button of what is archived; a second time changes nothing, nor does one beside something new of its name."""
    thing = get_object_or_404(rows, pk=pk)
    try:
        back = restore(thing, by=request.user)
    except IntegrityError:
        messages.error(request, _("There is another “%s” by now: give that one a different name first.") % thing)
        return redirect(page, pk)
    if back:
        messages.success(request, _("“%s” is back") % thing)
    return redirect(page, pk)


def ask(request: StaffRequest, rows: QuerySet[Any], pk: int, *, home: str, page: str) -> HttpResponse:
    """The page of a removal: GET shows what uses it and what becomes of that; POST does it, or is a 409 with what holds it."""
    thing, status = rows.filter(pk=pk).first(), 200
    if thing is None:  # pressed twice
        return redirect(home)
    if getattr(thing, "archived_at", None):
        return redirect(page, pk)
    if request.method == "POST":
        try:
            stays = remove(thing, by=request.user)
        except Held:
            status = 409
        else:
            told = _("“%s” is archived") if stays else _("“%s” is gone")
            if stays is not None:
                messages.success(request, told % thing)
            return redirect(home)
    context = {"thing": thing, "uses": Uses(thing), "page": page, "refused": status == 409}
    return render(request, "accounts/remove.html", context, status=status)
