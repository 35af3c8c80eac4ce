"""A campaign's life: drafted, launched, paused, ended. Every verb is idempotent and leaves its line in the audit log."""

from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from helpdesk.accounts.models import User, audit
from helpdesk.customers.values import Values
from helpdesk.lib import conditions
from helpdesk.lib.dates import now
from helpdesk.live import bell
from helpdesk.mail import outbox
from helpdesk.mail.models import Lane, Outgoing
from outreach import journeys, messages
from outreach.models import Campaign, Version

Status = Campaign.Status
CARRIED_OVER = ("trigger_kind", "entry_key", "exit_kind", "conditions", "steps", "quiet_from", "quiet_until", "cap", "cap_days")


class NotReady(ValueError):
    """Why a version cannot be launched, in words, one by one; permanent until somebody changes it."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


@transaction.atomic
def draft_of(campaign: Campaign, *, by: User) -> Version:
    """The campaign's draft: the one there is, or a new one that says what the newest version says."""
    Campaign.objects.select_for_update().get(pk=campaign.pk)
    if draft := campaign.draft:
        return draft
    before = campaign.live
    number = (campaign.versions.aggregate(n=Max("number"))["n"] or 0) + 1
    same = {name: getattr(before, name) for name in CARRIED_OVER} if before else {}
    return Version.objects.create(campaign=campaign, number=number, created_by=by, **same)


def problems(version: Version) -> list[str]:
    """What keeps this version from being launched, in words."""
    campaign, found = version.campaign, []
    if campaign.is_over:
        found.append(_("This campaign is over."))
    if not settings.POSTAL_ADDRESS.strip():
        found.append(_("Mail like this must carry our postal address: set POSTAL_ADDRESS for this installation."))
    if not version.trigger_kind:
        found.append(_("Say which event starts it."))
    if journeys.PLAY in (version.exit_kind, version.trigger_kind if version.entry_key else ""):
        found.append(_("What rules start is once a ticket: it takes no “Once for each”, and ends nothing."))
    if campaign.klass != Campaign.Klass.TRANSACTIONAL and campaign.subscription is None:
        found.append(_("Say which subscription it belongs to, so that people can say no to it."))
    if not version.sends:
        found.append(_("Write a message."))
    for number, (_index, step) in enumerate(version.sends, 1):
        found += [_("Message %(n)d: %(fault)s") % {"n": number, "fault": fault} for fault in _faults(step, version)]
    try:
        conditions.clean(version.conditions, "customer")
    except conditions.ConditionError as error:
        found.append(_("The segment: %s") % error)
    return found


def _faults(step: dict[str, Any], version: Version) -> list[str]:
    if not step.get("subject", "").strip() or not step.get("body", "").strip():
        return [_("it needs a subject and a text.")]
    return messages.faults(step) or [
        _("say what to write when “%s” is not known.") % path for path in messages.gaps(step, version.entry_key)
    ]


@transaction.atomic
def launch(version: Version, *, by: User) -> bool:
    """Let this version take people in from now on; True the first time. Those on an older version finish on it.

    Raises NotReady.
    """
    campaign = Campaign.objects.select_for_update().get(pk=version.campaign_id)
    version = Version.objects.select_related("campaign").get(pk=version.pk)
    if version.launched_at:
        return False
    if found := problems(version):
        raise NotReady(found)
    Version.objects.filter(pk=version.pk, launched_at=None).update(
        launched_at=now(), launched_by=by, postal_address=settings.POSTAL_ADDRESS.strip()[:300]
    )
    Campaign.objects.filter(pk=campaign.pk, status=Status.DRAFT).update(status=Status.RUNNING, updated_at=now())
    audit("campaign.launched", actor=by.ref, subject=campaign.subject, after={"version": version.number})
    return True


def pause(campaign: Campaign, *, by: User) -> bool:
    """Nobody new comes in and nothing more leaves, from the next stamp on; True if it was running."""
    return _turn(campaign, (Status.RUNNING,), Status.PAUSED, "campaign.paused", by)


def resume(campaign: Campaign, *, by: User) -> bool:
    """Go on; the planner asks again about what was held by the pause, for ``guards.paused`` names it no longer."""
    return _turn(campaign, (Status.PAUSED,), Status.RUNNING, "campaign.resumed", by)


def finish(campaign: Campaign, *, by: User) -> bool:
    """Nobody new comes in; those on the way still get what follows."""
    return _turn(campaign, (Status.RUNNING, Status.PAUSED), Status.FINISHED, "campaign.ended", by)


@transaction.atomic
def cancel(campaign: Campaign, *, by: User) -> bool:
    """Nothing more leaves. The guards say so at once; those on the way are ended in batches by ``journeys.wind_up``."""
    changed = _turn(
        campaign, (Status.DRAFT, Status.RUNNING, Status.PAUSED, Status.FINISHED), Status.CANCELLED, "campaign.cancelled", by
    )
    bell.ring("outreach.tasks.advance")
    return changed


@transaction.atomic
def _turn(campaign: Campaign, leaving: tuple[str, ...], to: str, action: str, by: User) -> bool:
    before = Campaign.objects.select_for_update().get(pk=campaign.pk).status
    if before not in leaving:
        return False
    Campaign.objects.filter(pk=campaign.pk).update(status=to, updated_at=now())
    audit(action, actor=by.ref, subject=campaign.subject, before={"status": before}, after={"status": to})
    if before == Status.PAUSED:
        bell.ring(outbox.SEND_TASK[Lane.CAMPAIGNS])
    return True


@transaction.atomic
def test(version: Version, step: int, values: Values, *, to: User, once: str) -> bool:
    """Send one message to a person here, filled with these values; ``once`` makes a second click nothing."""
    campaign = version.campaign
    row = Outgoing(
        key=f"test:{version.pk}:{to.pk}:{once[:40]}",
        kind=journeys.KIND,
        klass=campaign.klass,
        lane=Lane.CAMPAIGNS,
        to=to.email,
        mailbox=campaign.mailbox,
        subscription=campaign.subscription,
        title=_("Test of %s") % campaign.name,
        version_id=version.pk,
        step=str(step),
        arm="test",
        variables={"values": values},
        due_at=now(),
    )
    return bool(outbox.plan([row]))
