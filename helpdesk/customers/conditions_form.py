"""The editor of conditions about customers, for every page that asks for whom: beside the count it shows faces."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils.translation import gettext_lazy as _

from helpdesk.accounts import conditions_form as editors
from helpdesk.accounts.seen import Line
from helpdesk.customers import segments, timeline
from helpdesk.customers.models import Customer


@dataclass(frozen=True)
class Meant:
    """Whom a condition means now."""

    size: segments.Size
    faces: list[Customer]


class ConditionsForm(editors.ConditionsForm):
    meant_template = "customers/_meant.html"

    def __init__(self, data: Any = None, *, stored: Any) -> None:
        super().__init__(data, stored=stored, subject="customer", legend=_("Customers for whom"))

    def compared(self, label: Any = "") -> list[Line]:
        return super().compared(label or _("Who"))

    @cached_property
    def kinds(self) -> list[str]:
        """Kinds of events that came, to choose from."""
        return timeline.kinds()

    @cached_property
    def meant(self) -> Meant | None:
        """Count and faces; nothing where the condition cannot be read."""
        return None if self.tree is None else Meant(segments.size(self.tree), segments.faces(self.tree))
