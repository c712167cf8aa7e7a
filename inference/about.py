"""Which question a line of the log is about: one id through its whole life, in every thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_QUESTION: ContextVar[str] = ContextVar("question", default="")


def current_question() -> str:
    """Return the id of the question that is being worked on here; empty: none, or several."""
    return _QUESTION.get()


@contextmanager
def about(question: str) -> Iterator[None]:
    """Have what is logged inside say which question it is about; tasks begun inside, too."""
    before = _QUESTION.set(question)
    try:
        yield
    finally:
        _QUESTION.reset(before)
