"""How Discord's hosts are reached: directly, by the proxy, or by a gateway of the operator's."""

from __future__ import annotations

import socket
import ssl
import urllib.request

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from bot.platforms.discord.settings import DiscordSettings
from bot.platforms.platform import PlatformUnavailable


class FixedResolver(AbstractResolver):
    """Resolves every name to one address."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port

    async def resolve(
        self,
        host: str,
        port: int = 0,  # noqa: ARG002 - the one address has its own
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002
    ) -> list[ResolveResult]:
        """As `AbstractResolver.resolve`."""
        return [
            ResolveResult(
                hostname=host,
                host=self._host,
                port=self._port,
                family=socket.AF_INET6 if ":" in self._host else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        """Nothing to close."""


class Network:
    """Makes connectors. Made in a thread: it reads certificates."""

    def __init__(self, settings: DiscordSettings) -> None:
        """Raises: PlatformUnavailable when the certificates cannot be read."""
        self._gateway: tuple[str, int] | None = None
        if settings.resolve_to:
            host, _, port = settings.resolve_to.rpartition(":")
            try:
                found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
            except OSError:
                raise PlatformUnavailable(f"DISCORD_RESOLVE_TO: {host} has no address.") from None
            self._gateway = (str(found[0][4][0]), int(port))
        try:
            self._tls = ssl.create_default_context(cafile=settings.ca_file)
        except (OSError, ssl.SSLError):
            raise PlatformUnavailable(
                f"DISCORD_CA_FILE: {settings.ca_file} cannot be read as PEM certificates."
            ) from None
        self.proxy = None if self._gateway else urllib.request.getproxies().get("https")
        """The proxy's address, where there is one."""

    def connector(self) -> aiohttp.TCPConnector:
        """A connector of its own for each session."""
        if self._gateway is None:
            return aiohttp.TCPConnector(ssl=self._tls)
        return aiohttp.TCPConnector(ssl=self._tls, resolver=FixedResolver(*self._gateway))
