"""Fetch pictures that people link to: from public hosts only.

A question must not reach into the operator's network, wherever its links redirect.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

CHUNK_BYTES = 64 * 1024
TIMEOUT_S = 60
MAX_REDIRECTS = 5

Visit = Callable[[URL], tuple[aiohttp.ClientSession, dict[str, str]]]
"""Chooses session and headers for one address on the way. Raises: OSError, not to go there."""


class PublicResolver(AbstractResolver):
    """Resolves names to public addresses only."""

    def __init__(self) -> None:
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """As `AbstractResolver.resolve`. Raises: OSError for a name of a private host."""
        found = await self._resolver.resolve(host, port, family)
        public = [entry for entry in found if is_public(entry["host"])]
        if not public:
            raise OSError("not a public host")
        return public

    async def close(self) -> None:
        """Nothing to close."""
        await self._resolver.close()


class PublicWeb:
    """Fetches by address. Lives as long as the adapter."""

    def __init__(self, private_hosts: frozenset[str] = frozenset()) -> None:
        """`private_hosts`: ``host:port`` that may be asked although not public, for tests."""
        self._private_hosts = private_hosts
        self._public: aiohttp.ClientSession | None = None
        self._private: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections."""
        for session in (self._public, self._private):
            if session is not None:
                await session.close()

    def visit(self, url: URL) -> tuple[aiohttp.ClientSession, dict[str, str]]:
        """See `Visit`."""
        if url.scheme not in {"http", "https"} or not url.host:
            raise OSError("no web address")
        if f"{url.host}:{url.port}" in self._private_hosts:
            if self._private is None:
                self._private = cookieless_session()
            return self._private, {}
        if _is_private_literal(url.host):
            raise OSError("not a public host")
        if self._public is None:
            self._public = cookieless_session(aiohttp.TCPConnector(resolver=PublicResolver()))
        return self._public, {}

    async def fetch(self, address: str) -> AsyncGenerator[bytes, None]:
        """Yield the bytes behind an address, in pieces; the caller bounds them.

        Raises:
            OSError: they cannot be had.
        """
        async with following(address, self.visit) as response:
            async for piece in response.content.iter_chunked(CHUNK_BYTES):
                yield piece


@asynccontextmanager
async def following(
    address: str, visit: Visit, *, also: frozenset[int] = frozenset()
) -> AsyncIterator[aiohttp.ClientResponse]:
    """The answer behind an address, its redirects followed.

    `also`: statuses other than 200 that the caller wants to see.

    Raises:
        OSError: there is none.
    """
    try:
        url = URL(address)
        for _ in range(MAX_REDIRECTS + 1):
            session, headers = visit(url)
            async with session.get(url, headers=headers, allow_redirects=False) as response:
                if response.status in {301, 302, 303, 307, 308}:
                    url = url.join(URL(response.headers["Location"]))
                    continue
                if response.status != 200 and response.status not in also:
                    raise OSError(f"the server answered {response.status}")
                yield response
                return
    except (aiohttp.ClientError, TimeoutError, ValueError, LookupError) as exc:
        raise OSError(type(exc).__name__) from None
    raise OSError("it leads from address to address without end")


def cookieless_session(
    connector: aiohttp.TCPConnector | None = None,
    *,
    proxy: str | None = None,
    trust_env: bool = False,
) -> aiohttp.ClientSession:
    """A session without cookies: what one host sets must not go along with another's question."""
    return aiohttp.ClientSession(
        connector=connector,
        proxy=proxy,
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=trust_env,
        headers={"User-Agent": "llava-bot"},
    )


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    inner = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None)
    return ip.is_global and not ip.is_multicast and (inner is None or inner.is_global)


def _is_private_literal(host: str) -> bool:
    """A numeric address is not resolved, so it is checked here."""
    try:
        return not is_public(host)
    except ValueError:
        return False
