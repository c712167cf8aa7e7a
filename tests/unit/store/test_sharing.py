"""Whose threads are, who is let in by a link, and what a person leaves behind."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from bot.store import Share, Store, running_store
from bot.store.database.sqlite import migrate
from bot.values.messages import Author, IncomingMessage, MessageKey, Receipt, ThreadKey


def thread(name: str) -> ThreadKey:
    return ThreadKey(platform="web", team="t", channel="c", thread=name)


async def ask(store: Store, in_thread: str, author: str) -> None:
    key = MessageKey(platform="web", team="t", channel="c", message=f"{in_thread} {author}")
    message = IncomingMessage(
        key=key, thread=thread(in_thread), author=Author(id=author), text="What is it?"
    )
    assert await store.inbox.claim(message)
    await store.begin_turn(message, question="What is it?", new_pictures=(), receipt=Receipt())


async def share(store: Store, name: str, *, can_ask: bool = False) -> Share:
    shared = await store.sharing.share(thread(name), can_ask=can_ask, shared_by="Ann")
    assert shared is not None
    return shared


async def listed(store: Store, person: str | None) -> set[str]:
    found = (await store.listing.page("web", "t", "c", person=person)).threads
    return {summary.thread for summary in found}


async def test_a_person_lists_their_own_threads_and_those_whose_link_they_opened(
    store: Store,
) -> None:
    for name in ("private", "shared"):
        await store.make_thread(thread(name), owner="ann")
        await ask(store, name, "ann")
    token = (await share(store, "shared")).token
    assert (await listed(store, "ann"), await listed(store, "bob")) == (
        {"private", "shared"},
        set(),
    )
    assert await store.sharing.open_link(token, "bob") == thread("shared")
    assert await listed(store, "bob") == {"shared"}
    assert await listed(store, None) == {"private", "shared"}


async def test_a_follow_up_of_somebody_else_does_not_change_the_owner(store: Store) -> None:
    await store.make_thread(thread("1"), owner="ann")
    await ask(store, "1", "bob")
    ownership = await store.sharing.ownership(thread("1"), "bob")
    assert ownership is not None
    assert (ownership.owner, ownership.is_guest, ownership.share) == ("ann", False, None)
    assert await store.sharing.authors(thread("1")) == {"1 bob": "bob"}


async def test_a_link_that_was_taken_back_leads_nowhere_and_its_guests_are_out(
    store: Store,
) -> None:
    await store.make_thread(thread("1"), owner="ann")
    first = await share(store, "1")
    await store.sharing.open_link(first.token, "bob")
    assert await store.sharing.unshare(thread("1"))
    assert not await store.sharing.unshare(thread("1"))
    assert await store.sharing.open_link(first.token, "bob") is None
    second = await share(store, "1")
    assert second.token != first.token
    ownership = await store.sharing.ownership(thread("1"), "bob")
    assert ownership is not None
    assert not ownership.is_guest


async def test_sharing_again_keeps_the_link_and_changes_what_it_allows(store: Store) -> None:
    await store.make_thread(thread("1"), owner="ann")
    first, second = await share(store, "1"), await share(store, "1", can_ask=True)
    assert (first.token, first.can_ask, second.can_ask) == (second.token, False, True)
    assert await store.sharing.share(thread("none"), can_ask=True, shared_by="") is None


async def test_the_owner_who_opens_their_own_link_is_no_guest(store: Store) -> None:
    await store.make_thread(thread("1"), owner="ann")
    await store.sharing.open_link((await share(store, "1")).token, "ann")
    ownership = await store.sharing.ownership(thread("1"), "ann")
    assert ownership is not None
    assert not ownership.is_guest


async def test_a_guest_who_leaves_finds_the_thread_again_by_its_link(store: Store) -> None:
    await store.make_thread(thread("1"), owner="ann")
    await ask(store, "1", "ann")
    token = (await share(store, "1")).token
    await store.sharing.open_link(token, "bob")
    await store.sharing.leave(thread("1"), "bob")
    assert await listed(store, "bob") == set()
    await store.sharing.open_link(token, "bob")
    assert await listed(store, "bob") == {"1"}


async def test_a_new_name_stands_on_what_was_shared_under_the_old_one(store: Store) -> None:
    await store.make_thread(thread("1"), owner="ann")
    await share(store, "1")
    await store.people.remember_name("web", "ann", "Anna")
    ownership = await store.sharing.ownership(thread("1"), "ann")
    assert ownership is not None
    assert ownership.share is not None
    assert ownership.share.shared_by == await store.people.name("web", "ann") == "Anna"
    assert await store.people.locale("web", "ann") is None  # a name is no language


async def test_a_forgotten_person_leaves_no_thread_no_question_and_no_name(store: Store) -> None:
    for name, owner in (("ann's", "ann"), ("bob's", "bob")):
        await store.make_thread(thread(name), owner=owner)
        for author in ("ann", "bob"):
            await ask(store, name, author)
        await store.sharing.open_link((await share(store, name)).token, "ann")
    await store.people.remember_name("web", "ann", "Ann")
    assert await store.forget_author("web", "t", "ann") == 2
    assert await listed(store, None) == {"bob's"}
    assert [turn.message for turn in await store.turns(thread("bob's"))] == ["bob's bob"]
    assert await store.people.name("web", "ann") == ""
    assert await listed(store, "ann") == set()


async def test_threads_of_before_belong_to_who_uses_the_playground_without_a_password(
    tmp_path: Path,
) -> None:
    await asyncio.to_thread(migrate, tmp_path / "llava-bot.db", to="0003")
    database = sqlite3.connect(tmp_path / "llava-bot.db")
    for number, platform in ((1, "web"), (2, "slack")):
        database.execute(
            "INSERT INTO threads (id, platform, team, channel, thread, title, touched_at) "
            "VALUES (?, ?, 't', 'c', 'x', 'Old', '2026-11-22')",
            (number, platform),
        )
    database.commit()
    database.close()
    async with running_store(tmp_path) as store:
        owned = await store.sharing.owned("web", "local")
        assert [key.thread for key in owned] == ["x"]
        assert await store.sharing.owned("slack", "local") == []
