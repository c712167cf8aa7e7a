"""The load of a large server in Discord: `python -m tests.benchmarks.discord_load [--threads N]`.

See `load.py` for what is measured. Discord's rates hold: calls refused for them are counted.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from discord.gateway import DiscordWebSocket

from bot import texts
from bot.platforms.discord.settings import PACE_S
from tests.benchmarks.crowds.crowd import PROBES
from tests.benchmarks.load import crowd, main
from tests.scenario.discord.stage import MENTION, Stage, running_bot
from tests.servers.discord.server import LocalDiscord


def listen(stage: Stage, received: dict[str, float]) -> None:
    """Note when each event arrives, before it is parsed."""
    arrived = 0.0
    read = DiscordWebSocket.received_message

    async def noted(socket: DiscordWebSocket, data: Any) -> None:
        nonlocal arrived
        arrived = time.perf_counter()
        await read(socket, data)

    DiscordWebSocket.received_message = noted  # type: ignore[method-assign]
    parsers = stage.bot.connection.client._connection.parsers
    parse = parsers["MESSAGE_CREATE"]

    def told(data: dict[str, Any]) -> None:
        received.setdefault(data["content"].replace(MENTION, "").strip(), arrived)
        parse(data)

    parsers["MESSAGE_CREATE"] = told


async def load(num_threads: int) -> dict[str, Any]:
    """Let the crowd ask. Returns: the figures."""
    texts.load()
    people = await crowd("tests.benchmarks.crowds.discord", num_threads)
    discord = LocalDiscord()  # only its address and its token are used here
    there = await people.line()
    discord.port, discord.ca_file = there["port"], Path(there["ca_file"])
    with tempfile.TemporaryDirectory() as folder:
        async with running_bot(
            Path(folder),
            discord,
            people.backend,
            pace_s=PACE_S,
            questions_per_user=PROBES,  # one person sends all of them, whatever else is running
        ) as stage:
            listen(stage, people.received)
            figures = await people.asks()
    await people.over()
    return figures


if __name__ == "__main__":
    main(__doc__, load)
