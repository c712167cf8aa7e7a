"""Server-sent events arrive in pieces, with any end of line, and never without an end."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.remote.sse import MAX_EVENT_CHARS, EventParser, NotEvents

STREAM = '﻿: a comment\r\ndata: {"a": 1}\r\n\r\nevent: x\rdata:日本\rdata: 語\r\rid: 3\ndata\n\n'


def parsed(pieces: list[bytes]) -> list[str]:
    parser = EventParser()
    return [event for piece in pieces for event in parser.push(piece)]


def test_data_is_taken_from_events_whatever_ends_their_lines() -> None:
    assert parsed([STREAM.encode()]) == ['{"a": 1}', "日本\n語", ""]


@given(cuts=st.lists(st.integers(0, len(STREAM.encode())), max_size=12))
def test_it_does_not_matter_where_the_network_cuts(cuts: list[int]) -> None:
    data = STREAM.encode()
    ends = [0, *sorted(cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(ends)]
    assert parsed(pieces) == parsed([data])


def test_an_event_without_an_end_is_refused() -> None:
    with pytest.raises(NotEvents):
        parsed([b"data: " + b"x" * 65536] * (MAX_EVENT_CHARS // 65536 + 1))
    with pytest.raises(NotEvents):
        parsed([b"data: " + b"x" * 65536 + b"\n"] * (MAX_EVENT_CHARS // 65536 + 2))
