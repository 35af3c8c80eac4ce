"""What a delivery report changes, once its signature says which message of ours it is about.

Without that match nothing changes: else anyone could make anyone unreachable by writing a bounce.
"""

from datetime import datetime

from django.utils.translation import gettext as _

from helpdesk.customers import consent, reachability
from helpdesk.customers.addresses import BadAddress, canonical
from helpdesk.customers.models import Suppression
from helpdesk.mail import missed, outbox
from helpdesk.mail.models import Outgoing
from helpdesk.mail.parsing import Bounce


def apply(bounce: Bounce, outgoing: Outgoing, *, at: datetime) -> str:
    """Record the report on the message and on the address; the same report twice changes nothing more. Returns words.

    *hard* makes the address unreachable, *full* and *soft* count as one of three, *policy* and *message* blame no
    address (policy may pause the campaign), a *complaint* suppresses it. While the other side is still trying nothing is
    settled.
    """
    if bounce.kind == "policy":
        outbox.refused(outgoing, bounce)
    if bounce.delayed:
        return _("A report: still being tried. %s") % bounce.reason
    address = _about(bounce, outgoing)
    if bounce.kind == "complaint":
        consent.suppress(address, Suppression.Reason.COMPLAINT, source="feedback report")
        outbox.complained(outgoing.pk, reason=bounce.reason, at=at)
        return _("A complaint about our mail to %s") % address
    if same(address, outgoing.to) and not outgoing.copy_of_id:
        first = bool(outbox.bounced(outgoing.pk, reason=bounce.reason, at=at))
    else:
        first = missed.tell(outgoing, {address: bounce.reason})
    if bounce.kind in ("hard", "soft", "full") and (bounce.permanent or first):  # three reports on one message are one of three
        reachability.failed(address, permanent=bounce.permanent, reason=bounce.reason, at=at)
    return _("A delivery report: %(address)s, %(reason)s") % {"address": address, "reason": bounce.reason}


def _about(bounce: Bounce, outgoing: Outgoing) -> str:
    """The one of our recipients that failed; a name we never wrote to is where the mail of the first of them is forwarded."""
    ours = [*(outgoing.only or ()), outgoing.to, *outgoing.cc, *(outgoing.bcc or ())]
    return next((one for one in ours if any(same(one, failed) for failed in bounce.recipients)), ours[0])


def same(one: str, other: str) -> bool:
    """Whether two spellings are one address; what is no address is like none."""
    try:
        return canonical(one) == canonical(other)
    except BadAddress:
        return False
