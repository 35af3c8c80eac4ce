"""Addresses that we answer differently: our own, and those behind which nobody reads."""

import re

from helpdesk.customers.identity import canonical
from helpdesk.mail.models import Mailbox

MACHINES = re.compile(r"(?:no-?reply|do-?not-?reply|mailer-daemon|postmaster|abuse)", re.IGNORECASE)


def plain(address: str) -> str:
    """The canonical address without its plus part (RFC 5233). Raises BadAddress."""
    local, _at, domain = canonical(address).rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def is_machine(address: str) -> bool:
    return bool(MACHINES.fullmatch(plain(address).rpartition("@")[0]))


def ours() -> set[str]:
    return {canonical(address) for address in Mailbox.objects.values_list("address", flat=True)}
