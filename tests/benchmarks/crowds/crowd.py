"""What the users of both load benchmarks share."""

from __future__ import annotations

import json
from typing import Any

FOLLOW_UPS = 3
RECONNECT_S = 5
THREAD_EVERY_S = 0.1
PROBES = 200
PROBE_EVERY_S = 0.1
DUPLICATES = 0.05


def report(line: dict[str, Any]) -> None:
    """Report to the benchmark."""
    print(json.dumps(line), flush=True)
