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
from tests.benchmarks.load import crowd, main
from tests.scenario.slack.stage import QUICK, Stage, running_bot
from tests.servers.slack.server import LocalSlack


def listen(stage: Stage, received: dict[str, float]) -> None:
    """Note when each envelope arrives."""

    async def told(message: WSMessage) -> None:
        event = json.loads(message.data).get("payload", {}).get("event", {})
        received.setdefault(event.get("text", ""), time.perf_counter())

    assert stage.bot.socket is not None
    assert stage.bot.socket._handler is not None
    stage.bot.socket._handler.client.on_message_listeners.append(told)


async def load(num_threads: int) -> dict[str, Any]:
    """Let the crowd ask. Returns: the figures."""
    texts.load()
    people = await crowd("tests.benchmarks.slack_crowd", num_threads)
    slack = LocalSlack()  # only its address and its tokens are used here
    slack.base = (await people.line())["base"]
    timeouts = replace(QUICK, check_s=1, unconnected_s=5, ping_s=2)
    with tempfile.TemporaryDirectory() as folder:
        async with running_bot(Path(folder), slack, people.backend, timeouts=timeouts) as stage:
            listen(stage, people.received)
            figures = await people.asks()
    await people.over()
    return figures


if __name__ == "__main__":
    main(__doc__, load)
