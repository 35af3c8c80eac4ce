"""manage.py rotate_secrets: after a change of TOKEN_KEYS, seal every stored secret under the first of them."""

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import models

from helpdesk.accounts import vault
from helpdesk.accounts.models import audit


class Command(BaseCommand):
    help = "Seal every stored secret under the newest key. It may run while everything else does, and twice."

    def handle(self, *args: Any, **options: Any) -> None:
        moved = 0
        lost: list[str] = []
        for model in apps.get_models():
            for field in model._meta.concrete_fields:
                if isinstance(field, vault.SealedField):
                    count, unreadable = _rotate(model, field.attname)
                    moved, lost = moved + count, lost + unreadable
        if moved or lost:
            audit("secrets.rotated", actor="command line", subject="secrets", after={"moved": moved, "unreadable": lost})
        self.stdout.write(f"{moved} sealed anew")
        if lost:
            raise CommandError(f"Under no key that is left, enter these again: {', '.join(lost)}")


def _rotate(model: type[models.Model], name: str) -> tuple[int, list[str]]:
    """How many were moved, and which could not be. One that was changed meanwhile is under the newest key already."""
    moved, lost = 0, []
    rows = model._default_manager.exclude(**{name: b""})
    for pk, sealed in rows.values_list("pk", name).iterator():
        try:
            anew = vault.rotate(sealed)
        except vault.Unreadable:
            lost.append(f"{model._meta.label_lower}:{pk} ({name})")
            continue
        moved += rows.filter(pk=pk, **{name: sealed}).update(**{name: anew})
    return moved, lost
