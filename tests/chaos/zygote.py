"""A process that has imported what the bot needs and forks it: a restart takes a second, not ten.

It reads one JSON object per line (`arguments`, `environment`, `log`), forks a process that runs
`llava-bot` with them, and writes ``{"started": pid}``; later ``{"ended": pid, "code": code}``.
When its standard input ends, so do its children and itself.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, NoReturn
from unittest import mock

from tests.chaos.engine import ChaosRunner
from tests.chaos.several.model import ScriptedDevices

LOOK_EVERY_S = 0.02


def _import_everything() -> None:
    for name in (
        "bot.app",
        "bot.cli",
        "bot.platforms.discord.platform",
        "bot.platforms.slack.platform",
        "inference.backends.load",  # torch and transformers with it
    ):
        importlib.import_module(name)

    gc.collect()
    gc.freeze()


def _run(order: dict[str, Any]) -> NoReturn:
    """Be the bot. In the forked process."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log)
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = ["llava-bot", *order["arguments"]]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from bot.__main__ import main

    code = 1
    try:
        with _model_of(order["environment"]):
            code = main()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _model_of(environment: Mapping[str, str]) -> AbstractContextManager[object]:
    """The real engine on a device that fails on command; or a scripted model."""
    if environment.get("CHAOS_MODEL") == "scripted":
        return mock.patch("bot.composition.Devices", ScriptedDevices)
    return mock.patch("inference.backends.assemble_batching.TorchRunner", ChaosRunner)


def _tell(**what: int) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Fork as asked, until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    _import_everything()
    children: set[int] = set()
    _tell(ready=True)
    received = b""
    while True:
        # Not through `sys.stdin`: `select` does not know of the lines that it has read ahead.
        if select.select([0], [], [], LOOK_EVERY_S)[0]:
            some = os.read(0, 1 << 16)
            if not some:
                break
            received += some
        *orders, received = received.split(b"\n")
        for order in orders:
            pid = os.fork()
            if pid == 0:
                _run(json.loads(order))
            children.add(pid)
            _tell(started=pid)
        while children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            children.discard(pid)
            code = os.waitstatus_to_exitcode(status)
            _tell(ended=pid, code=code)
    for pid in children:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
