"""Nothing that Python or a library prints by itself quotes what people wrote."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import gc, logging, threading, warnings
from bot.logs import set_up_logging
set_up_logging(shown=True)

class Broken:
    def __del__(self):
        raise ValueError("planted")

def fail():
    raise ValueError("planted")

def warn():
    warnings.warn("planted", UserWarning)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("planted", RuntimeWarning)

warn()
for target in (warn, fail):
    thread = threading.Thread(target=target, name="decode")
    thread.start()
    thread.join()
Broken()
gc.collect()
logging.getLogger("asyncio").error("planted", exc_info=ValueError("planted"))
open("/dev/null")
gc.collect()
"""


def test_a_warnings_type_and_place_are_logged_but_not_its_words(tmp_path: object) -> None:
    printed = subprocess.run(
        [sys.executable, "-W", "always", "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    assert "planted" not in printed.stderr + printed.stdout
    for kind in ("UserWarning at", "RuntimeWarning at", "ResourceWarning at"):
        assert kind in printed.stderr
    assert "the thread decode failed: builtins.ValueError" in printed.stderr
    assert "an exception could not be raised: builtins.ValueError" in printed.stderr
