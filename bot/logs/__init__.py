"""The log on stderr: where something failed and why, never users' words."""

from __future__ import annotations

import logging
import sys
from typing import Literal

from bot.logs.formats import FORMATTERS, Format, Text
from bot.logs.libraries import constant_words
from bot.logs.repeats import Repeats
from bot.logs.withheld import withhold_warnings
from inference.errors import safe_traceback

OURS = ("bot", "inference")


class HeldBack(logging.Handler):
    """Takes the log's place, and remembers whether it would have said why a command failed."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.has_errors = False

    def emit(self, record: logging.LogRecord) -> None:
        """Remember the record, print nothing."""
        self.has_errors = self.has_errors or _is_ours(record)


def set_up_logging(*, shown: bool) -> HeldBack:
    """Log to stderr, or hold our records back. Returns: the handler that knows of errors."""
    held_back = HeldBack()
    stderr = logging.StreamHandler()
    stderr.addFilter(_without_foreign_words)
    stderr.addFilter(Repeats())
    if not shown:
        stderr.addFilter(_is_foreign)
    # The root's level stays: libraries log their input (statements with their values, requests
    # with their bodies), and users' words must not reach a log.
    stderr.setFormatter(Text())
    logging.basicConfig(
        level=logging.WARNING,
        handlers=[stderr] if shown else [stderr, held_back],
    )
    withhold_warnings()
    return held_back


def set_log_level(level: str) -> None:
    """Set how much our own modules log."""
    for ours in OURS:
        logging.getLogger(ours).setLevel(level)


def set_log_format(chosen: Format | Literal["auto"]) -> None:
    """Set how lines are written; `auto` is text for a person at a terminal, JSON for programs."""
    name: Format = ("text" if sys.stderr.isatty() else "json") if chosen == "auto" else chosen
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, Text):
            handler.setFormatter(FORMATTERS[name]())


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name.split(".")[0] in OURS


def _is_foreign(record: logging.LogRecord) -> bool:
    return not _is_ours(record)


def _without_foreign_words(record: logging.LogRecord) -> bool:
    """Reduce a library's record to the constants of its source; its words may quote users.

    What is then left must say something: a warning of which nothing is left is dropped.
    """
    if not _is_foreign(record):
        return True
    exc = record.exc_info[1] if record.exc_info else None
    words = constant_words(record)
    if words is None and exc is None and record.levelno < logging.ERROR:
        return False
    said = words or "its words are withheld, they may quote somebody"
    failure = "" if exc is None else safe_traceback(exc)
    record.msg = "%s (%s:%d)" + (": %s" if failure else "%s")
    record.args = (said, record.module, record.lineno, failure)
    record.exc_info = record.exc_text = record.stack_info = None
    return True
