"""What an email address is, and when two spellings are the same one."""

import re
import unicodedata
from functools import lru_cache

import idna

MAX_ADDRESS = 254  # octets: RFC 5321 section 4.5.3.1.3, less the angle brackets (RFC 3696 erratum 1690)
MAX_LOCAL = 64  # octets: RFC 5321 section 4.5.3.1.1
MAX_DOMAIN = 253
# Real domains have underscores and hyphens where IDNA 2008 wants none; ASCII is held to DNS alone (RFC 1035).
LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
FORBIDDEN = set('<>()[],;:\\"@')  # RFC 5322 specials, the dot excepted: real mailboxes have "a..b" and "a."


class BadAddress(ValueError):
    """Not an address we could ever write to; permanent. Its text is for people."""


@lru_cache(maxsize=2048)  # a sender asks twice about each address
def canonical(address: str) -> str:
    """The one spelling under which an address is kept and compared: lower case, domain by IDNA (RFC 5891, UTS 46).

    Dots and plus parts are kept: only the receiving host knows whether they matter. Raises BadAddress, a ValueError.
    """
    text = unicodedata.normalize("NFC", address.strip())
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain:
        raise BadAddress("An email address has a name, an @ and a domain.")
    if len(local) > 2 and local[0] == local[-1] == '"':
        local = local[1:-1]  # "ben"@example.com is ben@example.com: RFC 5321 section 4.1.2
    local = local.lower()
    if any(c in FORBIDDEN or c.isspace() or not c.isprintable() for c in local):
        raise BadAddress("This email address has a character that does not belong there.")
    name = f"{local}@{_domain(domain)}"
    if len(local.encode()) > MAX_LOCAL or len(name.encode()) > MAX_ADDRESS:
        raise BadAddress("This email address is too long.")
    return name


def _domain(domain: str) -> str:
    domain = domain.lower().removesuffix(".")
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode()
        except (idna.IDNAError, UnicodeError) as error:
            raise BadAddress("The part after the @ is no domain.") from error
    if len(domain) > MAX_DOMAIN or not all(LABEL.fullmatch(label) for label in domain.split(".")):
        raise BadAddress("The part after the @ is no domain.")
    return domain
