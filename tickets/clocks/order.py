"""The list of policies: their order, and which are on; each change with its line in the audit log and a recount."""

from django.db import transaction
from django.utils.translation import gettext as _

from helpdesk.accounts.locks import one_at_a_time
from helpdesk.accounts.models import User, audit
from helpdesk.lib.dates import now
from tickets.clocks import recounts
from tickets.models.clocks import Policy


@transaction.atomic
def move(policy: Policy, to: int, *, by: User) -> bool:
    """Make it the ``to``-th of the list, from 1 on; False when it is that already."""
    one_at_a_time("policies")
    order = list(Policy.objects.all())
    before = [each.pk for each in order]
    order.sort(key=lambda each: each.pk == policy.pk)
    this = order.pop()
    order.insert(max(0, min(to - 1, len(order))), this)
    if [each.pk for each in order] == before:
        return False
    for position, each in enumerate(order, 1):
        each.position = position
    Policy.objects.bulk_update(order, ["position"])
    audit("policy.moved", actor=by.ref, subject=policy.ref, after={"place": order.index(this) + 1})
    recounts.ask(_("the order of the policies changed"), by)
    return True


@transaction.atomic
def switch(policy: Policy, on: bool, *, by: User) -> bool:
    """Put it on or off; False when it is so already. What it promised while it was on and was missed stays recorded."""
    values = {"is_on": on, **({"changed_at": now()} if on else {})}
    if not Policy.objects.filter(pk=policy.pk, is_on=not on).update(**values):
        return False
    audit("policy.switched_on" if on else "policy.switched_off", actor=by.ref, subject=policy.ref)
    recounts.ask((_("the policy “%s” is on") if on else _("the policy “%s” is off")) % policy.name, by)
    return True
