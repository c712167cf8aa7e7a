"""Fetch pictures that people link to: from public hosts only.

A question must not reach into the operator's network, wherever its links redirect and whatever
their names resolve to the next time: the address that a socket connects to is the one that is
checked. No proxy of the environment is used, as it would resolve names by itself.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from bot.images.public_addresses import is_public, may_be_asked

CHUNK_BYTES = 64 * 1024
TIMEOUT_S = 60
"""Of a link, with all that it redirects to."""
MAX_REDIRECTS = 5
CONNECTIONS = 32
CONNECTIONS_PER_HOST = 4
"""A question with many links is nobody's tool to load a host with."""

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


def public_socket(found: AddrInfoType) -> socket.socket:
    """The socket for one address that is about to be connected to. Raises: OSError."""
    family, kind, protocol, _, address = found
    if not is_public(str(address[0])):
        raise OSError("not a public host")
    return socket.socket(family, kind, protocol)


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
        if f"{url.host}:{url.port}" in self._private_hosts:
            if self._private is None:
                self._private = cookieless_session()
            return self._private, {}
        if not may_be_asked(url):
            raise OSError("not a public address of the web")
        if self._public is None:
            self._public = cookieless_session(
                aiohttp.TCPConnector(
                    resolver=PublicResolver(),
                    socket_factory=public_socket,
                    limit=CONNECTIONS,
                    limit_per_host=CONNECTIONS_PER_HOST,
                )
            )
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
        until = asyncio.get_running_loop().time() + TIMEOUT_S
        for _ in range(MAX_REDIRECTS + 1):
            url = url.with_user(None)  # a stranger's name and password are no use of ours
            session, headers = visit(url)
            async with session.get(
                url, headers=headers, allow_redirects=False, timeout=_rest_of(until)
            ) as response:
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


def _rest_of(until: float) -> aiohttp.ClientTimeout:
    """What is left of the time for all addresses on the way. Raises: TimeoutError."""
    left_s = until - asyncio.get_running_loop().time()
    if left_s <= 0:
        raise TimeoutError
    return aiohttp.ClientTimeout(total=left_s)


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
