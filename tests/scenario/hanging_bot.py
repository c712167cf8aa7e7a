"""`llava-bot` whose model and decoders hang once the file `HANGS_WITH` is there.

What hangs leaves a file beside it. Its claims hang once the file `HOLDS_CLAIMS` is there, and
storing an answer hangs once the file `HOLDS_ANSWERS` is.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

from bot.__main__ import main
from bot.core.attachments import Attachments, FetchedPictures
from bot.store import Inbox, Store
from bot.values.messages import Attachment
from inference.execution.runner import SequenceInputs
from inference.execution.torch_runner import FinishedStep, TorchRunner
from inference.scheduling.sequences import Plan

SIGN = Path(os.environ["HANGS_WITH"])
HOLDS_CLAIMS = Path(os.environ.get("HOLDS_CLAIMS", SIGN.with_name("no-file")))
HOLDS_ANSWERS = Path(os.environ.get("HOLDS_ANSWERS", SIGN.with_name("no-file")))
LONG_S = 600


class HangingRunner(TorchRunner):
    """As a device that no longer responds."""

    def start(self, plan: Plan[SequenceInputs]) -> FinishedStep:
        """See `Runner.start`."""
        if SIGN.exists():
            SIGN.with_name("model-hangs").touch()
            time.sleep(LONG_S)
        return super().start(plan)


class HangingAttachments(Attachments):
    """As a decoder that does not come to an end, on a thread that nobody can stop."""

    async def fetch(
        self, attachments: tuple[Attachment, ...], *arguments: Any, **options: Any
    ) -> FetchedPictures:
        """See `Attachments.fetch`."""
        hangs = await asyncio.to_thread(SIGN.exists)
        if attachments and hangs:
            await asyncio.to_thread(SIGN.with_name("decoder-hangs").touch)
            await asyncio.get_running_loop().run_in_executor(
                ThreadPoolExecutor(1), time.sleep, LONG_S
            )
        return await super().fetch(attachments, *arguments, **options)


class HangingInbox(Inbox):
    """As a disk that does not write."""

    async def claim(self, *arguments: Any, **options: Any) -> Any:
        """See `Inbox.claim`."""
        if await asyncio.to_thread(HOLDS_CLAIMS.exists):
            await asyncio.sleep(LONG_S)
        return await super().claim(*arguments, **options)


class HangingStore(Store):
    """The same, for answers."""

    async def answer_turn(self, *arguments: Any, **options: Any) -> Any:
        """See `Store.answer_turn`."""
        if await asyncio.to_thread(HOLDS_ANSWERS.exists):
            await asyncio.sleep(LONG_S)
        return await super().answer_turn(*arguments, **options)


if __name__ == "__main__":
    with (
        mock.patch("inference.backends.assemble_batching.TorchRunner", HangingRunner),
        mock.patch("bot.composition.Attachments", HangingAttachments),
        mock.patch("bot.store.store.Inbox", HangingInbox),
        mock.patch("bot.store.store.Store", HangingStore),
    ):
        sys.exit(main())
