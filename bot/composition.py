"""What a bot is made of: its services, and the platforms that it can run on."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bot import texts
from bot.core.access import Access, AllowList
from bot.core.addressing import Addressing
from bot.core.answer import Answers
from bot.core.answer_options import AnswerOptions
from bot.core.attachments import Attachments
from bot.core.commands import Commands
from bot.core.erasure import Erasure
from bot.core.in_flight import InFlightQuestions
from bot.platforms.platform import Platform
from bot.platforms.web.server import Playground
from bot.platforms.web.uploads import Uploads
from bot.settings import Settings
from bot.store import Store, running_store
from inference.backends.load import load_model
from inference.serving.backend import Backend
from inference.serving.fleet import Devices, RunningEngine, running_engine
from inference.types import ModelSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What a running bot is made of."""

    settings: Settings
    store: Store
    engine: RunningEngine
    answers: Answers
    erasure: Erasure
    addressing: Addressing
    commands: Commands


PlatformMaker = Callable[[Services], Platform | None]
"""Makes an adapter; `None` when it has no settings. Raises: PlatformUnavailable, ImportError."""


def loading_devices(settings: Settings) -> Devices:
    """A thread for each device, with the model that the settings name. Enter before a loop runs.

    Entering raises:
        ModelUnavailable: its message is one sentence for the operator.
    """

    def load(spec: ModelSpec) -> Backend:
        return load_model(spec, cache_dir=settings.data_dir / "models", progress=sys.stderr)

    return Devices(
        [
            partial(load, replace(settings.model_spec, device=device))
            for device in settings.devices or (settings.device,)
        ]
    )


@asynccontextmanager
async def running_services(
    settings: Settings, devices: Devices, *, state: Path
) -> AsyncIterator[Services]:
    """The core over a loaded model, with its store in `state`."""
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
                lists={
                    "slack": _slack_allow_list(settings),
                    "discord": _discord_allow_list(settings),
                },
            ),
            options=AnswerOptions(
                system_prompt=settings.system_prompt,
                temperature=settings.temperature,
                max_new_tokens=settings.max_new_tokens,
            ),
        )
        # Whatever ends the bot: what is under way is left to the next start.
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


# -- platforms ----------------------------------------------------------------------------------


def make_playground(services: Services) -> Playground:
    """The playground runs always."""
    settings = services.settings
    password = settings.llava_bot_password
    return Playground(
        core=services.answers,
        store=services.store,
        erasure=services.erasure,
        uploads=Uploads(
            settings.data_dir / "uploads",
            max_file_bytes=settings.picture_limits.max_bytes,
            max_files=settings.pictures_per_question,
        ),
        host=settings.llava_bot_host,
        port=settings.llava_bot_port,
        password=None if password is None else password.get_secret_value(),
        pictures_per_question=settings.pictures_per_question,
    )


def make_slack(services: Services) -> Platform | None:
    """Slack runs when one of its tokens or secrets is set."""
    settings = services.settings
    if not (settings.slack_bot_token or settings.slack_app_token or settings.slack_client_id):
        return None
    from bot.platforms.slack.options import SlackOptions
    from bot.platforms.slack.platform import Slack

    return Slack(
        core=services.answers,
        store=services.store,
        addressing=services.addressing,
        commands=services.commands,
        erasure=services.erasure,
        options=SlackOptions.of(settings),
    )


def _slack_allow_list(settings: Settings) -> AllowList:
    return AllowList(
        teams=settings.slack_teams,
        channels=settings.slack_channels,
        users=settings.slack_users,
    )


def make_discord(services: Services) -> Platform | None:
    """Discord runs when its token is set."""
    settings = services.settings
    if not settings.discord_bot_token:
        return None
    from bot.platforms.discord.options import DiscordOptions
    from bot.platforms.discord.platform import Discord

    return Discord(
        core=services.answers,
        store=services.store,
        addressing=services.addressing,
        commands=services.commands,
        erasure=services.erasure,
        options=DiscordOptions.of(settings),
    )


def _discord_allow_list(settings: Settings) -> AllowList:
    return AllowList(
        teams=settings.discord_guilds,
        channels=settings.discord_channels,
        users=settings.discord_users,
        roles=settings.discord_roles,
        direct=settings.discord_direct_messages,
    )


# A new platform is a line here (docs/add-a-platform.md).
PLATFORMS: dict[str, PlatformMaker] = {
    "playground": make_playground,
    "slack": make_slack,
    "discord": make_discord,
}
