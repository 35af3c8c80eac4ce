"""Telling people here something: a list of their own, and a count on every page."""

from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction
from django.db.models import Count, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from helpdesk.accounts.models import Notification, User
from helpdesk.lib.dates import now
from helpdesk.live.streams import announce

KEEP = timedelta(days=90)
AT_ONCE = 10_000


@transaction.atomic
def notify(users: Iterable[User], words: str, url: str = "", about: str = "") -> int:
    """Tell each of these people once, in the caller's transaction; who does not work here any more is told nothing.

    Whether they may know it is the caller's to ask (of a ticket: `tickets.access.who_may_read`). ``about`` is a ref such as
    ``ticket:5``. Returns how many were told.
    """
    ids = User.objects.active().filter(pk__in={user.pk for user in users}).order_by("pk").values_list("pk", flat=True)
    told = list(ids.select_for_update(no_key=True))  # in the order of ids, so that two who tell the same people do not meet
    rows = [Notification(user_id=pk, words=words[:300], url=url[:300], about=about[:80], at=now()) for pk in told]
    Notification.objects.bulk_create(rows)
    User.objects.filter(pk__in=told).update(unread=F("unread") + 1)
    if told:
        announce("inbox")
    return len(told)


def of(user: User) -> QuerySet[Notification]:
    """A person's own, newest first."""
    return Notification.objects.filter(user=user).order_by("-id")


@transaction.atomic
def mark_read(user: User, *, upto: int) -> int:
    """Seen, all up to this one. A second time changes nothing. Returns how many were new."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    seen = Notification.objects.filter(pk__lte=upto, user=user, read_at=None).update(read_at=now())
    if seen:
        User.objects.filter(pk=user.pk).update(unread=Notification.objects.filter(user=user, read_at=None).count())
    return seen


@transaction.atomic
def tidy() -> int:
    """Forget what was told KEEP ago, the oldest first, read or not; returns how many went. By id, which needs no index."""
    oldest = Notification.objects.order_by("pk").values_list("pk", "user", "at")[:AT_ONCE]
    old = [(pk, user) for pk, user, at in oldest if at < now() - KEEP]
    people = User.objects.filter(pk__in={user for _pk, user in old})
    list(people.order_by("pk").select_for_update(no_key=True).values("pk"))
    gone = Notification.objects.filter(pk__in=[pk for pk, _user in old]).delete()[0]
    left = Notification.objects.filter(user=OuterRef("pk"), read_at=None).order_by().values("user").annotate(n=Count("pk"))
    people.update(unread=Coalesce(Subquery(left.values("n")), 0))
    return gone
