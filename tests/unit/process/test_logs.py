"""The log: of libraries only their own words; a quiet command knows whether it had more to say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.settings import Settings


def logged(*, shown: bool, program: str) -> subprocess.CompletedProcess[str]:
    script = (
        "import logging, warnings\nfrom bot.logs import set_log_level, set_up_logging\n"
        f"held_back = set_up_logging(shown={shown})\nset_log_level('INFO')\n"
        f"warnings.simplefilter('always')\n{program}\nprint(held_back.has_errors)"
    )
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )


@pytest.mark.parametrize("shown", [True, False])
def test_a_warning_is_logged_without_its_words(*, shown: bool) -> None:
    told = logged(shown=shown, program="warnings.warn('secret', ResourceWarning, stacklevel=1)")
    assert "secret" not in told.stderr
    assert ("ResourceWarning at <string>:6" in told.stderr) is shown


LIBRARY = """
import logging, warnings
log = logging.getLogger("library")
def work(words):
    log.warning("it took %s of %d%%", words, 3)
    log.warning(
        f"failed at {words}, "
        f"after {words!r}"
    )
    log.log(logging.ERROR, "a {} in {:>3}".format(words, 3))
    log.warning("joined " + words)
    log.warning(words)
    log.error(words)
    log.warning("PyNaCl is not installed, voice will NOT be supported")
    try:
        raise OSError(28, words)
    except OSError:
        log.exception(words)
        log.exception("cannot %s", words)
    warnings.warn(f"{words} is deprecated", stacklevel=2)
    warnings.warn(words)
"""


def test_of_a_librarys_records_the_words_of_its_source_are_logged_and_no_others(
    tmp_path: Path,
) -> None:
    (tmp_path / "library.py").write_text(LIBRARY)
    program = f"import sys\nsys.path.append({str(tmp_path)!r})\nimport library\n"
    lines = [
        line.partition(" ")[2].partition(" ")[2]
        for line in logged(shown=True, program=f"{program}library.work('secret')").stderr.split(
            "\n"
        )
    ]
    full = ": builtins.OSError: No space left on device"
    assert lines[:7] == [
        "WARNING library: it took … of …% (library:5)",
        "WARNING library: failed at …, after … (library:6)",
        "ERROR library: a … in … (library:10)",
        "WARNING library: joined … (library:11)",
        "ERROR library: its words are withheld, they may quote somebody (library:13)",
        f"ERROR library: its words are withheld, they may quote somebody (library:18){full}",
        f"at {tmp_path.name}/library.py:16 work",
    ]
    assert lines[7] == f"ERROR library: cannot … (library:19){full}"
    assert lines[9].startswith("WARNING bot.logs.withheld: UserWarning at <string>:")
    assert lines[9].endswith(": … is deprecated")
    assert lines[10].endswith(f"UserWarning at {tmp_path.name}/library.py:21")
    assert "secret" not in "".join(lines)


def test_a_record_whose_source_is_not_at_hand_keeps_its_place() -> None:
    program = "logging.getLogger('aiohttp.server').error('secret %s', 'secret')"
    for shown in (True, False):
        told = logged(shown=shown, program=program)
        assert "ERROR aiohttp.server: its words are withheld" in told.stderr
        assert "<string>:6" in told.stderr
        assert "secret" not in told.stderr


@pytest.mark.parametrize(
    ("name", "level", "has_errors"),
    [
        ("bot.core.answer", "error", True),
        ("inference.serving.worker", "critical", True),
        ("bot.core.answer", "warning", False),
        ("aiohttp.server", "error", False),
    ],
)
def test_a_quiet_command_knows_whether_its_log_would_say_why(
    name: str, level: str, *, has_errors: bool
) -> None:
    told = logged(shown=False, program=f"logging.getLogger({name!r}).{level}('why')")
    assert told.stdout == f"{has_errors}\n"
    assert "why" not in told.stderr
    shown = logged(shown=True, program=f"logging.getLogger({name!r}).{level}('why')")
    assert shown.stderr.count(name) == 1


FORMATTED = """
import logging, sys
from bot.logs import set_log_format, set_log_level, set_up_logging
set_up_logging(shown=True)
set_log_level("INFO")
set_log_format(sys.argv[1])
logging.getLogger("bot.app").info("it runs")
"""


def _at_a_terminal(log_format: str) -> str:
    master, slave = os.openpty()
    try:
        subprocess.run([sys.executable, "-c", FORMATTED, log_format], stderr=slave, check=True)
        return os.read(master, 4096).decode()
    finally:
        os.close(slave)
        os.close(master)


def _through_a_pipe(log_format: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", FORMATTED, log_format], capture_output=True, text=True, check=True
    ).stderr


@pytest.mark.parametrize("log_format", ["auto", "text", "json"])
def test_the_log_is_json_where_stderr_is_no_terminal_unless_it_is_settled(log_format: str) -> None:
    at_a_terminal, through_a_pipe = _at_a_terminal(log_format), _through_a_pipe(log_format)
    assert at_a_terminal.startswith("{") is (log_format == "json")
    assert through_a_pipe.startswith("{") is (log_format != "text")
    assert "it runs" in at_a_terminal
    assert "it runs" in through_a_pipe


def test_nothing_set_means_what_suits_the_place() -> None:
    assert Settings.model_validate({}).log_format == "auto"
