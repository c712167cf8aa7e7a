"""The entry point. It listens to Ctrl-C before anything large is imported."""

from __future__ import annotations

import sys

from bot import interrupts


def main() -> int:
    """Run the command line. Returns: the exit code."""
    interrupts.end_at_once()
    from bot import command_line

    return command_line.main()


if __name__ == "__main__":
    sys.exit(main())
