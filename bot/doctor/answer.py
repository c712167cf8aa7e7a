"""Whether the model loads and answers: asked once about a picture, as `llava-bot ask` does.

In a process of its own: what a model does to it (memory, a driver's crash) is found, not shared.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from pathlib import Path

from bot.configuration import Configuration
from bot.doctor import model
from bot.doctor.ports import runs
from bot.platforms.findings import Finding
from bot.platforms.terminal.running import running_bot
from bot.platforms.web.settings import PlaygroundSettings
from inference.errors import ModelUnavailable

ANSWER_S = 900
"""Loading a large model from a slow disk takes minutes."""
PICTURE = Path(__file__).parents[1] / "platforms/web/static/samples/cat.jpg"
QUESTION = "What is in this picture?"
FETCH = "llava-bot setup fetches it now; otherwise the first start does."


async def answer(configuration: Configuration) -> list[Finding]:
    """Load the model, or ask the bot that runs here, and measure one answer."""
    if configuration.problems:
        fix = "correct the settings first."
        return [Finding("an answer", fix, unknown=True)]
    if await asyncio.to_thread(runs, configuration):
        return [await _of_running_bot(configuration)]
    try:
        if not await asyncio.to_thread(model.are_here, configuration.bot):
            return [Finding("an answer: the model is not here yet", FETCH, unknown=True)]
    except ModelUnavailable:
        return []  # the model's own check says so
    return [await _asked(configuration.given)]


async def _of_running_bot(configuration: Configuration) -> Finding:
    settings = configuration.of(PlaygroundSettings)
    address = await asyncio.to_thread(running_bot, settings.host, settings.port)
    if address is None:
        fix = "ask it something where it runs; llava-bot status says how it is."
        return Finding("an answer of the bot that is running", fix, unknown=True)
    return await _asked(configuration.given, url=address)


async def _asked(variables: Mapping[str, str], *, url: str | None = None) -> Finding:
    where = [] if url is None else ["--url", url]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "ask", str(PICTURE), QUESTION, "--json", "--quiet", *where),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        # Other settings it reads itself. The model is here: the hub need not be asked.
        env={**os.environ, **variables, "HF_HUB_OFFLINE": "1"},
    )
    try:
        async with asyncio.timeout(ANSWER_S):
            out, err = await process.communicate()
    except TimeoutError:
        fix = "choose a smaller model, or see what --verbose says of it."
        return Finding(f"the model has not answered within {ANSWER_S / 60:.0f} minutes", fix)
    finally:
        await _end(process)
    if process.returncode == 0:
        return Finding(_in_words(out))
    return _failure(process.returncode or 0, err.decode("utf-8", "replace"))


def _in_words(out: bytes) -> str:
    answered = json.loads(out)
    timings = answered.get("timings") or {}
    seconds = timings.get("first_token_s")
    began = "" if seconds is None else f", which began after {seconds:.2g} s"
    return f"{answered['model']} gives an answer about a picture{began}"


def _failure(code: int, err: str) -> Finding:
    if code == -signal.SIGKILL:
        fix = "free memory, or choose a smaller model: the system has ended the process."
        return Finding("the model was not loaded", fix)
    if code < 0:
        fix = (
            f"the process has crashed ({signal.Signals(-code).name}): bring the driver up to date."
        )
        return Finding("the model was not loaded", fix)
    sentences = [line for line in err.splitlines() if line and "--verbose" not in line]
    fix = sentences[-1] if sentences else "see what llava-bot ask says of it."
    return Finding("the model gives no answer", fix)


async def _end(process: Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
