"""Standard streams: any text can be written, and no loss is unseen."""

from __future__ import annotations

import io
import os
import select
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from inference.standard_streams import EXIT_BROKEN_PIPE, _Errors, _Output, holds_any_text


def ran(
    program: str, redirected: str = "", stdout: int = subprocess.PIPE, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the body of a command on our streams."""
    body = "".join(f"    {line}\n" for line in program.splitlines())
    script = (
        "import sys\nfrom inference import standard_streams\n"
        f"def command():\n{body}    return 0\nsys.exit(standard_streams.run(command))"
    )
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirected}', "sh", sys.executable, "-c", script],
        stdout=stdout,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path.cwd()), **environment},
        check=False,
    )


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "ascii:strict", "utf-8", "utf-16"])
def test_any_text_can_be_written_in_any_encoding(encoding: str) -> None:
    said = ran("print('ok 猫 \\ud83d'); print('猫', file=sys.stderr)", PYTHONIOENCODING=encoding)
    assert said.returncode == 0
    assert "Error" not in said.stderr
    if encoding in {"ascii", "cp1252", "ascii:strict"}:
        assert (said.stdout, said.stderr) == ("ok ? ?\n", "\\u732b\n")
    elif encoding == "utf-8":
        assert (said.stdout, said.stderr) == ("ok 猫 ?\n", "猫\n")


@pytest.mark.parametrize(
    "program",
    [
        "print('x')",
        "print('x', flush=True)",
        "print('x' * 100_000)",
        # Python's argparse, and whatever swallows errors:
        "try:\n    print('x', flush=True)\nexcept Exception:\n    pass",
        "import argparse; argparse.ArgumentParser(prog='x').parse_args(['--help'])",
        "print('x'); sys.exit(0)",
    ],
)
@pytest.mark.parametrize(
    ("redirected", "reason"),
    [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")],
)
def test_lost_output_is_one_sentence_and_an_exit_code(
    program: str, redirected: str, reason: str
) -> None:
    said = ran(program, redirected)
    assert said.returncode == 1
    assert said.stderr == f"Standard output cannot be written: {reason}.\n"


@pytest.mark.parametrize("program", ["print('x')", "for _ in range(10**6): print('x' * 100)"])
def test_a_broken_pipe_is_an_exit_code_without_a_sentence(program: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    said = ran(program, stdout=writing)
    os.close(writing)
    assert (said.returncode, said.stderr) == (EXIT_BROKEN_PIPE, "")


def test_a_silent_command_needs_no_standard_output() -> None:
    for redirected in (">&-", ">&- 2>&-", "<&- >&- 2>&-", "2>/dev/full"):
        said = ran("print('for the log', file=sys.stderr)", redirected)
        assert said.returncode == 0


def test_no_file_of_ours_gets_a_closed_streams_descriptor(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    said = ran(
        f"file = open({str(kept)!r}, 'w'); print('x'); print('y', file=sys.stderr)\nfile.close()",
        ">&- 2>&- <&-",
    )
    assert said.returncode == 1
    assert kept.read_text() == ""


def test_a_log_line_that_cannot_be_written_does_not_block_the_next() -> None:
    reading, writing = os.pipe()
    errors = io.TextIOWrapper(io.BufferedWriter(_Errors(writing, "w")), line_buffering=True)
    full = os.open("/dev/full", os.O_WRONLY)
    kept = os.dup(writing)
    os.dup2(full, writing)
    errors.write("lost\n")
    os.dup2(kept, writing)
    errors.write("kept\n")
    assert os.read(reading, 100) == b"kept\n"
    for descriptor in (reading, full, kept):
        os.close(descriptor)
    errors.close()


def test_a_full_non_blocking_pipe_is_waited_for() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    output = _Output(writing, "w")
    while select.select((), (writing,), (), 0)[1]:
        output.write(b"x" * 4096)
    reader = threading.Timer(0.1, os.read, (reading, 1 << 20))
    reader.start()
    try:
        assert output.write(b"y" * 4096) > 0
    finally:
        reader.join()
        output.close()
        os.close(reading)


@pytest.mark.parametrize(
    ("encoding", "holds"), [("utf-8", True), ("utf_8", True), ("UTF-16", True), ("cp1252", False)]
)
def test_which_encodings_hold_any_text(encoding: str, *, holds: bool) -> None:
    assert holds_any_text(io.TextIOWrapper(io.BytesIO(), encoding=encoding)) is holds
