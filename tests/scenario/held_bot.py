"""`llava-bot` whose load waits for the file `HELD_UNTIL`: `python -m tests.scenario.held_bot`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from bot.__main__ import main
from inference.serving.backend import Backend
from inference.serving.device_thread import Load
from inference.serving.fleet import Devices
from inference.serving.load_state import LoadState

RELEASE = Path(os.environ["HELD_UNTIL"])


class HeldDevices(Devices):
    """Devices that begin to load once the file is there."""

    def __init__(self, loads: Sequence[Load], state: LoadState, **options: Any) -> None:
        def held(load: Load) -> Backend:
            while not RELEASE.exists():
                state.report(state.latest)
                time.sleep(0.02)
            return load()

        super().__init__([partial(held, load) for load in loads], state, **options)


if __name__ == "__main__":
    with mock.patch("bot.composition.Devices", HeldDevices):
        sys.exit(main())
