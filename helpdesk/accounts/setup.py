"""How configuration is changed: a form that saves itself with its line in the audit log."""

import json
from hashlib import sha256
from typing import Any

from django import forms
from django.db import transaction

from helpdesk.accounts.models import User, audit


class SetupForm(forms.ModelForm):
    """A form that saves itself with a line in the audit log, if anything changed."""

    noun = ""
    told: tuple[str, ...] = ()  # what the audit log tells of it

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.before = self._facts() if self.instance.pk else None

    def _facts(self) -> dict[str, Any]:
        return {name: getattr(self.instance, name) for name in self.told}

    @property
    def mark(self) -> str:
        """Of what is typed, for a question about it before it is kept: the answer to another wording is none."""
        return sha256(json.dumps(self._facts(), sort_keys=True, default=str).encode()).hexdigest()[:32]

    def asks(self) -> list[Any]:
        """What somebody sees and agrees to before it is kept; nothing for most."""
        return []

    @transaction.atomic
    def keep(self, *, by: User) -> Any:
        after = self._facts()
        if after == self.before:
            return self.instance
        self._write()
        audit(
            f"{self.noun}.changed" if self.before else f"{self.noun}.added",
            actor=by.ref,
            subject=f"{self.noun}:{self.instance.pk}",
            before=self.before,
            after=after,
        )
        return self.instance

    def _write(self) -> None:
        self.instance.save()
