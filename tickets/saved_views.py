"""What is done to a view that somebody set up, beside writing it: away and back, its place, and out of one's own rail."""

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from helpdesk.accounts.access import MANAGERS
from helpdesk.accounts.locks import one_at_a_time
from helpdesk.accounts.models import User, audit
from helpdesk.lib.dates import now
from helpdesk.lib.rows import place
from tickets.models import SavedView


def editable(user: User) -> QuerySet[SavedView]:
    """The views that a person may change: their own, and the shared ones if they are a manager."""
    own = Q(owner=user.pk)
    return SavedView.objects.filter(own | Q(owner=None) if user.has_role(*MANAGERS) else own)


def may_change(user: User, view: SavedView) -> bool:
    """The same of one view, without a query."""
    return view.owner_id == user.pk or (view.owner_id is None and user.has_role(*MANAGERS))


@transaction.atomic
def remove(view: SavedView, *, by: User) -> bool:
    """Out of every rail; `restore` has it back as it was. False when it is away already."""
    if not SavedView.objects.living().filter(pk=view.pk).update(removed_at=now()):
        return False
    audit("view.removed", actor=by.ref, subject=view.ref, before={"name": view.name, "owner_id": view.owner_id})
    return True


def restore(view: SavedView, *, by: User) -> bool:
    """Back again. False when it is there already, or when another has taken its name meanwhile."""
    try:
        with transaction.atomic():
            if not SavedView.objects.filter(pk=view.pk, removed_at__isnull=False).update(removed_at=None):
                return False
            audit("view.restored", actor=by.ref, subject=view.ref, after={"name": view.name, "owner_id": view.owner_id})
    except IntegrityError:
        return False
    return True


def beside(view: SavedView) -> QuerySet[SavedView]:
    """The views among which it has its place: the shared ones, or its owner's."""
    return SavedView.objects.living().filter(owner=view.owner_id).order_by("place", "pk")


def last_place(owner: int | None) -> int:
    newest = SavedView.objects.living().filter(owner=owner).order_by("-place").values_list("place", flat=True).first()
    return 0 if newest is None else newest + 1


@transaction.atomic
def place_at(view: SavedView, to: int, *, by: User) -> bool:
    """The place of a view among those beside it, from 1; said twice it is the same. False when it has it already."""
    one_at_a_time(f"views:{view.owner_id}")
    found = place(beside(view), view, to, "place")
    if found is None:
        return False
    audit("view.moved", actor=by.ref, subject=view.ref, before={"place": found[0]}, after={"place": found[1]})
    return True


@transaction.atomic
def show_in_rail(user: User, slug: str, shown: bool) -> None:
    """Have a view in one's own rail, or not; it changes nobody else's."""
    locked = User.objects.select_for_update().get(pk=user.pk)
    user.hidden_views = sorted({*locked.hidden_views} - {slug} if shown else {*locked.hidden_views, slug})
    user.save(update_fields=["hidden_views"])
