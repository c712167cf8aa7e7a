"""Which recorded answer a prompt continues."""

from __future__ import annotations

import pytest

from inference.prompts.prompt import Prompt
from inference.prompts.transcripts import MAX_TRANSCRIPTS, Transcripts
from inference.scheduling.prefix_tree import PictureSpan
from inference.types import Picture
from tests.pictures import plain_picture

RED, BLUE = plain_picture((200, 0, 0)), plain_picture((0, 0, 200))


def prompt_of(text: str, *pictures: Picture) -> Prompt:
    spans = tuple(PictureSpan(at, at + 1, one.digest) for at, one in enumerate(pictures))
    return Prompt(text, [1, 2], spans, pictures)


@pytest.fixture
def transcripts() -> Transcripts:
    return Transcripts()


def test_a_follow_up_continues_the_tokens_of_the_answer(transcripts: Transcripts) -> None:
    prompt = prompt_of("Q: <image> What? A:", RED)
    transcripts.record(prompt, [8, 9], " A square.\n")
    match = transcripts.match("Q: <image> What? A: A square. Q: Why? A:", (RED.digest,))
    assert match is not None
    transcript, rest = match
    assert transcript.tokens == [1, 2, 8, 9]
    assert transcript.spans == prompt.spans
    assert rest == " Q: Why? A:"


def test_the_longest_transcript_is_continued(transcripts: Transcripts) -> None:
    transcripts.record(prompt_of("Q: a A:"), [5], "b")
    transcripts.record(prompt_of("Q: a A: b Q: c A:"), [6], "d")
    match = transcripts.match("Q: a A: b Q: c A: d Q: e A:", ())
    assert match is not None
    assert match[0].tokens == [1, 2, 6]


def test_where_the_longest_has_another_answer_a_shorter_one_is_continued(
    transcripts: Transcripts,
) -> None:
    transcripts.record(prompt_of("Q: a A:"), [5], "b")
    transcripts.record(prompt_of("Q: a A: b Q: c A:"), [6], "not d")
    match = transcripts.match("Q: a A: b Q: c A: d Q: e A:", ())
    assert match is not None
    assert match[0].tokens == [1, 2, 5]


@pytest.mark.parametrize("shown", [(BLUE.digest,), (), (BLUE.digest, RED.digest)])
def test_a_transcript_about_another_picture_is_never_continued(
    transcripts: Transcripts, shown: tuple[str, ...]
) -> None:
    transcripts.record(prompt_of("Q: <image> What? A:", RED), [8], "A square.")
    assert transcripts.match("Q: <image> What? A: A square. Q:", shown) is None


def test_an_empty_answer_is_continued_by_nothing(transcripts: Transcripts) -> None:
    transcripts.record(prompt_of("Q: a A:"), [5], "  ")
    assert transcripts.match("Q: a A: Q: b A:", ()) is None


def test_beyond_the_bound_the_least_recently_continued_goes(transcripts: Transcripts) -> None:
    for number in range(MAX_TRANSCRIPTS):
        transcripts.record(prompt_of(f"{number}:"), [5], "b")
    assert transcripts.match("0: b", ()) is not None
    transcripts.record(prompt_of("new:"), [5], "b")
    assert len(transcripts) == MAX_TRANSCRIPTS
    assert transcripts.match("0: b", ()) is not None
    assert transcripts.match("1: b", ()) is None


def test_cleared_transcripts_are_gone(transcripts: Transcripts) -> None:
    transcripts.record(prompt_of("Q: a A:"), [5], "b")
    transcripts.clear()
    assert transcripts.match("Q: a A: b", ()) is None
    assert len(transcripts) == 0
