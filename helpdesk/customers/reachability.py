"""Whether mail to an address arrives: a fact about the address, learned from what comes back."""

from datetime import datetime
from typing import Any

from django.db import transaction

from helpdesk.customers import timeline
from helpdesk.customers.addresses import canonical
from helpdesk.customers.models import Address, Event

FAILURES = 3  # temporary ones ...
SENDS = 5  # ... within so many sends
Reachability = Address.Reachability


@transaction.atomic
def failed(address: Address | str, *, permanent: bool, reason: str, at: datetime) -> bool:
    """Mail bounced; True if the address became unreachable by it.

    One hard failure is enough; of temporary ones it takes three in the last five sends. A report that is older than the
    newest proof of life changes nothing, and the same report (same ``at``) counts once.
    """
    row = _locked(address)
    if row is None or row.reachability == Reachability.UNREACHABLE:
        return False
    if row.reachability == Reachability.REACHABLE and at < row.changed_at:
        return False
    if not permanent:
        row.soft_failures = sorted({*row.soft_failures, at})[-SENDS:]
        row.save(update_fields=["soft_failures"])
        since = _start_of_last_sends(row)
        if sum(since is None or moment >= since for moment in row.soft_failures) < FAILURES:
            return False
    _set(row, Reachability.UNREACHABLE, reason[:300], at)
    return True


def worked(address: Address | str, *, at: datetime) -> bool:
    """A delivery to it, or a mail from it: the address is alive; True if that is news. What is known costs no lock."""
    known = Address.objects.filter(channel="email", canonical=_key(address)).values_list("reachability", "soft_failures").first()
    return known not in (None, (Reachability.REACHABLE, [])) and _alive(address, at)


@transaction.atomic
def _alive(address: Address | str, at: datetime) -> bool:
    row = _locked(address)
    if row is None or (row.reachability == Reachability.UNREACHABLE and at < row.changed_at):
        return False
    was = row.reachability
    if was == Reachability.REACHABLE and not row.soft_failures:
        return False
    if was == Reachability.REACHABLE:
        row.soft_failures = []
        row.save(update_fields=["soft_failures"])
        return False
    _set(row, Reachability.REACHABLE, "", at, quiet=was == Reachability.UNKNOWN)
    return True


def _locked(address: Address | str) -> Address | None:
    """By canonical spelling; None for an address that nobody has. The customer's timeline follows, not its lock."""
    return Address.objects.select_for_update(no_key=True).filter(channel="email", canonical=_key(address)).first()


def _key(address: Address | str) -> str:
    return address.canonical if isinstance(address, Address) else canonical(address)


def _start_of_last_sends(row: Address) -> datetime | None:
    """When the fifth last message to this address left; None when there were fewer. Asked only after a failure."""
    sent = Event.objects.filter(customer_id=row.customer_id, kind="mail.sent", payload__address=row.pk)
    times = list(sent.order_by("-occurred_at").values_list("occurred_at", flat=True)[:SENDS])
    return times[-1] if len(times) == SENDS else None


def _set(row: Address, state: Any, reason: str, at: datetime, *, quiet: bool = False) -> None:
    """Write the state; the first proof that an address works is no news for a timeline."""
    row.reachability, row.reason, row.changed_at, row.soft_failures = state, reason, at, []
    row.save(update_fields=["reachability", "reason", "changed_at", "soft_failures"])
    if not quiet:
        timeline.record(f"address.{state}", customer=row.customer_id, at=at, address=row.canonical, reason=reason)
