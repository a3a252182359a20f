"""Which addresses an agent may call."""

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from neonhub.agents.errors import NonRetryableError

_NAT64 = IPv6Network("64:ff9b::/96")


class PrivateAddress(NonRetryableError):
    """The address is loopback, private or reserved."""


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is on the open internet, and so is the IPv4 address within it, if any."""
    inner = _embedded(address) if isinstance(address, IPv6Address) else None
    if inner is not None:
        return is_public(inner)
    return address.is_global and not address.is_multicast and not address.is_reserved


def resolve(host: str, port: int, *, allow_private: bool) -> Sequence[str]:
    """Look up a host and check every address it has.

    The caller connects to one of these, not to the name: a second look-up could answer otherwise.

    Args:
        host: A name or an address, as the URL has it.
        allow_private: Whether loopback, private and reserved addresses will do.

    Returns:
        Its addresses, the one to try first at the front.

    Raises:
        PrivateAddress: One of them is not public.
        OSError: The look-up failed.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    refused = [] if allow_private else [a for a in addresses if not is_public(ip_address(a))]
    if refused:
        where = host if refused[0] == host else f"{host} is at {refused[0]}, which"
        raise PrivateAddress(
            f"{where} is a loopback, private or reserved address; "
            "NEONHUB_HTTP_ALLOW_PRIVATE=true allows such calls."
        )
    return addresses


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that traffic to an IPv6 address ends up at."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None
