"""`llava-bot` whose libraries log all they can: `python -m tests.scenario.chatty_bot run …`."""

from __future__ import annotations

import logging
import sys
from unittest import mock

from bot.__main__ import main

if __name__ == "__main__":
    set_up = logging.basicConfig
    logging.getLogger("sqlalchemy").setLevel(logging.DEBUG)  # of itself it is at WARNING
    with mock.patch(
        "logging.basicConfig",
        lambda **options: set_up(**options | {"level": logging.DEBUG}),
    ):
        sys.exit(main())
