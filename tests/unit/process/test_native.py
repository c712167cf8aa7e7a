"""What native code prints past Python is counted, not shown; nothing of the process is dumped."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import ctypes, os, subprocess, sys
from bot.logs import set_up_logging
from bot.logs.native import native_output_withheld
from inference import standard_streams

def command():
    set_up_logging(shown=True)
    planted = "planted words"
    with native_output_withheld():
        {body}
    os.write(2, b"afterwards\\n")
    return 0

sys.exit(standard_streams.run(command))
"""


def run(body: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT.format(body=body)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path.cwd())},
        timeout=200,
    )


def test_native_output_is_counted_and_ours_is_shown() -> None:
    told = run(
        "ctypes.CDLL(None).perror(b'planted'); subprocess.run(['sh', '-c', 'echo planted >&2']);"
        "os.write(2, b'planted\\n'); print('ours', file=sys.stderr)"
    )
    assert told.returncode == 0
    assert "planted" not in told.stderr
    assert "ours\n" in told.stderr
    assert sum(int(it.split(" wrote ")[1].split()[0]) for it in warnings_in(told.stderr)) == 3
    assert told.stderr.endswith("afterwards\n")


def test_a_flood_of_native_output_stops_nobody_and_is_a_line_or_two() -> None:
    told = run("[os.write(2, b'planted\\n' * 10_000) for _ in range(100)]")
    assert "planted" not in told.stderr
    assert 1 <= len(warnings_in(told.stderr)) <= 2


def test_a_crash_says_where_it_was_and_quotes_nothing() -> None:
    told = run("import faulthandler; faulthandler._sigsegv()")
    assert told.returncode < 0
    assert "Segmentation fault" in told.stderr
    assert "in command" in told.stderr
    assert "planted" not in told.stderr


def warnings_in(log: str) -> list[str]:
    return [it for it in log.splitlines() if "native code wrote" in it]


PRIVATE = """
import os, resource, subprocess, tempfile
from bot.private_files import keep_private
os.umask(0)
keep_private()
name = tempfile.mktemp()
subprocess.run(["sh", "-c", f"touch {name}; mkdir {name}-folder; ulimit -c"], check=True)
open(f"{name}-ours", "w").close()
print(*(oct(os.stat(name + end).st_mode & 0o777) for end in ("", "-folder", "-ours")))
print(resource.getrlimit(resource.RLIMIT_CORE))
"""


def test_new_files_are_private_and_no_core_is_dumped_in_children_too(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", PRIVATE],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path.cwd()), "TMPDIR": str(tmp_path)},
    )
    assert told.stdout.splitlines() == ["0", "0o600 0o700 0o600", "(0, 0)"]
