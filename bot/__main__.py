"""The entry point. Handles Ctrl-C before anything large is imported."""

from __future__ import annotations

import logging
import os
import sys
import threading

from bot import interrupts
from inference import standard_streams


def main() -> int:
    """Run the command line. Returns: the exit code."""
    interrupts.exit_immediately()
    return standard_streams.run(_run_command)


def _run_command() -> int:
    from bot import cli
    from bot.errors import EXIT_ENGINE_DEAD

    code = cli.main()
    if code == EXIT_ENGINE_DEAD or any(thread.daemon for thread in threading.enumerate()):
        # A normal exit would wait for a device that no longer responds, or take the interpreter
        # away from a thread that is loading a model.
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


if __name__ == "__main__":
    sys.exit(main())
