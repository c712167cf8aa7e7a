"""Requests about links to threads: make, take back, open, leave."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from bot.platforms.listening.guesses import Guesses
from bot.platforms.listening.senders import Senders
from bot.platforms.web.access import ThreadAccess
from bot.platforms.web.bodies import flag, json_object
from bot.platforms.web.changes import Changes
from bot.platforms.web.guard import HttpRefusal, refusal
from bot.platforms.web.people import name_of, person_of
from bot.store import Share, Store


class SharingHandlers:
    """Handlers over the store."""

    def __init__(
        self, *, store: Store, access: ThreadAccess, changes: Changes, senders: Senders
    ) -> None:
        self._store = store
        self._senders = senders
        self._guesses = Guesses("links to threads")
        self._access = access
        self._changes = changes

    def routes(self) -> list[web.RouteDef]:
        """The routes they serve."""
        return [
            web.post("/api/threads/{thread}/share", self._share),
            web.delete("/api/threads/{thread}/share", self._unshare),
            web.post("/api/threads/{thread}/leave", self._leave),
            web.post("/api/shared/{token}", self._open),
        ]

    async def _share(self, request: web.Request) -> web.Response:
        access = await self._access.of(request)
        self._require_sharing()
        access.require_manage()
        can_ask = flag(await json_object(request), "can_ask")
        share = await self._store.sharing.share(
            access.thread, can_ask=can_ask, shared_by=await name_of(self._store, access.person)
        )
        if share is None:  # deleted meanwhile
            raise HttpRefusal(404, "http_no_thread")
        self._changes.announce(access.thread)
        return web.json_response(share_json(share))

    async def _unshare(self, request: web.Request) -> web.Response:
        access = await self._access.of(request)
        access.require_manage()
        readers = await self._changes.readers(access.thread)
        await self._store.sharing.unshare(access.thread)
        self._access.revoke(access.thread)
        self._changes.tell(access.thread, readers)
        return web.Response(status=204)

    async def _leave(self, request: web.Request) -> web.Response:
        access = await self._access.of(request)
        await self._store.sharing.leave(access.thread, access.person.id)
        self._changes.tell(access.thread, {access.person.id})
        return web.Response(status=204)

    async def _open(self, request: web.Request) -> web.Response:
        self._require_sharing()
        token, person = request.match_info["token"], person_of(request)
        sender = self._senders.of(request)
        if wait_s := self._guesses.wait_s(sender):
            raise HttpRefusal(429, "http_guessing_links", wait_s=wait_s)
        thread = await self._store.sharing.open_link(token, person.id)
        if thread is None:
            self._guesses.failed(sender, token[:64].encode("utf-8", "replace"))
            return refusal(request, 404, "http_no_link")
        self._changes.tell(thread, {person.id})
        return web.json_response({"thread_id": thread.thread})

    def _require_sharing(self) -> None:
        if not self._access.sharing:
            raise HttpRefusal(403, "http_no_sharing")


def share_json(share: Share) -> dict[str, Any]:
    """A link as its owner sees it. The token is in a fragment, which browsers send to nobody."""
    return {"path": f"/#/s/{share.token}", "can_ask": share.can_ask}
