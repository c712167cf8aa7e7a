"""Builds the bot's services over a model that loads meanwhile.

The only module that chooses what implements the engine; platforms come from
`bot.platforms.registry`.
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from bot import interrupts, texts
from bot.configuration import Configuration
from bot.core.access import Access, AllowList
from bot.core.addressing import Addressing
from bot.core.answer import Answers
from bot.core.answering.options import AnswerOptions
from bot.core.attachments import Attachments
from bot.core.commands import Commands
from bot.core.completions.accounts import Accounts
from bot.core.completions.completions import Completions
from bot.core.erasure import Erasure
from bot.core.in_flight import InFlightQuestions
from bot.core.presets import load_presets
from bot.core.processes.elsewhere import Elsewhere
from bot.images.decoding.pool import running_pool
from bot.images.reading.pool import running_reading_pool
from bot.model_server_settings import ModelServerSettings
from bot.monitoring.health import Health
from bot.monitoring.history import running_history
from bot.monitoring.overview import Overview
from bot.platforms.registry import PLATFORMS
from bot.platforms.services import AdapterServices
from bot.settings import Settings, revealed
from bot.store import address_of, running_store
from bot.values.presence import Presences
from inference.backends.load_beside import ModelsOfOneDevice
from inference.engine import Engine
from inference.names import check_name, is_remote
from inference.progress import StreamProgress
from inference.remote.connecting import RemoteModel
from inference.remote.options import ServerOptions
from inference.serving.fleet import Devices
from inference.serving.load_state import LoadState
from inference.serving.starting import StartingEngine, starting_engine

PATIENCE_S = 15.0
"""How long somebody at the terminal waits for a model's server that is down."""


@dataclass(frozen=True, kw_only=True)
class Services(AdapterServices):
    """The parts of a running bot, the engine included."""

    engine: StartingEngine
    health: Health


@contextmanager
def loading_devices(
    settings: Settings,
    servers: ModelServerSettings | None = None,
    *,
    quiet: bool = False,
) -> Iterator[Devices]:
    """Devices that have begun to load the first model.

    A model's server that is down is waited for, but not for long.

    Raises: ModelUnavailable: there is no such model.
    """
    with devices_of(
        settings, servers, quiet=quiet, all_models=False, patience_s=PATIENCE_S
    ) as devices:
        devices.start()
        yield devices


def devices_of(
    settings: Settings,
    servers: ModelServerSettings | None = None,
    *,
    quiet: bool = False,
    all_models: bool = True,
    patience_s: float | None = None,
) -> Devices:
    """One thread per device, for the models that the settings name; see `Devices`.

    `servers`: how those of models are talked to. `quiet`: print nothing of the load. `all_models`:
    not the first alone. `patience_s`: how long a server that is down is waited for.

    Raises:
        ModelUnavailable: there is no such model; its message is one sentence for the operator.
        ConfigurationError: `servers` has a key for none of `all_models`.
    """
    specs = settings.model_specs if all_models else {"": settings.model_spec}
    for spec in specs.values():
        check_name(spec.name)
    state = LoadState(StreamProgress(io.StringIO() if quiet else sys.stderr))
    servers = servers or ModelServerSettings.model_validate({})
    if all_models:
        servers.check_keys(spec.name for spec in specs.values())
    options = server_options(servers)
    remote = {
        name: RemoteModel(spec=spec, options=options, patience_s=patience_s)
        for name, spec in specs.items()
        if is_remote(spec.name)
    }
    local = {name: spec for name, spec in specs.items() if name not in remote}
    devices = [
        ModelsOfOneDevice(
            [replace(spec, device=device) for spec in local.values()],
            cache_dir=settings.data_dir / "models",
            progress=state,
        )
        for device in settings.devices or (settings.device,)
    ]
    loads = {name: [partial(device.load, i) for device in devices] for i, name in enumerate(local)}
    first = next(iter(local), "")
    return Devices(
        loads.pop(first, []), state, name=first, beside=loads, remote=remote, names=list(specs)
    )


