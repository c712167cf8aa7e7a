"""Who sends a request, as far as the network knows: what is bounded for each is bounded by this."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Iterable
from typing import Final, TypeAlias

from aiohttp import web

log = logging.getLogger(__name__)

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

ONE_SENDER_BITS: Final = 48
"""The prefix of IPv6 that one customer may have for themselves, and change addresses within."""
MAX_HOPS: Final = 20


class Senders:
    """Tells senders apart, also behind proxies that are trusted to say whom they speak for."""

    def __init__(self, trusted_proxies: Iterable[str] = (), *, setting: str = "") -> None:
        """`trusted_proxies`: addresses and networks. `setting`: what names them, for the log."""
        self._trusted = tuple(ipaddress.ip_network(each) for each in trusted_proxies)
        self._setting = setting

    def is_trusted(self, peer: str) -> bool:
        """Whether a peer speaks for others."""
        address = _parsed(peer)
        return address is not None and self._is_trusted(address)

    def of(self, request: web.Request) -> str:
        """The sender of a request: an address, or a network of IPv6.

        What `X-Forwarded-For` says counts only as far as trusted proxies have said it.
        """
        peer = _parsed(request.remote or "")
        if peer is None:
            return ""
        forwarded = request.headers.getall("X-Forwarded-For", [])
        if forwarded and not self._is_trusted(peer):
            self._tell_of(peer)
        hops = [hop for line in forwarded for hop in line.split(",")]
        sender = peer
        for hop in reversed(hops[-MAX_HOPS:]):
            if not self._is_trusted(sender):
                break
            address = _parsed(_without_port(hop.strip()))
            if address is None:
                break
            sender = address
        return _sender(sender)

    def _is_trusted(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)

    def _tell_of(self, peer: Address) -> None:
        if self._setting and (peer.is_loopback or peer.is_private):
            log.warning(
                "a proxy at %s passes requests on: all its visitors share one sender's limits. "
                "Name it in %s, and make sure that it sets X-Forwarded-For itself",
                peer,
                self._setting,
            )
            self._setting = ""  # once


def sender_of(peer: str) -> str:
    """The sender that a peer's address belongs to."""
    address = _parsed(peer)
    return "" if address is None else _sender(address)


def _sender(address: Address) -> str:
    if address.version == 6:
        return str(ipaddress.ip_network((address, ONE_SENDER_BITS), strict=False))
    return str(address)


def _parsed(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _without_port(hop: str) -> str:
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
