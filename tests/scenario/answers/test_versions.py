"""An edited question: one of its versions is always in the inbox until it has an answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.engines import ScriptedModel
from tests.scenario.core import message, running_core
from tests.scenario.exchange import FakeExchange
from tests.store_faults import fails_at
from tests.waiting import until


async def test_a_version_ends_with_the_claim_of_the_next_one_and_not_before(tmp_path: Path) -> None:
    model = ScriptedModel()
    model.hold()
    async with running_core(tmp_path, model) as core:
        first = core.answers.ask(message("q"), FakeExchange())
        await until(lambda: len(model.requests) == 1)
        edited = replace(message("q"), text="edited", edited_at=5.0)
        with fails_at(core.store, "claim"):
            second = await core.answers.revise(edited, FakeExchange())
            assert second is not None
            assert await second
            assert await first
            # If the process ends here, the next start answers it.
            assert [it.revision for it in await core.store.inbox.unfinished()] == [0]
        model.release()
        await core.store.late.flush()
        assert await core.store.inbox.unfinished() == []
