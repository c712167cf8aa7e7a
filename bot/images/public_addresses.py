"""Which addresses and ports belong to the public internet, and so may be asked for a link."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from yarl import URL

_NOT_PUBLIC_4: Final = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",  # private
        "100.64.0.0/10",  # shared by a provider's customers; Alibaba's metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's metadata, although it looks public
        "169.254.0.0/16",  # link-local; most clouds' metadata
        "192.0.0.0/24",  # IETF protocols; Oracle's metadata
        "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24",  # documentation
        "192.88.99.0/24",  # relays from 6to4
        "198.18.0.0/15",  # benchmarks
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)  # fmt: skip
_PUBLIC_6: Final = ipaddress.IPv6Network("2000::/3")
"""All that is allocated. It leaves out loopback, unique-local, link-local, site-local, multicast,
and addresses that hold one of IPv4 (mapped, compatible)."""
_NOT_PUBLIC_6: Final = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # IETF protocols: Teredo, which holds an address of IPv4, ORCHID, benchmarks
        "2001:db8::/32", "3fff::/20",  # documentation
        "2002::/16",  # 6to4, which holds an address of IPv4
    )
)  # fmt: skip
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
"""How hosts with IPv6 alone reach IPv4: public if what it holds is."""

_USUAL_PORTS: Final = frozenset({80, 443})
_FIRST_FREE_PORT: Final = 1024
_OTHER_PROTOCOLS: Final = frozenset(
    {
        1719, 1720, 1723, 2049, 3306, 3389, 3659, 4045, 4190, 5060, 5061, 5432, 5900, 6000, 6379,
        6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 9200, 10080, 11211, 27017,
    }
)  # fmt: skip
"""Ports from 1024 on where something else than HTTP listens: browsers' list, and databases."""

_IN_NUMBERS: Final = re.compile(r"(?:.*\.)?(?:\d+|0x[\da-f]*)\.?", re.IGNORECASE)
"""A host whose last label is a number is an address, in whatever form a resolver takes it."""


def is_public(address: str) -> bool:
    """Whether an IP address, as a socket connects to it, belongs to the public internet.

    Sources: IANA's special-purpose registries of both protocols, RFC 6890; RFC 6052 for NAT64.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv4Address):
        return not any(ip in network for network in _NOT_PUBLIC_4)
    if ip.scope_id is not None:
        return False
    if ip in _NAT64:
        return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    return ip in _PUBLIC_6 and not any(ip in network for network in _NOT_PUBLIC_6)


def may_be_asked(url: URL) -> bool:
    """Whether an address of the web may be public; a name still has to be resolved."""
    host = url.raw_host
    if url.scheme not in {"http", "https"} or not host or not _is_usual_port(url.port):
        return False
    if ":" in host or _IN_NUMBERS.fullmatch(host):
        return is_public(host)
    return True


def _is_usual_port(port: int | None) -> bool:
    if port is None:
        return False
    return port in _USUAL_PORTS or (port >= _FIRST_FREE_PORT and port not in _OTHER_PROTOCOLS)
