"""The receipt names every picture, and what was left out."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from inference.types import FinishReason, PictureBound
from tests.engines import ScriptedModel
from tests.pictures import encode
from tests.scenario.core import BLUE, RED, Core, message, red, running_answers
from tests.scenario.exchange import FakeExchange


async def test_every_picture_is_used_or_named_with_its_reason(
    core: Core,
) -> None:
    answers = core.answers
    large = encode(Image.linear_gradient("L").resize((3000, 3000)))
    files = {"red": RED, "text": b"hello", "large": large, "blue": BLUE, "huge": bytes(100_001)}
    exchange = FakeExchange(files)
    await answers.ask(message("q", "text", "red", "gone", "large", "huge", "blue"), exchange)
    receipt = exchange.ending.receipt
    assert [(p.number, p.name) for p in receipt.pictures] == [(1, "red.png"), (2, "large.png")]
    assert receipt.pictures[1].notes == ("shrunk from 3000 × 3000 to 2048 × 2048 pixels",)
    assert [sentence.split("”")[0] for sentence in receipt.skipped] == [
        "“text.png",
        "“gone.png",
        "“huge.png",
        "“blue.png",
    ]
    assert "only 2 pictures" in receipt.skipped[-1]


async def test_the_receipt_says_what_no_longer_fits(tmp_path: Path) -> None:
    backend = ScriptedModel(context_tokens=100, max_pictures=1)
    backend.answer = lambda _: "word " * 30
    async with running_answers(tmp_path, backend) as (answers, _):
        await answers.ask(message("first", "red"), red())
        await answers.ask(message("second"), FakeExchange())
        exchange = red()
        await answers.ask(message("third", "blue"), exchange)
    turn, picture = exchange.ending.receipt.dropped
    assert turn.startswith("The earliest question of this thread no longer fits")
    assert picture.startswith("Picture 1 (“red.png”) was left out this time")


async def test_the_receipt_says_when_the_model_sees_a_picture_smaller(tmp_path: Path) -> None:
    wide = encode(Image.linear_gradient("L").resize((1000, 250)))
    backend = ScriptedModel(picture_bound=PictureBound(max_px=40_000))
    async with running_answers(tmp_path, backend) as (answers, _):
        exchange = FakeExchange({"wide": wide, "red": RED})
        await answers.ask(message("q", "wide", "red"), exchange)
        again = FakeExchange()
        await answers.ask(message("again"), again)
    shrunk, whole = exchange.ending.receipt.pictures
    assert shrunk.notes == ("the model sees it at about 400 × 100 pixels",)
    assert whole.notes == ()
    assert again.ending.receipt.pictures[0].notes == ()  # news only with its own question


@pytest.mark.parametrize(
    ("reason", "note"),
    [
        (
            FinishReason.LENGTH,
            "The answer reached the maximum length (1 token) and was cut off here.",
        ),
        (
            FinishReason.NEXT_TURN,
            "The model began to ask itself the next question, so the answer was cut off here.",
        ),
        (FinishReason.REPETITION, "The model started to repeat itself and was stopped here."),
    ],
)
async def test_an_answer_cut_short_says_so(
    reason: FinishReason, note: str, core: Core, backend: ScriptedModel
) -> None:
    answers = core.answers
    backend.reason = reason
    exchange = FakeExchange()
    await answers.ask(message("q"), exchange)
    assert exchange.ending.receipt.notes == (note,)
