"""What nothing holds any more: files of a form that was never sent, taken off a draft, or of what was deleted."""

from datetime import timedelta
from functools import partial
from typing import Any

from django.core.files.storage import default_storage
from django.db import models, transaction
from django.db.models import Exists, OuterRef, QuerySet

from helpdesk.files.models import Attachment, Blob
from helpdesk.lib.dates import now

UNCLAIMED = timedelta(days=2)  # what is kept for a page that is still open: those live for one
MOST = 1000  # of each kind in one go


def sweep() -> None:
    """Let go of attachments to which no row points, then of bytes to which none does."""
    _let_go(Attachment)
    _let_go(Blob)


@transaction.atomic
def _let_go(model: type[Attachment] | type[Blob]) -> None:
    """Whoever is pointing to one at this moment has it locked (FOR KEY SHARE), and keeps it; nobody can begin to after that."""
    ours = list(_unheld(model).select_for_update(skip_locked=True).values_list("pk", flat=True)[:MOST])
    rows: Any = _unheld(model).filter(pk__in=ours)
    if model is Blob:
        for key in rows.values_list("key", flat=True):
            transaction.on_commit(partial(default_storage.delete, key), robust=True)
    rows.delete()


def _unheld(model: type[models.Model]) -> QuerySet[Any]:
    """Old rows to which no row of any table points."""
    rows: QuerySet[Any] = model._default_manager.filter(created_at__lt=now() - UNCLAIMED)
    for each in model._meta.get_fields(include_hidden=True):
        if isinstance(each, models.ManyToOneRel):  # the tables between two are among them
            pointing = each.related_model._base_manager.filter(**{each.field.name: OuterRef("pk")})
            rows = rows.filter(~Exists(pointing))
    return rows
