"""Addresses as mail needs them: our own, those behind which nobody reads, and how one is written on the wire."""

import re

import idna

from helpdesk.customers.addresses import canonical
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


def wire(address: str) -> str:
    """The address for a command or a header: the domain in ASCII (RFC 5891), which every server knows.

    A name before the @ that is not ASCII stays: only its own server may say what it means (RFC 6531, section 3.2), and
    whoever hands it over must ask for SMTPUTF8. Raises UnicodeError for what is no domain.
    """
    local, at, domain = address.rpartition("@")
    return address if domain.isascii() else f"{local}{at}{idna.encode(domain, uts46=True).decode()}"
