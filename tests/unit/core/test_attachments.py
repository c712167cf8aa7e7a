"""Attachments become pictures, or sentences that say why not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from bot.core.attachments import Attachments
from bot.values.limits import PictureLimits
from bot.values.messages import Attachment


@pytest.fixture
def attachments() -> Iterator[Attachments]:
    attachments = Attachments(PictureLimits(), pictures_per_question=2)
    yield attachments
    attachments.close()


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("what_pdf", b"%PDF-1.7 ..."),
        ("what_svg", b"<?xml version='1.0'?><svg xmlns='x'/>"),
        ("what_html", b"<!DOCTYPE html><html>login</html>"),
        ("what_video", b"\0\0\0\x20ftypisom\0\0\0\0"),
    ],
)
async def test_another_kind_of_file_gets_the_same_sentence_by_its_description_and_by_its_bytes(
    attachments: Attachments, kind: str, data: bytes
) -> None:
    async def open_(_: Attachment) -> AsyncIterator[bytes]:
        yield data

    described = Attachment(name="file", ref="", kind=kind)
    fetched = await attachments.fetch((described, Attachment(name="file", ref="")), open_)
    by_description, by_bytes = (refusal.sentence("en") for refusal in fetched.refusals)
    assert by_description == by_bytes
    assert "Try a " in by_bytes
