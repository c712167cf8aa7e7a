"""The words of a library's log record that stand in the library's source."""

from __future__ import annotations

import ast
import linecache
import logging
import re
import sys
from types import CodeType, FrameType

_OF_LOGGING = logging.__file__
_PLACEHOLDER = re.compile(r"%(\(\w+\))?[-#0 +]*[\d.*]*[a-zA-Z]|\{[^{}]*\}")
IRRELEVANT = frozenset(
    {
        # discord.py, of sound, which this bot does not use
        "PyNaCl is not installed, voice will NOT be supported",
        "davey is not installed, voice will NOT be supported",
    }
)


def constant_words(record: logging.LogRecord) -> str | None:
    """The text that the logging call was written with, `…` for every value; `None`: there is none.

    It is read from the source of the call, which nobody's words can be in, never from the record.
    To be called while the record is being handled, in its thread.
    """
    frame = _caller(record)
    words = None if frame is None else words_of_call(frame)
    return None if words in IRRELEVANT else words


def words_of_call(frame: FrameType) -> str | None:
    """The text that is given to the function which a frame is calling, from the frame's source."""
    call = _call_in(frame)
    return None if call is None else _template(call)


def _caller(record: logging.LogRecord) -> FrameType | None:
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        is_its = frame.f_code.co_filename == record.pathname and frame.f_lineno == record.lineno
        if is_its and frame.f_code.co_filename != _OF_LOGGING:
            return frame
        frame = frame.f_back
    return None


def _call_in(frame: FrameType) -> ast.Call | None:
    source = _segment(frame.f_code, frame.f_lasti)
    try:
        parsed = ast.parse(source.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return None
    return parsed if isinstance(parsed, ast.Call) else None


def _segment(code: CodeType, instruction: int) -> str:
    """The source of the expression that an instruction belongs to."""
    positions = list(code.co_positions())[instruction // 2]
    first, last, start, end = positions
    if first is None or last is None or start is None or end is None:
        return ""
    lines = [linecache.getline(code.co_filename, number) for number in range(first, last + 1)]
    encoded = [line.encode() for line in lines]  # columns are counted in bytes of UTF-8
    encoded[-1] = encoded[-1][:end]
    encoded[0] = encoded[0][start:]
    return b"".join(encoded).decode(errors="replace")


def _template(call: ast.Call) -> str | None:
    """`it took %s s` → `it took … s`; `f"it took {time} s"` likewise."""
    method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    position = 1 if method == "log" else 0
    if len(call.args) <= position:
        return None
    parts = _constants(call.args[position])
    words = " ".join("".join(parts).split())
    return words if any(letter.isalpha() for letter in words) else None


def _constants(node: ast.expr) -> list[str]:
    match node:
        case ast.Constant(value=str(text)):
            return [_PLACEHOLDER.sub("…", text).replace("%%", "%")]
        case ast.JoinedStr(values=values):
            return [part for value in values for part in _constants(value)]
        case ast.BinOp(left=left, right=right, op=ast.Add()):
            return [*_constants(left), *_constants(right)]
        case ast.BinOp(left=left, op=ast.Mod()):
            return _constants(left)
        case ast.Call(func=ast.Attribute(value=text, attr="format")):
            return _constants(text)
        case _:
            return ["…"]
