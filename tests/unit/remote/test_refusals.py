"""What programs say when they refuse: their sentences are read for what they mean."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from inference.errors import ContextExceeded, GenerationFailed, ServerFailed, TooManyPictures
from inference.remote.refusals import Overloaded, error_of, message_of, seconds_of

TOO_LONG = {
    "vLLM": "This model's maximum context length is 700 tokens. However, you requested 512 output "
    "tokens and your prompt contains at least 583 input tokens, for a total of at least 1095.",
    "vLLM before": "This model's maximum context length is 700 tokens. However, you requested 1095 "
    "tokens (583 in the messages, 512 in the completion). Please reduce the length.",
    "vLLM's prompt": "The decoder prompt (length 583) is longer than the maximum model length of "
    "700. Make sure that `max_model_len` is no smaller than the number of text tokens.",
    "SGLang": "Requested token count exceeds the model's maximum context length of 700 tokens. You "
    "requested a total of 1095 tokens: 583 tokens from the input messages and 512 tokens.",
    "SGLang's prompt": "The input (583 tokens) is longer than the model's context length (700 "
    "tokens).",
    "llama.cpp": "request (583 tokens) exceeds the available context size (700 tokens), try "
    "increasing it",
}


def refused(status: int, text: str, *, retry_after: str | None = None) -> object:
    body = json.dumps({"error": {"message": text}}).encode()
    return error_of(status, body, num_pictures=3, context_tokens=700, retry_after=retry_after)


@pytest.mark.parametrize("program", TOO_LONG)
def test_a_prompt_that_is_too_long_is_known_with_its_length(program: str) -> None:
    error = refused(400, TOO_LONG[program])
    assert isinstance(error, ContextExceeded)
    assert (error.needed_tokens, error.context_tokens) == (583, 700)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("At most 2 image(s) may be provided in one prompt.", 2),
        ("At most 0 image(s) may be provided in one prompt.", 0),
        ("tiny is not a multimodal model", 0),
        ("image input is not supported - hint: you may need to provide the mmproj", 0),
    ],
)
def test_too_many_pictures_are_known_with_their_limit(text: str, limit: int) -> None:
    error = refused(400, text)
    assert isinstance(error, TooManyPictures)
    assert (error.given, error.limit) == (3, limit)


def test_words_of_a_server_that_is_full_are_not_read_but_its_header_is() -> None:
    error = refused(429, TOO_LONG["vLLM"], retry_after="7")
    assert isinstance(error, Overloaded)
    assert error.after_s == 7


def test_what_is_said_in_a_failure_is_not_taken_for_a_refusal() -> None:
    assert isinstance(refused(500, TOO_LONG["vLLM"]), ServerFailed)
    assert type(refused(400, "something else")) is GenerationFailed


def test_nobodys_words_are_in_an_error() -> None:
    for status in (400, 401, 404, 413, 429, 500, 503):
        assert "secret" not in repr(refused(status, "secret words"))


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b'{"error": {"message": "no"}}', "no"),
        (b'{"object": "error", "message": "no"}', "no"),
        (b'{"error": "no"}', "no"),
        (b'{"detail": "no"}', "no"),
        (b"<html>no</html>", "<html>no</html>"),
        (b"\xff", "\ufffd"),
        (b"[" * 30_000, "[" * 2000),
    ],
)
def test_the_sentence_is_found_in_every_programs_error(body: bytes, sentence: str) -> None:
    assert message_of(body) == sentence


def test_retry_after_is_a_number_or_a_date() -> None:
    assert seconds_of("12") == 12
    assert seconds_of(None) is None
    assert seconds_of("soon") is None
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert 0 < (seconds_of(in_a_minute) or 0) <= 60
