"""The core with the real store and the real worker, for scenario tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from bot.core.access import Access
from bot.core.addressing import Addressing
from bot.core.answer import Answers
from bot.core.answer_options import AnswerOptions
from bot.core.attachments import Attachments
from bot.core.commands import Commands
from bot.core.erasure import Erasure
from bot.core.in_flight import InFlightQuestions
from bot.store import Store, running_store
from bot.values.limits import FollowUps, PictureLimits
from bot.values.messages import Attachment, Author, IncomingMessage, MessageKey, ThreadKey
from tests.engines import ScriptedModel, running_on_device
from tests.pictures import encode
from tests.scenario.exchange import FakeExchange

# With an edge: of one flat colour, a receipt would say so.
RED = encode(ImageOps.expand(Image.new("RGB", (56, 36), "red"), 2, "white"))
BLUE = encode(ImageOps.expand(Image.new("RGB", (56, 36), "blue"), 2, "white"))


@asynccontextmanager
async def running_answers(
    folder: Path,
    backend: ScriptedModel,
    *,
    max_waiting: int = 10,
    questions_per_user: int = 10,
    options: AnswerOptions | None = None,
    questions: InFlightQuestions | None = None,
) -> AsyncIterator[tuple[Answers, Store]]:
    async with (
        running_store(folder) as store,
        running_on_device(lambda: backend, max_waiting=max_waiting) as engine,
    ):
        attachments = Attachments(PictureLimits(max_bytes=100_000), pictures_per_question=2)
        yield (
            Answers(
                store=store,
                questions=questions or InFlightQuestions(),
                engine=engine,
                attachments=attachments,
                access=Access(questions_per_user=questions_per_user),
                options=options or AnswerOptions(),
            ),
            store,
        )
        attachments.close()


def adapter_parts(
    answers: Answers, store: Store, questions: InFlightQuestions, follow_ups: FollowUps
) -> dict[str, Any]:
    """What the adapter of a chat platform is made with, apart from its own options."""
    erasure = Erasure(store, questions, answers._engine)
    return {
        "core": answers,
        "store": store,
        "addressing": Addressing(store, questions, follow_ups),
        "commands": Commands(
            store=store, questions=questions, erasure=erasure, model=answers.model
        ),
        "erasure": erasure,
    }


def thread(name: str = "t") -> ThreadKey:
    return ThreadKey(platform="test", team="", channel="", thread=name)


def message(
    text: str,
    *files: str,
    id: str | None = None,  # noqa: A002 - the message's id
    in_thread: str = "t",
    author: str = "ann",
    **changes: object,
) -> IncomingMessage:
    return replace(
        IncomingMessage(
            key=MessageKey(platform="test", team="", channel="", message=id or text),
            thread=thread(in_thread),
            author=Author(id=author),
            text=text,
            attachments=tuple(Attachment(name=f"{f}.png", ref=f) for f in files),
        ),
        **changes,  # type: ignore[arg-type]
    )


def red() -> FakeExchange:
    return FakeExchange({"red": RED, "blue": BLUE})
