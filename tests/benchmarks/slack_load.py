"""The load of a large workspace in Slack: `python -m tests.benchmarks.slack_load [--threads N]`.

See `load.py` for what is measured.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiohttp import WSMessage

from bot import texts
from tests.benchmarks.crowds.crowd import PROBES
from tests.benchmarks.load import crowd, main
from tests.scenario.slack.stage import QUICK, Stage, running_bot
from tests.servers.slack.server import LocalSlack


def listen(stage: Stage, received: dict[str, float]) -> None:
    """Note when each envelope arrives, on this connection and on those that replace it."""
    socket = stage.bot.socket
    assert socket is not None
    assert socket._handler is not None
    own = socket._on_message

    async def told(message: WSMessage) -> None:
        event = json.loads(message.data).get("payload", {}).get("event", {})
        received.setdefault(event.get("text", ""), time.perf_counter())

    async def told_by_another(message: WSMessage) -> None:
        await told(message)
        await own(message)

    socket._handler.client.on_message_listeners.append(told)
    socket._on_message = told_by_another  # type: ignore[method-assign]


async def load(num_threads: int) -> dict[str, Any]:
    """Let the crowd ask. Returns: the figures."""
    texts.load()
    people = await crowd("tests.benchmarks.crowds.slack", num_threads)
    slack = LocalSlack()  # only its address and its tokens are used here
    slack.base = (await people.line())["base"]
    timeouts = replace(QUICK, check_s=1, unconnected_s=5, ping_s=5)
    with tempfile.TemporaryDirectory() as folder:
        async with running_bot(
            Path(folder),
            slack,
            people.backend,
            timeouts=timeouts,
            questions_per_user=PROBES,  # one person sends all of them, whatever else is running
        ) as stage:
            listen(stage, people.received)
            figures = await people.asks()
    await people.over()
    return figures


if __name__ == "__main__":
    main(__doc__, load)
