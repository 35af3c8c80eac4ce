"""What names a team among mailboxes (settings.USES)."""

from collections.abc import Iterator
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from helpdesk.accounts.models import Team
from helpdesk.accounts.removal import Tie, Use
from helpdesk.mail.models import Mailbox


def uses(thing: Any) -> Iterator[Use]:
    if isinstance(thing, Team):
        for mailbox in Mailbox.objects.filter(team=thing):
            yield Use(Tie.HOLDS, _("Mailbox “%s”") % mailbox.name, reverse("mailbox", args=[mailbox.pk]))
