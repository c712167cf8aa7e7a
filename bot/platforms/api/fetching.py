"""Pictures whose address a request gives, where the operator allows it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from bot.images.public_web import PublicWeb
from bot.platforms.api.errors import ApiRefusal
from bot.platforms.api.messages import Link

FETCH_WITHIN_S: Final = 60
"""All pictures of a request together."""
AT_ONCE: Final = 3


class Fetching:
    """Fetches from public hosts only. Lives as long as the API."""

    def __init__(
        self, *, allowed: bool, max_bytes: int, private_hosts: frozenset[str] = frozenset()
    ) -> None:
        """`max_bytes`: of a picture. `private_hosts`: see `PublicWeb`."""
        self._allowed = allowed
        self._max_bytes = max_bytes
        self._web = PublicWeb(private_hosts)

    async def close(self) -> None:
        """Close the connections."""
        await self._web.close()

    async def fetch(self, links: Iterable[Link], *, most: int) -> dict[Link, bytes]:
        """Fetch pictures, the same address once. Raises: ApiRefusal.

        `most`: more pictures than this are refused unfetched.
        """
        wanted = list({link.address: link for link in reversed(list(links))}.values())[::-1]
        if not wanted:
            return {}
        if not self._allowed:
            raise ApiRefusal(400, "api_links_off", code="invalid_image", param=wanted[0].param)
        if len(wanted) > most:
            raise ApiRefusal(400, "api_pictures", param="messages", given=len(wanted), limit=most)
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(link: Link) -> bytes:
            async with slots:
                return await self._fetch(link)

        try:
            async with asyncio.timeout(FETCH_WITHIN_S), asyncio.TaskGroup() as group:
                tasks = {link.address: group.create_task(one(link)) for link in wanted}
        except* ApiRefusal as failed:
            raise failed.exceptions[0] from None
        except* TimeoutError:
            raise ApiRefusal(
                400, "api_link_slow", code="invalid_image", param=wanted[0].param
            ) from None
        return {link: tasks[link.address].result() for link in links}

    async def _fetch(self, link: Link) -> bytes:
        data = bytearray()
        try:
            async for piece in self._web.fetch(link.address):
                data += piece
                if len(data) > self._max_bytes:
                    raise ApiRefusal(
                        400,
                        "api_link_large",
                        code="invalid_image",
                        param=link.param,
                        limit_bytes=self._max_bytes,
                    )
        except OSError:
            raise ApiRefusal(
                400, "api_link_unreachable", code="invalid_image", param=link.param
            ) from None
        return bytes(data)
