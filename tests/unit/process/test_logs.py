"""The log: no words of libraries; a quiet command knows whether it had more to say."""

from __future__ import annotations

import subprocess
import sys

import pytest


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


def test_no_words_of_libraries_are_logged() -> None:
    program = "logging.getLogger('aiohttp.server').error('secret %s', 'secret')"
    for shown in (True, False):
        told = logged(shown=shown, program=program)
        assert "ERROR aiohttp.server: <string>:6" in told.stderr
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