def run_engine(
    settings: Settings,
    servers: ModelServerSettings,
    use: Callable[[Engine], Coroutine[Any, Any, None]],
    *,
    max_waiting: int,
    quiet: bool = False,
) -> None:
    """Load the first model and use it, without anything else of a bot.

    `max_waiting`: most requests that wait besides those that run. `quiet`: print nothing of the
    load. A signal raises KeyboardInterrupt.

    Raises: ModelUnavailable: its message is one sentence for the operator.
    """

    async def run(devices: Devices) -> None:
        async with starting_engine(devices, max_waiting=max_waiting) as engine:
            await engine.loaded()
            await use(engine)

    with loading_devices(settings, servers, quiet=quiet) as devices:
        interrupts.raise_keyboard_interrupt()
        asyncio.run(run(devices))


def peak_gpu_bytes(device: str) -> int | None:
    """The most that this process has held of its model's GPU; None where it has none."""
    if not device.startswith("cuda"):
        return None
    from inference.backends.gpu_memory import peak_bytes

    return peak_bytes(device)


def server_options(settings: ModelServerSettings) -> ServerOptions:
    """How the servers of models are talked to."""
    return ServerOptions(
        api_key=revealed(settings.api_key),
        keys=settings.keys_by_address,
        at_once=settings.at_once,
        first_token_s=settings.first_token_s,
        between_s=settings.between_s,
    )


@asynccontextmanager
async def running_services(
    configuration: Configuration, devices: Devices, *, state: Path, database_url: str | None = None
) -> AsyncIterator[Services]:
    """The core, with its store in `state`. Questions wait for the devices to load the model.

    `database_url`: where the store's database is instead.

    Raises: DatabaseUnusable.
    """
    settings = configuration.bot
    await asyncio.to_thread(texts.load)
    async with AsyncExitStack() as stack:
        url = None if database_url is None else address_of(database_url)
        store = await stack.enter_async_context(
            running_store(state, url=url, pictures_at=settings.pictures_at)
        )
        engine = await stack.enter_async_context(
            starting_engine(devices, max_waiting=settings.max_waiting)
        )
        decoding = await stack.enter_async_context(running_pool(settings.picture_limits))
        decoding.warm_up()
        readings = await stack.enter_async_context(running_reading_pool(settings.ocr))
        attachments = Attachments(
            decoding,
            pictures_per_question=settings.pictures_per_question,
            pictures_per_thread=settings.pictures_per_thread,
        )
        questions = InFlightQuestions(store.signals.tell)
        options = AnswerOptions(
            system_prompt=settings.system_prompt,
            temperature=settings.temperature,
            max_new_tokens=settings.max_new_tokens,
            timeout_s=settings.answer_timeout_s,
            presets=await asyncio.to_thread(load_presets, settings.presets_file),
            reads_pictures=readings is not None,
            looks_closer=settings.look_closer,
        )
        answers = Answers(
            store=store,
            questions=questions,
            engine=engine,
            attachments=attachments,
            access=Access(_allow_lists(configuration), is_silent=settings.refuse == "silence"),
            bounds=settings.question_bounds,
            options=options,
            readings=readings,
        )
        store.lease.on_lost = answers.abandon
        # However the bot ends: questions in flight are left to the next start.
        stack.push_async_callback(answers.drain, 0)
        erasure = Erasure(store, questions, engine, readings)
        store.signals.hear(Elsewhere(questions, engine, store.inbox, readings).follow)
        presences = Presences()
        health = Health(answers, store, presences=presences, folder=settings.data_dir)
        history = await stack.enter_async_context(running_history())
        yield Services(
            settings=settings,
            store=store,
            engine=engine,
            presences=presences,
            health=health,
            overview=Overview(health, store, history, bounds=settings.question_bounds),
            answers=answers,
            completions=Completions(
                engine=engine,
                decoding=decoding,
                options=options,
                accounts=Accounts(store),
                readings=readings,
            ),
            erasure=erasure,
            addressing=Addressing(store, questions, settings.follow_ups),
            commands=Commands(
                store=store,
                questions=questions,
                erasure=erasure,
                engine=engine,
                options=options,
                follow_ups=settings.follow_ups,
                bounds=settings.question_bounds,
                presences=presences,
            ),
        )


def _allow_lists(configuration: Configuration) -> dict[str, AllowList]:
    return {
        platform.name: platform.allow_list(configuration.of(platform.settings))
        for platform in PLATFORMS
        if platform.allow_list is not None
    }
