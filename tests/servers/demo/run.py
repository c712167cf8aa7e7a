"""Run a demo: the real bot beside a local platform, until a signal comes."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import webbrowser
from collections.abc import Awaitable, Callable
from pathlib import Path

from bot.settings import default_data_dir


async def with_bot(address: str, settings: dict[str, str], *, open_page: bool) -> int:
    """Run the real bot until it ends or a signal comes. Returns: its exit code.

    The page can be used at once: it says that the bot is starting until it has connected.
    """
    end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    with tempfile.TemporaryDirectory(prefix="llava-bot-demo-") as folder:
        # A state of its own; the model is the one that `make run` has assembled.
        models = default_data_dir() / "models"
        models.mkdir(parents=True, exist_ok=True)
        (Path(folder) / "models").symlink_to(models)
        bot = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot",
            "run",
            "--port",
            "0",
            env=os.environ | settings | {"DATA_DIR": folder},
        )
        print(f"The page is at {address}; llava-bot is starting.", flush=True)
        if open_page:
            await asyncio.to_thread(webbrowser.open, address)
        ended = asyncio.create_task(bot.wait())
        stopped = asyncio.create_task(end.wait())
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            bot.terminate()
        stopped.cancel()
        return await ended


def main(description: str | None, port: int, demo: Callable[..., Awaitable[int]]) -> int:
    """The command line of both demos."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, default=port)
    parser.add_argument("--open", action="store_true")
    arguments = parser.parse_args()
    has_screen = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))

    async def run() -> int:
        return await demo(arguments.port, open_page=arguments.open and has_screen)

    return asyncio.run(run())
