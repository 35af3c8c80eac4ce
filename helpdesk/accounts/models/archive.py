"""What is set up and may be put away: nobody can choose it any more, and what has it keeps it."""

from collections.abc import Iterable
from typing import Self, TypeVar

from django.db import models
from django.db.models import F, Q

from helpdesk.lib.dates import now

Row = TypeVar("Row", bound=models.Model)


class ArchivableQuerySet(models.QuerySet[Row]):
    def living(self, keeping: Iterable[int | None] = ()) -> Self:
        """What may be chosen; and what is ``keeping`` already, for who has an archived one keeps it."""
        kept = [pk for pk in keeping if pk]
        return self.filter(Q(archived_at=None) | Q(pk__in=kept)) if kept else self.filter(archived_at=None)

    def archived_last(self) -> Self:
        return self.order_by(F("archived_at").asc(nulls_first=True), *(self.model._meta.ordering or ()))

    def archived(self) -> Self:
        return self.exclude(archived_at=None)


class Archivable(models.Model):
    """Removed by `removal`, which archives what history names and deletes the rest."""

    archived_at = models.DateTimeField(null=True, editable=False)

    objects = ArchivableQuerySet.as_manager()

    class Meta:
        abstract = True

    def put_away(self) -> None:
        self.archived_at = now()
        self.save()

    def bring_back(self) -> None:
        self.archived_at = None
        self.save()
