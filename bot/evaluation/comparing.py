"""`llava-bot compare`: several models beside each other, about the same pictures."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot.configuration import Configuration
from bot.errors import CommandFailed, PictureRefused
from bot.evaluation.comparison import Comparison, as_html, as_text, document
from bot.evaluation.one_model import Task
from bot.evaluation.questions import Json
from bot.exporting.opened import write_new
from bot.images.decoding.pool import running_pool
from bot.platforms.terminal.pictures import PictureFile
from bot.values.cleaning import clean
from bot.values.named_models import split_precision
from bot.values.pictures import NormalisedPicture
from inference.names import check_name
from inference.standard_streams import EXIT_FAILED, holds_any_text

LOCALE = "en"
PROCESS = (sys.executable, "-m", "bot.evaluation.one_model")
"""What asks one model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the command line asks for."""

    models: Sequence[str]
    """Names, with `:nf4`, `:int8` or `:none` where one is held otherwise than `QUANTIZE` says."""
    question: str = field(repr=False)
    html: Path | None = None
    as_json: bool = False
    quiet: bool = False


def compare(wishes: Wishes, files: Sequence[PictureFile], configuration: Configuration) -> int:
    """Ask each model in turn, and print a table. Returns: the exit code; 1 if a model fails.

    Raises:
        CommandFailed: nothing was asked.
        ModelUnavailable: one of the names can be no model's.
    """
    for model in wishes.models:
        check_name(split_precision(model)[0])
    if wishes.html is not None:
        _check_new(wishes.html)
    comparison = asyncio.run(_compare(wishes, files, configuration))
    if wishes.html is not None:
        write_new(wishes.html, as_html(comparison).encode("utf-8", "replace"))
    said = document(comparison)
    if wishes.as_json:
        print(json.dumps(said, ensure_ascii=not holds_any_text(sys.stdout), indent=2))
    else:
        print(as_text(comparison))
    return EXIT_FAILED if any("error" in it for it in comparison.results.values()) else 0


def _check_new(path: Path) -> None:
    """Before the models are loaded, which takes long."""
    if path.exists() or not path.absolute().parent.is_dir():
        raise CommandFailed(f"--html {path}: name a new file in a folder that exists.")


async def _compare(
    wishes: Wishes, files: Sequence[PictureFile], configuration: Configuration
) -> Comparison:
    pictures = await _normalised(files, configuration)
    results: dict[str, Json] = {}
    for model in dict.fromkeys(wishes.models):
        task = Task(
            model=model,
            question=clean(wishes.question),
            pictures=tuple(it.picture for it in pictures),
            quiet=wishes.quiet,
        )
        results[model] = await _asked(task, configuration)
    return Comparison(question=wishes.question, pictures=pictures, results=results)


async def _normalised(
    files: Sequence[PictureFile], configuration: Configuration
) -> list[NormalisedPicture]:
    try:
        async with running_pool(configuration.bot.picture_limits, processes=1) as decoding:
            return [await decoding.decode(file.name, file.data) for file in files]
    except PictureRefused as exc:
        raise CommandFailed(exc.sentence(LOCALE)) from None


async def _asked(task: Task, configuration: Configuration) -> Json:
    process = await asyncio.create_subprocess_exec(
        *PROCESS,
        stdin=PIPE,
        stdout=PIPE,
        # What it says of the load is for the person at the terminal.
        env={**os.environ, **configuration.given},
    )
    try:
        out, _ = await process.communicate(task.to_json().encode())
    finally:
        await _end(process)
    if process.returncode == 0 and (lines := out.splitlines()):
        result: Json = json.loads(lines[-1])
        return result
    return {"error": _why(process.returncode or 0)}


def _why(code: int) -> str:
    if code == -signal.SIGKILL:
        return "The system has ended its process: there is too little memory for it."
    if code < 0:
        return f"Its process has crashed ({signal.Signals(-code).name})."
    return "It has failed: llava-bot ask --model NAME --verbose says where."


async def _end(process: Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
