"""Requests about all threads of a person: list, search, delete all."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from bot.core.erasure import Erasure
from bot.platforms.web.access import ThreadAccess
from bot.platforms.web.changes import Changes
from bot.platforms.web.guard import HttpRefusal
from bot.platforms.web.keys import CHANNEL, PLATFORM, TEAM
from bot.platforms.web.people import Person, person_of
from bot.platforms.web.threads import picture_url
from bot.store import Store, ThreadSummary
from bot.values.cleaning import clean_name

MAX_LIMIT: Final = 200


class ListingHandlers:
    """Handlers over the store."""

    def __init__(
        self, *, store: Store, erasure: Erasure, access: ThreadAccess, changes: Changes
    ) -> None:
        self._store = store
        self._erasure = erasure
        self._access = access
        self._changes = changes

    def routes(self) -> list[web.RouteDef]:
        """The routes they serve."""
        return [
            web.get("/api/threads", self._list),
            web.delete("/api/threads", self._delete_all),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        person = person_of(request)
        try:
            page = await self._store.listing.page(
                PLATFORM,
                TEAM,
                CHANNEL,
                person=None if self._access.everybody else person.id,
                with_shared=self._access.sharing,
                words=clean_name(request.query.get("q", "")),
                limit=_limit(request),
                before=request.query.get("before", ""),
            )
        except ValueError:
            raise HttpRefusal(400, "http_bad") from None
        listed: dict[str, Any] = {
            "threads": [self._summary_json(thread, person) for thread in page.threads]
        }
        if page.next is not None:
            listed["next"] = page.next
        return web.json_response(listed)

    async def _delete_all(self, request: web.Request) -> web.Response:
        owned = await self._store.sharing.owned(PLATFORM, person_of(request).id)
        readers = [(thread, await self._changes.readers(thread)) for thread in owned]
        for thread in owned:
            self._access.revoke(thread)
        count = await self._erasure.threads(owned)
        for thread, people in readers:
            self._changes.tell(thread, people)
        return web.json_response({"threads": count})

    def _summary_json(self, thread: ThreadSummary, person: Person) -> dict[str, Any]:
        number, match = thread.first_picture_number, thread.match
        summary: dict[str, Any] = {
            "thread_id": thread.thread,
            "title": thread.title,
            "updated_at": thread.touched_at.isoformat(),
            "picture_url": None if number is None else picture_url(thread.thread, number),
            "is_mine": thread.owner == person.id,
            "can_delete": thread.owner == person.id or self._access.everybody,
            "is_shared": thread.is_shared and self._access.sharing,
        }
        if match is not None:
            summary["match"] = {
                "in": match.place,
                "before": match.before,
                "hit": match.hit,
                "after": match.after,
            }
        return summary


def _limit(request: web.Request) -> int | None:
    """How many threads are wanted; `None`: all. Raises: ValueError."""
    given = request.query.get("limit", "")
    if not given:
        return None
    limit = int(given)
    if not 1 <= limit <= MAX_LIMIT:
        raise ValueError(given)
    return limit
