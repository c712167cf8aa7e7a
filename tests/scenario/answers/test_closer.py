"""A question about a part of a picture gets that part at full size, beside the whole."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from bot.core.answering.options import AnswerOptions
from inference.types import Message, Picture
from tests.engines import PICTURE_TOKENS, ScriptedModel
from tests.pictures import encode
from tests.reading import shared_readings
from tests.scenario.answers.test_reading import QUOTED, SCREENSHOT
from tests.scenario.core import message, running_core
from tests.scenario.exchange import FakeExchange

SMALL_PRINT = "No refunds after 14 days."


def poster() -> Image.Image:
    """Four corners of different colours, a large heading and small print at the bottom left."""
    image = Image.new("RGB", (1200, 900), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((1100, 0, 1200, 100), fill="red")
    draw.rectangle((1100, 800, 1200, 900), fill="blue")
    draw.text((300, 200), "SUMMER SALE", "black", font=ImageFont.load_default(90))
    draw.text((60, 840), SMALL_PRINT, "black", font=ImageFont.load_default(16))
    return image


POSTER = poster()
TOLD = "The last picture is a closer look at the top right of picture 1.\n\n"


@pytest.fixture
def backend() -> ScriptedModel:
    return ScriptedModel(tower_px=336, max_pictures=4)


def shown() -> FakeExchange:
    return FakeExchange(
        {"poster": encode(POSTER), "red": encode(Image.new("RGB", (800, 800), "red"))}
    )


def image_of(picture: Picture) -> Image.Image:
    return Image.open(io.BytesIO(picture.data)).convert("RGB")


def asked(backend: ScriptedModel) -> Message:
    return backend.requests[-1].messages[-1]


async def test_a_named_place_is_shown_at_full_size_and_the_receipt_says_so(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    exchange = shown()
    async with running_core(tmp_path, backend) as core:
        await core.answers.ask(message("What is in the top right?", "poster"), exchange)
    whole, part = asked(backend).pictures
    assert (whole.width_px, part.width_px, part.height_px) == (1200, 660, 495)
    assert image_of(part).tobytes() == POSTER.crop((540, 0, 1200, 495)).tobytes()
    assert asked(backend).text == TOLD + "What is in the top right?"
    assert exchange.ending.receipt.notes == ("Looked closer at the top right of picture 1.",)
    assert len(exchange.ending.receipt.pictures) == 1


async def test_japanese_is_understood_and_spoken(tmp_path: Path, backend: ScriptedModel) -> None:
    exchange = shown()
    async with running_core(tmp_path, backend) as core:
        await core.answers.ask(message("右下は何色？", "poster", locale="ja"), exchange)
    part = image_of(asked(backend).pictures[1])
    assert part.getpixel((part.width - 1, part.height - 1)) == (0, 0, 255)
    assert exchange.ending.receipt.notes == ("画像 1 の右下を拡大して見ました。",)


async def test_a_follow_up_finds_the_same_parts_at_the_same_place_also_after_a_restart(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    async with running_core(tmp_path, backend) as core:
        await core.answers.ask(message("What is in the top right?", "poster"), shown())
        await core.answers.ask(message("And in the bottom right?"), shown())
    first, _, second = backend.requests[-1].messages
    assert first == backend.requests[0].messages[0]
    assert len(second.pictures) == 1
    assert image_of(second.pictures[0]).getpixel((659, 494)) == (0, 0, 255)
    async with running_core(tmp_path, backend) as core:
        await core.answers.ask(message("Thanks. What is it?"), shown())
    assert backend.requests[-1].messages[0] == first
    assert backend.requests[-1].messages[2] == second
    assert asked(backend).pictures == ()


@pytest.mark.parametrize(
    "model",
    [
        {"tower_px": None},
        {"tower_px": 1200},
        {"max_pictures": 1},
        {"context_tokens": (2 * PICTURE_TOKENS + 5) * 4 // 3},
    ],
    ids=["size not known", "sees all of it", "takes one picture", "no room in the context"],
)
async def test_a_model_that_gains_nothing_or_has_no_room_gets_the_picture_alone(
    tmp_path: Path, model: dict[str, int | None]
) -> None:
    backend = ScriptedModel(**{"tower_px": 336, **model})
    exchange = shown()
    async with running_core(tmp_path, backend) as core:
        await core.answers.ask(message("What is in the top right?", "poster"), exchange)
    assert len(asked(backend).pictures) == 1
    assert asked(backend).text == "What is in the top right?"
    assert exchange.ending.receipt.notes == ()


async def test_earlier_words_stay_rather_than_earlier_parts(tmp_path: Path) -> None:
    words = "one two three four five six seven eight nine ten"
    backend = ScriptedModel(tower_px=336, max_pictures=4, context_tokens=140)
    backend.answer = lambda _: words
    async with running_core(tmp_path, backend) as core:
        for question in ("in the top right?", "in the top left?", "in the bottom left?"):
            files = ["poster"] if "top right" in question else []
            await core.answers.ask(message(question, *files), shown())
    *_, last = backend.requests[-1].messages
    assert [len(one.pictures) for one in backend.requests[-1].messages[::2]] == [1, 0, 1]
    assert last.text.endswith("in the bottom left?")


async def test_switched_off_nothing_is_cut_out(tmp_path: Path, backend: ScriptedModel) -> None:
    options = AnswerOptions(looks_closer=False)
    async with running_core(tmp_path, backend, options=options) as core:
        await core.answers.ask(message("What is in the top right?", "poster"), shown())
    assert len(asked(backend).pictures) == 1


async def test_of_several_pictures_the_one_that_is_named_is_meant(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    exchange = shown()
    async with running_core(tmp_path, backend) as core:
        await core.answers.ask(
            message("What is in the top right of picture 2?", "red", "poster"), exchange
        )
    assert [one.width_px for one in asked(backend).pictures] == [800, 1200, 660]
    assert exchange.ending.receipt.notes == ("Looked closer at the top right of picture 2.",)


async def test_small_print_is_found_by_where_it_was_read_and_can_be_read_in_what_is_shown(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    backend = ScriptedModel(tower_px=336, max_pictures=4, context_tokens=1000)
    exchange = shown()
    readings = shared_readings()
    async with running_core(tmp_path, backend, readings=readings) as core:
        await core.answers.ask(message("What does the small print say?", "poster"), exchange)
        _, part = asked(backend).pictures
        reading = await readings.read(part)
    assert reading is not None
    assert SMALL_PRINT in reading.lines
    assert max(part.width_px, part.height_px) <= 336  # it is seen as large as it is
    assert "Looked closer at some of the text of picture 1." in exchange.ending.receipt.notes


async def test_text_that_is_seen_large_enough_changes_nothing(tmp_path: Path) -> None:
    backend = ScriptedModel(tower_px=600, context_tokens=1000)
    exchange = FakeExchange({"shown": SCREENSHOT})
    async with running_core(tmp_path, backend, readings=shared_readings()) as core:
        await core.answers.ask(message("What is refused?", "shown"), exchange)
    assert asked(backend).text == QUOTED + "What is refused?"
    assert len(asked(backend).pictures) == 1
