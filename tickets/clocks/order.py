"""The list of policies: their order, and which are on; each change with its line in the audit log and a recount."""

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from helpdesk.accounts.locks import one_at_a_time
from helpdesk.accounts.models import User, audit
from helpdesk.lib.dates import now
from helpdesk.lib.rows import place
from tickets.clocks import recounts
from tickets.models.clocks import Policy


@transaction.atomic
def move(policy: Policy, to: int, *, by: User) -> bool:
    """Make it the ``to``-th of the list, from 1 on; False when it is that already."""
    one_at_a_time("policies")
    found = place(Policy.objects.filter(archived_at=None), policy, to, "position")
    if found is None:
        return False
    audit("policy.moved", actor=by.ref, subject=policy.ref, before={"place": found[0]}, after={"place": found[1]})
    recounts.ask(_("the order of the policies changed"), by)
    return True


def first(policy: Policy) -> None:
    """To the beginning of the list, so that those that may take everything do not hide it; the caller saves it."""
    one_at_a_time("policies")
    Policy.objects.exclude(pk=policy.pk).update(position=F("position") + 1)
    policy.position = 1


@transaction.atomic
def switch(policy: Policy, on: bool, *, by: User) -> bool:
    """Put it on or off; False when it is so already. What it promised while it was on and was missed stays recorded."""
    values = {"is_on": on, **({"changed_at": now()} if on else {})}
    if not Policy.objects.filter(pk=policy.pk, is_on=not on, archived_at=None).update(**values):
        return False
    audit("policy.switched_on" if on else "policy.switched_off", actor=by.ref, subject=policy.ref)
    recounts.ask((_("the policy “%s” is on") if on else _("the policy “%s” is off")) % policy.name, by)
    return True
