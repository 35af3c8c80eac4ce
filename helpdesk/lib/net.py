"""The guarded dialler: whoever connects to a host that a person, a message or a stranger named, connects through here.

What is judged is the address that is dialled, after the name was resolved: a name that answers otherwise the second time
gets nowhere. A proxy of the environment is not asked.
"""

import ipaddress
import socket
import time
from collections.abc import Collection
from contextlib import suppress

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are the IPv4 address it leads to
UNICAST = ipaddress.IPv6Network("2000::/3")  # all of IPv6 that the Internet routes so far (RFC 4291)
# Global on paper: protocol assignments, 6to4 relays, and the address by which Azure talks to its machines.
APART = [ipaddress.IPv4Network(name) for name in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")]


class Forbidden(OSError):
    """This host or port is not for us to dial; nothing was sent there."""


def dial(host: str, port: int, *, ports: Collection[int], private: Collection[str] = (), timeout: float = 10) -> socket.socket:
    """A TCP connection to a public address and one of these ports, within `timeout` seconds.

    `private` names the hosts, and the networks such as 10.0.0.0/8, that may be dialled although they are not public.
    Raises Forbidden before anything is sent; else what `socket` raises.
    """
    end = time.monotonic() + timeout
    if port not in ports:
        raise Forbidden(f"Port {port} is not allowed")
    trouble: OSError = Forbidden(f"{host} has no address")
    for family, address in _resolved(host, port, private):
        line = socket.socket(family, socket.SOCK_STREAM)
        line.settimeout(max(0.01, end - time.monotonic()))
        try:
            line.connect(address)
        except OSError as error:
            line.close()
            trouble = error
            continue
        line.settimeout(timeout)
        return line
    raise trouble


def _resolved(host: str, port: int, private: Collection[str]) -> list[tuple[int, tuple[str, int]]]:
    """All addresses of a host; one that is not allowed spoils them all."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except ValueError as error:  # no host name at all: a NUL, a label of a hundred letters
        raise Forbidden(f"{host!r} is no host name") from error
    if host.rstrip(".").lower() not in {name.rstrip(".").lower() for name in private}:
        networks = _networks(private)
        for *_rest, address in found:
            ip = ipaddress.ip_address(str(address[0]).partition("%")[0])
            if not is_public(ip) and not any(real(ip) in network for network in networks):
                raise Forbidden(f"{host} is at {ip}, which is not public")
    return [(family, address) for family, _type, _proto, _name, address in found]  # type: ignore[misc]


def _networks(private: Collection[str]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    networks = []
    for name in private:
        with suppress(ValueError):  # a host's name
            networks.append(ipaddress.ip_network(name, strict=False))
    return networks


def is_public(ip: Ip) -> bool:
    """Whether the whole Internet can reach it: nothing of ours, of this machine, of a cloud's metadata, of a multicast group."""
    ip = real(ip)
    if not ip.is_global or ip.is_multicast:
        return False
    return ip in UNICAST if isinstance(ip, ipaddress.IPv6Address) else not any(ip in network for network in APART)


def real(ip: Ip) -> Ip:
    """The IPv4 address that an IPv6 address leads to, if it does: mapped, 6to4, Teredo, NAT64."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else ip)
