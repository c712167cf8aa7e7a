"""Fetch pictures by their addresses: Slack's files with the token, the web's without.

The token goes to Slack's hosts alone, also when an address leads on to another. Addresses that
people write may lead to public hosts only: a question must not reach into the operator's network.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

CHUNK_BYTES = 64 * 1024
TIMEOUT_S = 60
MAX_REDIRECTS = 5
SLACK_DOMAINS = (".slack.com", ".slack-gov.com")
SNIFFED_BYTES = 512


class IsLoginPage(OSError):
    """Slack sent its login page in place of a file: the token may not read files."""


class NotThere(OSError):
    """Slack has no such file, or not yet."""


class PublicResolver(AbstractResolver):
    """Resolves names to public addresses only."""

    def __init__(self) -> None:
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """As `AbstractResolver.resolve`. Raises: OSError for a name of a private host."""
        found = await self._resolver.resolve(host, port, family)
        public = [it for it in found if is_public(it["host"])]
        if not public:
            raise OSError("not a public host")
        return public

    async def close(self) -> None:
        """Nothing to let go of."""
        await self._resolver.close()


class Links:
    """Fetches by address. Lives as long as the adapter."""

    def __init__(self, *, api_url: str, private_hosts: frozenset[str] = frozenset()) -> None:
        self._api = URL(api_url)
        self._private_hosts = private_hosts
        """``host:port`` that may be asked although it is not public: for tests."""
        self._slack: aiohttp.ClientSession | None = None
        self._web: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections."""
        for session in (self._slack, self._web):
            if session is not None:
                await session.close()

    def is_slack(self, url: URL) -> bool:
        """Whether the token may go there."""
        if url.origin() == self._api.origin():
            return True
        host = url.host or ""
        return url.scheme == "https" and f".{host}".endswith(SLACK_DOMAINS)

    async def fetch(self, address: str, *, token: str | None = None) -> AsyncIterator[bytes]:
        """Yield the bytes behind an address, in pieces; the caller bounds them.

        Raises:
            IsLoginPage: a file of Slack's needs a scope that the token lacks.
            NotThere: Slack has no such file.
            OSError: they cannot be had.
        """
        try:
            async with self._following(URL(address), token) as (response, from_slack):
                first = True
                async for piece in response.content.iter_chunked(CHUNK_BYTES):
                    if first and from_slack and _is_page(response, piece):
                        raise IsLoginPage("a web page")
                    first = False
                    yield piece
        except (aiohttp.ClientError, TimeoutError, ValueError) as exc:
            raise OSError(type(exc).__name__) from None

    @asynccontextmanager
    async def _following(
        self, url: URL, token: str | None
    ) -> AsyncIterator[tuple[aiohttp.ClientResponse, bool]]:
        for _ in range(MAX_REDIRECTS + 1):
            is_slack = token is not None and self.is_slack(url)
            headers = {"Authorization": f"Bearer {token}"} if is_slack else {}
            session = self._slack_session() if is_slack else self._web_session(url)
            async with session.get(url, headers=headers, allow_redirects=False) as response:
                if response.status in {301, 302, 303, 307, 308}:
                    url = url.join(URL(response.headers["Location"]))
                    continue
                if is_slack and response.status in {403, 404}:
                    raise NotThere(f"the server answered {response.status}")
                if response.status != 200:
                    raise OSError(f"the server answered {response.status}")
                yield response, is_slack
                return
        raise OSError("it leads from address to address without end")

    def _slack_session(self) -> aiohttp.ClientSession:
        if self._slack is None:
            self._slack = _session(trust_env=True)  # through the proxy, where there is one
        return self._slack

    def _web_session(self, url: URL) -> aiohttp.ClientSession:
        if url.scheme not in {"http", "https"} or not url.host:
            raise OSError("no web address")
        if f"{url.host}:{url.port}" in self._private_hosts:
            return self._slack_session()
        if _is_private_literal(url.host):
            raise OSError("not a public host")
        if self._web is None:
            self._web = _session(resolver=PublicResolver())
        return self._web


def _session(*, trust_env: bool = False, **connector: Any) -> aiohttp.ClientSession:
    # No cookies: what one host sets must not go anywhere with another person's question.
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(**connector),
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
    """An address in figures is not resolved, so it is looked at here."""
    try:
        return not is_public(host)
    except ValueError:
        return False


def _is_page(response: aiohttp.ClientResponse, first_piece: bytes) -> bool:
    if response.content_type == "text/html":
        return True
    start = first_piece[:SNIFFED_BYTES].lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html"))
