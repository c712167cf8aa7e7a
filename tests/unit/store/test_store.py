"""What the store remembers, claims and forgets, on both databases. Real files."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, event, select

from bot.errors import UserFacingError
from bot.store import Store
from bot.store.schema import metadata
from bot.values.messages import (
    Outcome,
    Receipt,
)
from bot.values.pictures import Sheet
from bot.values.turns import ChannelSettings
from tests.pictures import plain_picture
from tests.unit.store.conftest import OpenStore
from tests.unit.store.questions import BLUE, RED, THREAD, ask, ending, incoming, new


async def all_rows(store: Store) -> str:
    """Everything that the tables hold, as text."""

    def work(connection: Connection) -> str:
        return "".join(
            str(row)
            for table in metadata.sorted_tables
            for row in connection.execute(select(table))
        )

    return await store.database.read(work)


async def test_a_stop_holds_for_the_versions_that_have_not_ended_and_no_others(
    store: Store,
) -> None:
    first, edited = incoming("m1"), incoming("m1", revision=1)
    assert not await store.inbox.stop(first.key)
    await ask(store, first)
    assert not await store.inbox.is_stopped(first)
    assert await store.inbox.is_unfinished(first)
    assert await store.inbox.stop(first.key)
    assert await store.inbox.stop(first.key)  # pressed twice
    assert await store.inbox.is_stopped(first)
    assert await store.inbox.stopped() == [first.key]
    await store.inbox.end(first)
    assert not await store.inbox.stop(first.key)
    assert await store.inbox.stopped() == []
    assert not await store.inbox.is_unfinished(first)
    await ask(store, edited)
    assert not await store.inbox.is_stopped(edited)


async def test_a_stop_that_came_after_the_answer_takes_nothing_of_it(store: Store) -> None:
    await ask(store, incoming())
    await store.answer_turn(incoming(), ending("A cat."))
    await store.inbox.stop(incoming().key)
    assert not await store.inbox.is_stopped(incoming())


async def test_how_frames_lie_on_a_picture_is_kept(store: Store) -> None:
    sheet = Sheet(columns=2, times_ms=(0, 400, 900))
    await ask(store, incoming(), replace(new(), sheet=sheet), new(BLUE, "b.png"))
    (turn,) = await store.turns(THREAD)
    assert [picture.sheet for picture in turn.pictures] == [sheet, None]


async def test_a_question_claimed_twice_is_claimed_once(store: Store) -> None:
    assert await store.inbox.claim(incoming())
    assert not await store.inbox.claim(incoming())


async def test_of_many_claims_at_once_one_wins(store: Store) -> None:
    claims = await asyncio.gather(*(store.inbox.claim(incoming()) for _ in range(20)))
    assert sum(claim is not None for claim in claims) == 1


async def test_of_two_bots_on_one_database_one_wins(open_store: OpenStore) -> None:
    async with open_store() as first, open_store() as second:
        messages = [incoming(f"m{i}") for i in range(10)]
        claims = await asyncio.gather(
            *(s.inbox.claim(m) for m in messages for s in (first, second))
        )
    assert sum(claim is not None for claim in claims) == len(messages)


async def test_another_revision_of_a_question_can_be_claimed(store: Store) -> None:
    assert await store.inbox.claim(incoming())
    assert await store.inbox.claim(incoming(revision=1))


async def test_a_claim_outlives_the_process(open_store: OpenStore) -> None:
    async with open_store() as store:
        await store.inbox.claim(incoming())
    async with open_store() as store:
        assert not await store.inbox.claim(incoming())
        assert await store.inbox.unfinished() == [incoming()]


async def test_unfinished_questions_come_in_the_order_they_were_claimed(store: Store) -> None:
    for name in ("b", "a", "c"):
        await store.inbox.claim(incoming(name))
    await store.inbox.end(incoming("a"))
    assert [m.key.message for m in await store.inbox.unfinished()] == ["b", "c"]


async def test_attempts_are_counted_and_a_stop_in_good_order_takes_one_off(store: Store) -> None:
    await store.inbox.claim(incoming())
    assert [await store.inbox.begin_attempt(incoming()) for _ in range(3)] == [1, 2, 3]
    await store.inbox.put_back(incoming())
    assert await store.inbox.begin_attempt(incoming()) == 3


async def test_picture_files_without_a_row_are_removed_at_the_start(
    open_store: OpenStore, tmp_path: Path
) -> None:
    async with open_store() as store:
        await ask(store, incoming(), new(RED))
    folder = tmp_path / "pictures" / "ab"
    folder.mkdir(exist_ok=True)
    for name in ("abcdef.png", "abcdef.part"):
        (folder / name).write_bytes(b"left by a crash")
    async with open_store():
        files = list((tmp_path / "pictures").rglob("*.*"))
    assert [path.read_bytes() for path in files] == [plain_picture(RED).data]


async def test_a_transaction_is_whole_even_when_cancelled_twice(store: Store) -> None:
    for i in range(20):
        task = asyncio.create_task(ask(store, incoming(f"m{i}"), new(RED)))
        for _ in range(3):
            await asyncio.sleep(i % 7 * 0.0004)
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with asyncio.timeout(30):
            await store.make_thread(THREAD)


async def test_a_turn_holds_question_pictures_answer_and_receipt(store: Store) -> None:
    await ask(store, incoming(), new(RED), new(BLUE, "b.png"))
    (turn,) = await store.turns(THREAD)
    assert (turn.outcome, turn.question, turn.author_name) == (
        None,
        "What is it?",
        "Ann",
    )
    assert [(p.number, p.name, p.notes) for p in turn.pictures] == [
        (1, "a.png", ("it is a single flat colour",)),
        (2, "b.png", ("it is a single flat colour",)),
    ]
    await store.answer_turn(incoming(), ending())
    (turn,) = await store.turns(THREAD)
    assert (turn.outcome, turn.answer, turn.receipt) == (
        Outcome.ANSWERED,
        "A cat.",
        ending().receipt,
    )


async def test_the_pixels_stay(open_store: OpenStore) -> None:
    async with open_store() as store:
        await ask(store, incoming(), new(RED))
    async with open_store() as store:
        (turn,) = await store.turns(THREAD)
        picture = await store.read_picture(turn.pictures[0])
        assert picture.data == plain_picture(RED).data
        file = await store.picture_file(THREAD, 1)
        assert file is not None
        assert (file.data, file.suffix) == (picture.data, "png")
        assert await store.picture_file(THREAD, 2) is None


async def test_a_stored_pictures_bytes_are_read_without_a_query(store: Store) -> None:
    await ask(store, incoming(), new(RED))
    (turn,) = await store.turns(THREAD)
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        await store.read_picture(turn.pictures[0])
        assert statements == []
        await store.turns(THREAD)
        assert statements != []
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@pytest.mark.parametrize("fault", ["gone", "changed", "empty"])
async def test_a_picture_whose_file_is_gone_or_was_changed_is_never_shown_as_another(
    fault: str, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await ask(store, incoming(), new(name="secret name.png"))
    (turn,) = await store.turns(THREAD)
    (stored,) = turn.pictures
    assert await store.picture_file(THREAD, 1) is not None
    file = tmp_path / "pictures" / stored.file
    if fault == "gone":
        file.unlink()
    else:
        file.write_bytes(b"" if fault == "empty" else new(BLUE).picture.data)
    with pytest.raises(UserFacingError) as lost:
        await store.read_picture(stored)
    assert lost.value.sentence("en").startswith(
        "I no longer have picture 1 of this thread (secret name.png) as it was sent."
    )
    assert not lost.value.may_pass
    assert await store.picture_file(THREAD, 1) is None
    assert "secret" not in caplog.text
    assert ("is gone" if fault == "gone" else "was changed") in caplog.text


async def test_pictures_are_numbered_through_the_thread(store: Store) -> None:
    await ask(store, incoming("m1"), new(RED))
    await ask(store, incoming("m2"), new(BLUE), new(RED))
    numbers = [[p.number for p in turn.pictures] for turn in await store.turns(THREAD)]
    assert numbers == [[1], [2, 3]]


async def test_asked_again_the_pictures_stay_and_the_answer_goes(store: Store) -> None:
    await ask(store, incoming(), new(RED))
    await store.answer_turn(incoming(), ending())
    again = incoming(revision=1, again=True, attachments=())
    await ask(store, again)
    (turn,) = await store.turns(THREAD)
    assert (turn.outcome, turn.answer, len(turn.pictures)) == (None, None, 1)
    assert await store.turn(incoming()) is None
    assert await store.turn(again) == turn
    assert await store.inbox.last_incoming(THREAD) == again


async def test_the_same_picture_is_kept_once(store: Store, tmp_path: Path) -> None:
    await ask(store, incoming("m1"), new(RED))
    await ask(store, incoming("m2"), new(RED))
    assert len(list((tmp_path / "pictures").rglob("*.png"))) == 1


async def test_a_forgotten_thread_leaves_no_text_and_no_picture(
    store: Store, tmp_path: Path
) -> None:
    other = replace(THREAD, thread="2")
    await ask(store, incoming("m1", text="secret-question"), new(RED), new(BLUE))
    await store.answer_turn(incoming("m1"), ending("secret-answer"))
    await ask(store, incoming("m2", thread=other), new(BLUE))
    assert "secret" in await all_rows(store)
    assert await store.forget_thread(THREAD)
    assert await store.turns(THREAD) == ()
    assert await store.inbox.unfinished() == [incoming("m2", thread=other)]
    assert "secret" not in await all_rows(store)
    files = [f.read_bytes() for f in (tmp_path / "pictures").rglob("*.png")]
    assert files == [plain_picture(BLUE).data]  # the other thread's stays
    assert not await store.forget_thread(THREAD)


async def test_an_answer_to_a_forgotten_thread_does_not_bring_it_back(store: Store) -> None:
    await ask(store, incoming(), new(RED))
    await store.forget_thread(THREAD)
    await store.answer_turn(incoming(), ending())
    await store.inbox.end(incoming())
    assert not await store.begin_turn(
        incoming(), question="again", new_pictures=[new()], receipt=Receipt()
    )
    assert await store.title(THREAD) is None
    assert await store.turns(THREAD) == ()


async def test_threads_nobody_touched_expire(store: Store) -> None:
    await ask(store, incoming(), new(RED))
    assert await store.forget_older_than(timedelta(days=1)) == 0
    assert await store.forget_older_than(timedelta(seconds=-1)) == 1
    assert await store.turns(THREAD) == ()


async def test_threads_are_listed_newest_first_by_their_first_question(store: Store) -> None:
    other = replace(THREAD, thread="2")
    await store.make_thread(replace(THREAD, thread="empty"))
    await ask(store, incoming("m1", text="First?"), new(RED))
    await ask(store, incoming("m2", thread=other, text="Second?"))
    listed = (await store.listing.page("web", "t", "c")).threads
    assert [(t.thread, t.title, t.first_picture_number) for t in listed] == [
        ("2", "Second?", None),
        ("1", "First?", 1),
    ]
    await ask(store, incoming("m3", text="Follow-up?"))
    listed = (await store.listing.page("web", "t", "c")).threads
    assert [(t.thread, t.title) for t in listed] == [("1", "First?"), ("2", "Second?")]
    assert (await store.listing.page("web", "t", "elsewhere")).threads == ()


async def test_a_cancelled_caller_does_not_leave_the_database_locked(store: Store) -> None:
    for i in range(60):
        task = asyncio.create_task(store.inbox.claim(incoming(f"m{i}")))
        await asyncio.sleep(i % 12 * 0.0003)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with asyncio.timeout(30):
            await store.make_thread(THREAD)


async def test_the_migrations_make_the_schema_that_the_queries_use(store: Store) -> None:
    differences = await store.database.read(
        lambda c: compare_metadata(MigrationContext.configure(c), metadata)
    )
    assert differences == []


async def test_a_reopened_database_is_not_migrated_again(open_store: OpenStore) -> None:
    for _ in range(2):
        async with open_store() as store:
            assert await store.inbox.unfinished() == []


async def test_a_claim_outlives_the_forgetting_of_its_thread(store: Store) -> None:
    await ask(store, incoming(), new(RED))
    await store.forget_thread(THREAD)
    assert not await store.inbox.claim(incoming())
    assert await store.inbox.latest(incoming().key) is None
    assert await store.inbox.unfinished() == []


async def test_a_questions_notice_is_no_part_of_its_reply(store: Store) -> None:
    await ask(store, incoming())
    key, replies = incoming().key, store.replies
    assert await replies.notice_of(THREAD, key) is None
    await replies.remember_notice(THREAD, key, "notice")
    await replies.remember_part(THREAD, key, 0, "first")
    await replies.remember_part(THREAD, key, 1, "second")
    assert await replies.notice_of(THREAD, key) == "notice"
    assert await replies.of_question(THREAD, key) == {0: "first", 1: "second"}
    assert await replies.messages_of(THREAD, key) == ["notice", "first", "second"]
    await replies.forget_parts(THREAD, key)
    assert await replies.messages_of(THREAD, key) == ["notice"]
    # As earlier versions wrote it: the notice is part -1.
    await replies.remember_part(THREAD, key, -1, "older")
    assert await replies.notice_of(THREAD, key) == "older"


async def test_who_may_ask_is_read_once_for_all_and_anew_when_it_was_chosen(store: Store) -> None:
    place = ("web", "t", "c")
    order: list[int] = []

    async def ask_for(number: int) -> None:
        assert await store.channels.people(*place) == frozenset()
        order.append(number)

    await asyncio.gather(*(ask_for(number) for number in range(20)))
    assert order == list(range(20))
    await store.channels.choose(*place, ChannelSettings(people=("ann",)))
    assert await store.channels.people(*place) == {"ann"}
