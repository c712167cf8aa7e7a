"""Builds the bot's services over a loaded model.

The only module that chooses what implements the engine; platforms come from
`bot.platforms.registry`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bot import texts
from bot.configuration import Configuration
from bot.core.access import Access, AllowList
from bot.core.addressing import Addressing
from bot.core.answer import Answers
from bot.core.answer_options import AnswerOptions
from bot.core.attachments import Attachments
from bot.core.commands import Commands
from bot.core.erasure import Erasure
from bot.core.in_flight import InFlightQuestions
from bot.platforms.registry import PLATFORMS
from bot.platforms.services import AdapterServices
from bot.settings import Settings
from bot.store import running_store
from inference.backends.load import load_model
from inference.progress import StreamProgress
from inference.serving.backend import Backend
from inference.serving.fleet import Devices, RunningEngine, running_engine
from inference.types import ModelSpec


@dataclass(frozen=True, kw_only=True)
class Services(AdapterServices):
    """The parts of a running bot, the engine included."""

    engine: RunningEngine


def loading_devices(settings: Settings) -> Devices:
    """One thread per device, with the model that the settings name. Enter before a loop runs.

    Entering raises:
        ModelUnavailable: its message is one sentence for the operator.
    """

    def load(spec: ModelSpec) -> Backend:
        return load_model(spec, cache_dir=settings.data_dir / "models", progress=StreamProgress(sys.stderr))

    return Devices(
        [
            partial(load, replace(settings.model_spec, device=device))
            for device in settings.devices or (settings.device,)
        ]
    )


@asynccontextmanager
async def running_services(
    configuration: Configuration, devices: Devices, *, state: Path
) -> AsyncIterator[Services]:
    """The core over a loaded model, with its store in `state`."""
    settings = configuration.bot
    await asyncio.to_thread(texts.load)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(running_store(state))
        engine = await stack.enter_async_context(
            running_engine(devices, max_waiting=settings.max_waiting)
        )
        attachments = Attachments(
            settings.picture_limits, pictures_per_question=settings.pictures_per_question
        )
        stack.callback(attachments.close)
        questions = InFlightQuestions()
        answers = Answers(
            store=store,
            questions=questions,
            engine=engine,
            attachments=attachments,
            access=Access(
                questions_per_user=settings.questions_per_user,
                lists=_allow_lists(configuration),
            ),
            options=AnswerOptions(
                system_prompt=settings.system_prompt,
                temperature=settings.temperature,
                max_new_tokens=settings.max_new_tokens,
            ),
        )
        # However the bot ends: questions in flight are left to the next start.
        stack.push_async_callback(answers.drain, 0)
        erasure = Erasure(store, questions, engine)
        yield Services(
            settings=settings,
            store=store,
            engine=engine,
            answers=answers,
            erasure=erasure,
            addressing=Addressing(store, questions, settings.follow_ups),
            commands=Commands(
                store=store, questions=questions, erasure=erasure, model=engine.model
            ),
        )


def _allow_lists(configuration: Configuration) -> dict[str, AllowList]:
    return {
        platform.name: platform.allow_list(configuration.of(platform.settings))
        for platform in PLATFORMS
        if platform.allow_list is not None
    }
