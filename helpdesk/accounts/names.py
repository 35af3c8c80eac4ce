"""Who a ref means, and names that people would take for one."""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from helpdesk.accounts.locks import one_at_a_time
from helpdesk.accounts.models import ApiToken, User
from helpdesk.lib.ids import row_id


def ids_of(refs: Iterable[str]) -> dict[str, set[int]]:
    """Refs such as ``user:5`` by kind; what is none is left out."""
    ids: dict[str, set[int]] = {}
    for ref in refs:
        kind, _colon, number = ref.partition(":")
        if (pk := row_id(number)) is not None:
            ids.setdefault(kind, set()).add(pk)
    return ids


def names_of(refs: Iterable[str]) -> dict[str, str]:
    """Names of people and tokens by their refs, in one query a kind; who is gone is said to be gone."""
    ids = ids_of(refs)
    people, tokens = ids.get("user", set()), ids.get("token", set())
    names = {f"user:{pk}": _("somebody who left") for pk in people}
    if people:
        names |= {user.ref: str(user) for user in User.objects.filter(pk__in=people)}
    if tokens:
        names |= {token.ref: _("%(name)s (API)") % {"name": token.name} for token in ApiToken.objects.filter(pk__in=tokens)}
    return names


def unlike(name: str, kept: str, others: QuerySet[Any], column: str = "name") -> str:
    """The name without needless blanks. Raises ValidationError if it differs from another in case and blanks alone.

    No constraint says so, for rows from before may look alike: one that ``kept`` its name may be saved. Whoever asks the same
    waits until this transaction ends.
    """
    name = " ".join(name.split())
    if name == kept:
        return name
    one_at_a_time(f"names:{others.model._meta.label}")
    for other in others:
        known = getattr(other, column)
        if " ".join(known.split()).casefold() == name.casefold():
            archived = getattr(other, "archived_at", None)
            told = _("“%s” is archived. Bring it back, or choose another name.") if archived else _("There is “%s” already.")
            raise ValidationError(told % known)
    return name
