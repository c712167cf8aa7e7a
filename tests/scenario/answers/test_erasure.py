"""What is erased is gone from the engine's caches, too, however it came to be erased."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from tests.engines import ScriptedModel
from tests.scenario.core import Core, message, red, thread

WAYS: dict[str, Callable[[Core], Awaitable[object]]] = {
    "its age": lambda core: core.erasure.older_than(timedelta(0)),
    "the thread": lambda core: core.erasure.thread(thread()),
    "several threads": lambda core: core.erasure.threads([thread()]),
    "the question": lambda core: core.erasure.question(message("q").key),
    "the person": lambda core: core.erasure.author(thread().platform, None, message("q").author.id),
}


@pytest.mark.parametrize("way", WAYS)
async def test_whatever_erases_a_question_empties_the_caches_of_the_engine(
    way: str, core: Core, backend: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    cleared: list[str] = []
    monkeypatch.setattr(backend, "clear_caches", lambda: cleared.append(way))
    await core.answers.ask(message("q", "red"), red())
    assert await WAYS[way](core)
    assert cleared == [way]
    assert await core.store.turns(thread()) == ()


async def test_where_nothing_has_expired_the_caches_stay(
    core: Core, backend: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    cleared: list[str] = []
    monkeypatch.setattr(backend, "clear_caches", lambda: cleared.append("all"))
    await core.answers.ask(message("q", "red"), red())
    assert await core.erasure.older_than(timedelta(days=30)) == 0
    assert cleared == []
    assert len(await core.store.turns(thread())) == 1
