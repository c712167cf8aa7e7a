"""A loop on a thread of its own, for what would hold the bot's loop up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

ENDING_S = 5.0


class LoopThread:
    """Runs coroutines on its own loop. Made on the loop that waits for them."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        self.loop.close()

    async def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run it there, and return what it returns. Raises: what it raises, ConnectionError."""
        if self._is_closing:
            coroutine.close()
            raise ConnectionError
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self.loop))

    async def close(self) -> None:
        """Let what runs there end, stop the loop, and wait for the thread."""
        await self.run(_others_end())
        self._is_closing = True
        # What was begun in between has been scheduled before this.
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_others_end(), self.loop))
        self.loop.call_soon_threadsafe(self.loop.stop)
        await asyncio.to_thread(self._thread.join)


async def _others_end() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=ENDING_S)
