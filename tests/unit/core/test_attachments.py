"""Attachments become pictures, or sentences that say why not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from bot.core.attachments import SPARE_FILES, Attachments
from bot.values.limits import PictureLimits
from bot.values.messages import Attachment
from tests.hostile_pictures.decoding import shared_pool
from tests.scenario.core import RED


@pytest.fixture
def attachments() -> Iterator[Attachments]:
    decoding = shared_pool(PictureLimits())
    yield Attachments(decoding, pictures_per_question=2)
    decoding.close()


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("what_svg", b"<?xml version='1.0'?><svg xmlns='x'/>"),
        ("what_html", b"<!DOCTYPE html><html>login</html>"),
        ("what_video", b"RIFF\0\0\0\0AVI LIST"),
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


def links(count: int) -> tuple[Attachment, ...]:
    return tuple(Attachment(name=f"{number}.png", ref=str(number)) for number in range(count))


async def test_a_message_with_a_thousand_links_costs_a_few_attempts_and_one_sentence_for_the_rest(
    attachments: Attachments,
) -> None:
    tried: list[str] = []

    def refused(attachment: Attachment) -> bytes:
        tried.append(attachment.ref)
        raise ConnectionRefusedError

    async def nowhere(attachment: Attachment) -> AsyncIterator[bytes]:
        yield refused(attachment)

    fetched = await attachments.fetch(links(1_400), nowhere)
    assert len(tried) == 2 + SPARE_FILES
    *named, rest = (refusal.sentence("en") for refusal in fetched.refusals)
    assert len(named) == len(tried)
    assert rest == "1390 more files were left out: only the first 10 are looked at."


async def test_the_same_link_is_fetched_once(attachments: Attachments) -> None:
    tried: list[str] = []

    async def open_(attachment: Attachment) -> AsyncIterator[bytes]:
        tried.append(attachment.ref)
        yield RED

    fetched = await attachments.fetch(links(1) * 700, open_)
    assert tried == ["0"]
    assert [picture.name for picture in fetched.pictures] == ["0.png"]
    assert fetched.refusals == ()


async def test_the_first_pictures_that_can_be_used_are_and_no_more_are_fetched(
    attachments: Attachments,
) -> None:
    tried: list[str] = []

    async def open_(attachment: Attachment) -> AsyncIterator[bytes]:
        tried.append(attachment.ref)
        yield b"" if attachment.ref == "0" else RED

    fetched = await attachments.fetch(links(5), open_)
    assert [picture.name for picture in fetched.pictures] == ["1.png", "2.png"]
    assert tried == ["0", "1", "2"]
    sentences = [refusal.sentence("en") for refusal in fetched.refusals]
    assert "the file is empty" in sentences[0]
    assert sentences[1] == "“3.png” was left out: only 2 pictures per question are used."


async def test_the_downloads_of_a_question_run_side_by_side_and_share_one_deadline(
    attachments: Attachments,
) -> None:
    attachments.fetch_within_s = 0.05
    begun: list[str] = []

    async def forever(attachment: Attachment) -> AsyncIterator[bytes]:
        begun.append(attachment.ref)
        yield b"\xff"
        await asyncio.Event().wait()

    fetched = await attachments.fetch(links(10), forever)
    assert begun == ["0", "1"], "later ones have no time left to begin in"
    assert len(fetched.refusals) == 10
    assert fetched.refusals[9].sentence("en") == (
        "“9.png” was left out: it could not be downloaded within 0.05 seconds."
    )
