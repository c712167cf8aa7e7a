"""Fetch pictures by their addresses: Slack's files with the token, the web's without.

The token goes to Slack's hosts alone, also when an address leads on to another.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
from yarl import URL

from bot.images.public_web import CHUNK_BYTES, PublicWeb, cookieless_session, following

SLACK_DOMAINS = (".slack.com", ".slack-gov.com")
NOT_THERE = frozenset({403, 404})
SNIFFED_BYTES = 512


class IsLoginPage(OSError):
    """Slack sent its login page instead of a file: the token has no access."""


class NotThere(OSError):
    """Slack has no such file, or not yet."""


class Links:
    """Fetches by address. Lives as long as the adapter."""

    def __init__(self, *, api_url: str, private_hosts: frozenset[str] = frozenset()) -> None:
        """`private_hosts`: see `PublicWeb`."""
        self._api = URL(api_url)
        self._web = PublicWeb(private_hosts)
        self._slack: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections."""
        await self._web.close()
        if self._slack is not None:
            await self._slack.close()

    def is_slack(self, url: URL) -> bool:
        """Whether the token may go there."""
        if url.origin() == self._api.origin():
            return True
        host = url.host or ""
        return url.scheme == "https" and f".{host}".endswith(SLACK_DOMAINS)

    async def fetch(
        self, address: str, *, token: str | None = None, size_bytes: int | None = None
    ) -> AsyncIterator[bytes]:
        """Yield the bytes behind an address, in pieces; the caller bounds them.

        `size_bytes`: of the file, as Slack gives it. A page of exactly that size is the file: what
        people name ``.png`` may be a page.

        Raises:
            IsLoginPage: the token has no access to this file of Slack's.
            NotThere: Slack has no such file.
            OSError: the bytes cannot be fetched.
        """

        def visit(url: URL) -> tuple[aiohttp.ClientSession, dict[str, str]]:
            if token is None or not self.is_slack(url):
                return self._web.visit(url)
            if self._slack is None:
                self._slack = cookieless_session(trust_env=True)  # through the proxy, if any
            return self._slack, {"Authorization": f"Bearer {token}"}

        async with following(address, visit, also=NOT_THERE) as response:
            from_slack = token is not None and self.is_slack(response.url)
            if response.status != 200:
                kind = NotThere if from_slack else OSError
                raise kind(f"the server answered {response.status}")
            may_be_page = from_slack and response.content_length != (size_bytes or -1)
            async for piece in response.content.iter_chunked(CHUNK_BYTES):
                if may_be_page and _is_page(response, piece):
                    raise IsLoginPage("a web page")
                may_be_page = False
                yield piece


def _is_page(response: aiohttp.ClientResponse, first_piece: bytes) -> bool:
    if response.content_type == "text/html":
        return True
    start = first_piece[:SNIFFED_BYTES].lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html"))
