"""What a person may do in a thread of the playground."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from aiohttp import web

from bot.platforms.web.guard import HttpRefusal
from bot.platforms.web.keys import thread_key
from bot.platforms.web.people import LOCAL, Person, person_of
from bot.store import Share, Store
from bot.values.messages import ThreadKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A thread, and what the person who names it may do there. They may read it."""

    thread: ThreadKey
    person: Person
    is_owner: bool
    """They made it."""
    can_manage: bool
    """They may delete it, and stop whatever is answered there."""
    can_ask: bool
    share: Share | None

    @property
    def is_guest(self) -> bool:
        """Whether they are here by a link, which may be taken back."""
        return not self.can_manage

    def wrote(self, author: str) -> bool:
        """Whether this person asked a question, by the id of its author."""
        # Nobody else can have asked, whatever ids earlier versions wrote.
        return author == self.person.id or self.person == LOCAL

    def require_manage(self) -> None:
        """Raises: HttpRefusal, for a guest."""
        if not self.can_manage:
            raise HttpRefusal(403, "http_not_owner")


class ThreadAccess:
    """Finds out; every request that names a thread comes through here."""

    def __init__(self, store: Store, *, everybody: bool, sharing: bool) -> None:
        """`everybody`: all people may do everything in all threads; `sharing`: links let in."""
        self._store = store
        self.everybody = everybody
        self.sharing = sharing
        self._watched: defaultdict[ThreadKey, list[asyncio.Event]] = defaultdict(list)

    async def of(self, request: web.Request) -> Access:
        """The access that a request's person has to the thread it names.

        Raises:
            HttpRefusal: no such thread, or somebody else's, which is the same to them.
            StoreFailed
        """
        thread, person = thread_key(request.match_info["thread"]), person_of(request)
        found = await self._store.sharing.ownership(thread, person.id)
        if found is None:
            raise HttpRefusal(404, "http_no_thread")
        is_owner = found.owner == person.id
        is_guest = self.sharing and found.is_guest and found.share is not None
        if not (is_owner or self.everybody or is_guest):
            raise HttpRefusal(404, "http_no_thread")
        can_manage = is_owner or self.everybody
        return Access(
            thread=thread,
            person=person,
            is_owner=is_owner,
            can_manage=can_manage,
            can_ask=can_manage or (found.share is not None and found.share.can_ask),
            share=found.share if self.sharing else None,
        )

    async def to_ask(self, request: web.Request) -> Access:
        """The same, for a question. Raises: HttpRefusal, also to a guest who may only read."""
        access = await self.of(request)
        if not access.can_ask:
            raise HttpRefusal(403, "http_read_only")
        return access

    async def readers(self, thread: ThreadKey) -> set[str] | None:
        """The people who may read a thread; `None`: everybody. Raises: StoreFailed."""
        if self.everybody:
            return None
        owner, guests = await self._store.sharing.readers(thread)
        return {owner} | (guests if self.sharing else set())

    @contextmanager
    def watched(self, access: Access) -> Iterator[asyncio.Event]:
        """An event that is set when a guest's way into a thread is taken back."""
        revoked = asyncio.Event()
        if not access.is_guest:
            yield revoked
            return
        self._watched[access.thread].append(revoked)
        try:
            yield revoked
        finally:
            self._watched[access.thread].remove(revoked)
            if not self._watched[access.thread]:
                del self._watched[access.thread]

    def revoke(self, thread: ThreadKey) -> None:
        """End what guests follow in a thread."""
        for revoked in self._watched.get(thread, ()):
            revoked.set()
