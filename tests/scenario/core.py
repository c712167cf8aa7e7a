"""The core with the real store and the real worker, for scenario tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from bot.core.access import Access, AllowList
from bot.core.addressing import Addressing
from bot.core.answer import Answers
from bot.core.answering.options import AnswerOptions
from bot.core.attachments import Attachments
from bot.core.commands import Commands
from bot.core.erasure import Erasure
from bot.core.in_flight import InFlightQuestions
from bot.core.processes.elsewhere import Elsewhere
from bot.images.decoding.pool import DecodingPool
from bot.images.reading.pool import ReadingPool
from bot.store import Store, running_store
from bot.values.limits import FollowUps, PictureLimits, QuestionBounds
from bot.values.messages import Attachment, Author, IncomingMessage, MessageKey, ThreadKey
from inference.engine import Engines
from tests.engines import HeldLoad, ScriptedModel, running_held, running_models
from tests.hostile_pictures.decoding import shared_pool
from tests.pictures import encode
from tests.scenario.exchange import FakeExchange

# With an edge: of one flat colour, a receipt would say so.
RED = encode(ImageOps.expand(Image.new("RGB", (56, 36), "red"), 2, "white"))
BLUE = encode(ImageOps.expand(Image.new("RGB", (56, 36), "blue"), 2, "white"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """The core and what it is made of."""

    answers: Answers
    store: Store
    questions: InFlightQuestions
    engine: Engines
    attachments: Attachments
    readings: ReadingPool | None = None

    @property
    def erasure(self) -> Erasure:
        return Erasure(self.store, self.questions, self.engine, self.readings)

    def restarted(self) -> Answers:
        """The answers of a next start, over the same store and engine."""
        return _answers(
            self.store,
            self.engine,
            self.attachments,
            InFlightQuestions(),
            Access(),
        )

    def adapter_parts(self, follow_ups: FollowUps) -> dict[str, Any]:
        """What the adapter of a chat platform is made with, apart from its own options."""
        return {
            "core": self.answers,
            "store": self.store,
            "addressing": Addressing(self.store, self.questions, follow_ups),
            "commands": Commands(
                store=self.store,
                questions=self.questions,
                erasure=self.erasure,
                engine=self.engine,
            ),
            "erasure": self.erasure,
        }


@asynccontextmanager
async def running_core(
    folder: Path,
    backend: ScriptedModel,
    *,
    max_waiting: int = 10,
    questions_per_user: int = 10,
    bounds: QuestionBounds | None = None,
    options: AnswerOptions | None = None,
    allow: Mapping[str, AllowList] | None = None,
    pictures_per_question: int = 2,
    pictures_per_thread: int = 200,
    picture_limits: Mapping[str, int] | None = None,
    load: HeldLoad | None = None,
    beside: Mapping[str, ScriptedModel] | None = None,
    store_at: Mapping[str, Any] | None = None,
    decoding: DecodingPool | None = None,
    readings: ReadingPool | None = None,
) -> AsyncIterator[Core]:
    """The core with its state in `folder`.

    `allow`: lists of who may ask, by platform. `load`: loads the model meanwhile. `beside`: further
    models by name; `backend` is then called "first". `store_at`: where the store keeps rows and
    pictures, if not in the folder. `decoding`: closed at the end. `readings`: reads pictures.
    """
    access = Access(allow)
    bounds = replace(bounds or QuestionBounds(), user_at_once=questions_per_user)
    async with (
        running_store(folder, **(store_at or {})) as store,
        (
            running_models({"first": backend, **(beside or {})}, max_waiting=max_waiting)
            if load is None
            else running_held(load, max_waiting=max_waiting)
        ) as engine,
    ):
        questions = InFlightQuestions(store.signals.tell)
        store.signals.hear(Elsewhere(questions, engine, store.inbox, readings).follow)
        own = decoding or shared_pool(PictureLimits(max_bytes=100_000, **picture_limits or {}))
        attachments = Attachments(
            own,
            pictures_per_question=pictures_per_question,
            pictures_per_thread=pictures_per_thread,
        )
        answers = _answers(store, engine, attachments, questions, access, options, bounds, readings)
        store.lease.on_lost = answers.abandon
        yield Core(
            answers=answers,
            store=store,
            questions=questions,
            engine=engine,
            attachments=attachments,
            readings=readings,
        )
        own.close()


@asynccontextmanager
async def running_answers(
    folder: Path, backend: ScriptedModel, **settings: Any
) -> AsyncIterator[tuple[Answers, Store]]:
    """The same, where a test touches nothing else of it."""
    async with running_core(folder, backend, **settings) as core:
        yield core.answers, core.store


def _answers(
    store: Store,
    engine: Engines,
    attachments: Attachments,
    questions: InFlightQuestions,
    access: Access,
    options: AnswerOptions | None = None,
    bounds: QuestionBounds | None = None,
    readings: ReadingPool | None = None,
) -> Answers:
    return Answers(
        store=store,
        questions=questions,
        engine=engine,
        attachments=attachments,
        access=access,
        options=options or AnswerOptions(),
        bounds=bounds or QuestionBounds(),
        readings=readings,
    )


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
