"""A request's JSON without its pictures, and what a picture's base64 may look like."""

from __future__ import annotations

import base64
import json
import os

import pytest

from bot.platforms.api.bodies import LONG, Body, decode_base64, parse_body
from bot.platforms.api.errors import ApiRefusal
from bot.platforms.api.messages import parse_messages
from inference.types import Role

LARGE = os.urandom(3 * LONG)


def body_with(picture: bytes, *, escaped: bool = False) -> bytes:
    url = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    part = {"type": "image_url", "image_url": {"url": url}}
    text = json.dumps({"messages": [{"role": "user", "content": [part, part]}]})
    return (text.replace("/", "\\/") if escaped else text).encode()


@pytest.mark.parametrize("escaped", [False, True])
@pytest.mark.parametrize("picture", [LARGE, b"small"])
def test_pictures_arrive_whole_whether_or_not_they_are_taken_out(
    picture: bytes, escaped: bool
) -> None:
    body = parse_body(body_with(picture, escaped=escaped))
    assert len(body.pictures) == (2 if picture is LARGE else 0)
    assert len(json.dumps(body.json)) < LONG
    (message,) = parse_messages(body)
    assert message.pictures == (picture, picture)


def test_a_picture_quoted_within_a_text_stays_text() -> None:
    quoted = json.dumps({"url": f"data:image/png;base64,{base64.b64encode(LARGE).decode()}"})
    body = parse_body(json.dumps({"messages": [{"role": "user", "content": quoted}]}).encode())
    assert not body.pictures
    assert parse_messages(body)[0].text == quoted


def test_a_picture_in_the_place_of_a_text_is_refused() -> None:
    url = f"data:image/png;base64,{base64.b64encode(LARGE).decode()}"
    body = parse_body(json.dumps({"messages": [{"role": "user", "content": url}]}).encode())
    with pytest.raises(ApiRefusal, match="api_picture_in_text"):
        parse_messages(body)


@pytest.mark.parametrize(
    "encoded", [b"aGVsbG8=", b"aGVsbG8", b"aGVs\nbG8=", b"aGVs\\nbG8=", b" aGVsbG8= "]
)
def test_base64_may_be_broken_into_lines_and_unpadded(encoded: bytes) -> None:
    assert decode_base64(encoded) == b"hello"


@pytest.mark.parametrize("encoded", [b"aGVsb$8=", b"aGVsb", b"a===", b"aG=sbG8=", b"\\x"])
def test_what_is_no_base64_is_refused(encoded: bytes) -> None:
    with pytest.raises(ApiRefusal, match="api_base64"):
        decode_base64(encoded)


def test_what_instructs_the_model_comes_first_and_a_question_begins() -> None:
    given = [
        {"role": "assistant", "content": "Hi"},
        {"role": "system", "content": [{"type": "text", "text": "a"}]},
        {"role": "user", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]},
        {"role": "developer", "content": "d"},
    ]
    messages = parse_messages(Body({"messages": given}, {}, "mark"))
    assert [(one.role, one.text) for one in messages] == [
        (Role.SYSTEM, "a\n\nd"),
        (Role.USER, ""),
        (Role.ASSISTANT, "Hi"),
        (Role.USER, "b\nc"),
    ]
