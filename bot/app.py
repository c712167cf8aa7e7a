"""Runs the bot: starts its services and platforms, waits for a signal, stops in good order."""

from __future__ import annotations

import asyncio
import atexit
import gc
import logging
import tempfile
import webbrowser
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from filelock import FileLock, Timeout

from bot import interrupts, private_files
from bot.composition import Services, devices_of, loading_devices, running_services
from bot.configuration import Configuration
from bot.core.processes.takeover import running_takeover
from bot.deadline import Deadline
from bot.errors import EXIT_ENGINE_DEAD, ConfigurationError
from bot.logs.native import native_output_withheld
from bot.model_server_settings import ModelServerSettings
from bot.monitoring.metrics import Metrics
from bot.monitoring.server import running_monitoring
from bot.monitoring.settings import MonitoringSettings
from bot.monitoring.systemd import supervised
from bot.platforms.entry import PlatformEntry
from bot.platforms.platform import Platform, PlatformUnavailable
from bot.platforms.registry import PLATFORMS
from bot.platforms.terminal.pictures import locale_of_environment
from bot.platforms.terminal.terminal import Terminal
from bot.settings import revealed
from bot.store import LeaseRecord, StoreFailed
from bot.sweep import running_sweep
from bot.values.messages import IncomingMessage
from inference.errors import ModelUnavailable, safe_traceback
from inference.serving.fleet import Devices
from inference.serving.starting import StartingEngine
from inference.types import ModelInfo

log = logging.getLogger(__name__)

LOCKED_WITHIN_S = 2.0
"""A backup and `doctor` hold the folder's lock for a moment, to see whether a bot has it."""
CLOSING_S = 5.0
"""After `DRAIN_S`, everything else that a stop does has so long; then the process ends anyway."""
CLOSE_WITHIN_S = 1.0
"""How long a stop waits for a platform to disconnect; twice."""

Platforms: TypeAlias = dict[str, Platform]
"""Adapters by their entry's title."""


def run_terminal(
    configuration: Configuration,
    converse: Callable[[Terminal], Coroutine[Any, Any, int]],
    *,
    quiet: bool = False,
) -> int:
    """Hold a conversation at the terminal and keep nothing of it. Returns: the exit code.

    `quiet`: say nothing of the load, and nothing while a question waits.

    Raises:
        ConfigurationError: no folder for temporary files is writable.
        ModelUnavailable: its message is one sentence for the operator.
    """
    private_files.keep_private()
    _check_temporary_folder()

    async def run(devices: Devices, state: Path) -> int:
        async with running_services(configuration, devices, state=state) as services:
            await services.engine.loaded()
            locale = locale_of_environment()
            return await converse(Terminal(services.answers, locale=locale, quiet=quiet))

    with (
        loading_devices(
            configuration.bot, configuration.of(ModelServerSettings), quiet=quiet
        ) as devices,
        tempfile.TemporaryDirectory(prefix="llava-bot-") as folder,
    ):
        interrupts.raise_keyboard_interrupt()
        return asyncio.run(run(devices, Path(folder)))


def _check_temporary_folder() -> None:
    """Check before the model is loaded, which takes long."""
    try:
        tempfile.gettempdir()
    except OSError:
        raise ConfigurationError(
            "No folder for temporary files can be written: set TMPDIR to one that can."
        ) from None


# -- llava-bot run ------------------------------------------------------------------------------


def run(
    configuration: Configuration,
    *,
    open_page: bool = False,
    platforms: Sequence[PlatformEntry[Any]] = PLATFORMS,
) -> int:
    """Run the bot until a signal or the engine's death. Returns: the exit code.

    Raises:
        ConfigurationError: no platform could be started, another bot uses the directory, or the
            store cannot be used.
        ModelUnavailable: the model cannot be loaded. Every page that waits for it has been told.
    """
    private_files.keep_private()
    settings = configuration.bot
    platforms = _with_sound_settings(configuration, platforms)
    _lock_data_dir(settings.data_dir)
    with (
        native_output_withheld(),
        devices_of(settings, configuration.of(ModelServerSettings)) as devices,
    ):
        interrupts.raise_keyboard_interrupt()
        try:
            return asyncio.run(_run(configuration, devices, platforms, open_page=open_page))
        except StoreFailed as exc:  # during the start: later ones have their ends
            raise ConfigurationError(
                f"The bot cannot start, because its store fails ({exc.reason}): make room on the "
                "disk, or see what else uses the database. Nothing is lost."
            ) from None


def _with_sound_settings(
    configuration: Configuration, platforms: Sequence[PlatformEntry[Any]]
) -> list[PlatformEntry[Any]]:
    """The platforms whose settings can be right. Asked before the model is loaded."""
    sound: list[PlatformEntry[Any]] = []
    for entry in platforms:
        settings = configuration.of(entry.settings)
        try:
            if entry.is_set_up(settings):
                entry.check(settings)
        except PlatformUnavailable as exc:
            log.error("%s does not run: %s", entry.title, exc)
        else:
            sound.append(entry)
    return sound


async def _run(
    configuration: Configuration,
    devices: Devices,
    platforms: Sequence[PlatformEntry[Any]],
    *,
    open_page: bool,
) -> int:
    settings = configuration.bot
    signals = _Signals()
    for number in interrupts.ending_signals():
        asyncio.get_running_loop().add_signal_handler(number, signals.received)
    async with (
        running_services(
            configuration,
            devices,
            state=settings.data_dir,
            database_url=revealed(settings.database_url),
        ) as services,
        running_sweep(services),
        running_monitoring(
            configuration.of(MonitoringSettings),
            services.health,
            Metrics(),
            folder=settings.data_dir,
        ) as monitored_at,
        supervised(
            services.health,
            services.engine,
            until=signals.stop.wait,
            ends_within_s=settings.drain_s + CLOSING_S,
        ),
    ):
        if monitored_at is not None:
            log.info("health checks and metrics are at %s", monitored_at)
        lock = settings.data_dir / private_files.LOCK
        await services.store.lease.succeed(LeaseRecord(settings.data_dir, lock))
        # In a thread: the SDKs are imported there.
        made = await asyncio.to_thread(_make_platforms, services, configuration, platforms)
        return await _serve(services, devices, made, signals, open_page=open_page)


def freeze_garbage() -> None:
    """Exempt what the start has made from garbage collection.

    A full collection over torch, transformers and SQLAlchemy blocks the loop for 80 to 200 ms
    (measured on 2 cores, 2026-11-23) and finds nothing: these objects live as long as the bot.
    """
    gc.collect()
    gc.freeze()


class _Signals:
    """The first signal asks for an orderly stop; the second does not wait for answers."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.stop_now = asyncio.Event()

    def received(self) -> None:
        (self.stop_now if self.stop.is_set() else self.stop).set()


async def _serve(
    services: Services,
    devices: Devices,
    made: Platforms,
    signals: _Signals,
    *,
    open_page: bool,
) -> int:
    engine = services.engine
    try:
        # Before new input, so that questions of an earlier run keep their place in their thread.
        await _resume_unfinished(services, made)
        started = await _start_platforms(made)
        if not started:
            raise ConfigurationError("No platform could be started; see the reasons above.")
        _announce(started, open_page=open_page)
        # Last: until here a mistake in the settings costs no download.
        devices.start()
        async with running_takeover(
            services.store,
            {platform.name for platform in started.values()},
            partial(_resume, started),
            is_ready=lambda: engine.model is not None,
        ):
            await _first_completed(_run_engine(engine), signals.stop.wait())
        exit_code = EXIT_ENGINE_DEAD if engine.died.is_set() else 0
        await _drain(services, started, signals, exit_code)
        if not signals.stop.is_set():
            await engine.loaded()
        return exit_code
    finally:
        await _within(CLOSE_WITHIN_S, (platform.close() for platform in made.values()))


async def _drain(services: Services, started: Platforms, signals: _Signals, exit_code: int) -> None:
    """Let running answers end. From here on the process has a deadline that nothing extends."""
    # What waits for a model that has not been loaded is left to the next start.
    drain_s = 0 if services.engine.model is None else services.settings.drain_s
    deadline = Deadline()
    deadline.begin(drain_s + CLOSING_S, exit_code=exit_code)
    await _within(CLOSE_WITHIN_S, (platform.stop_intake() for platform in started.values()))
    services.store.hurry()
    if drain_s:
        log.info("stopping: running answers have %g s to end", drain_s)
        await _first_completed(_drain_all(services, drain_s), signals.stop_now.wait())
        deadline.begin(CLOSING_S, exit_code=exit_code)
    await services.answers.drain(0)


async def _drain_all(services: Services, drain_s: float) -> None:
    await asyncio.gather(services.answers.drain(drain_s), services.completions.drain(drain_s))


async def _within(seconds: float, closing: Iterable[Awaitable[None]]) -> None:
    """Wait for all of them, but not for one that hangs."""
    tasks = [asyncio.ensure_future(each) for each in closing]
    if not tasks:
        return
    done, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        log.warning("a platform is left before it has disconnected")
        task.cancel()
    for task in done:
        if not task.cancelled() and (exc := task.exception()) is not None:
            log.error("a platform did not disconnect: %s", safe_traceback(exc))


async def _run_engine(engine: StartingEngine) -> None:
    """Return when the model could not be loaded, or when the engine has died."""
    try:
        model = await engine.loaded()
    except ModelUnavailable:
        return
    freeze_garbage()
    _log_model(model)
    await engine.died.wait()


def _log_model(model: ModelInfo) -> None:
    log.info("%s answers on %s", model.name, model.device)
    if model.why_not_fast is not None:
        log.info("one question at a time: %s", model.why_not_fast)


async def _first_completed(*coroutines: Coroutine[Any, Any, object]) -> None:
    """Wait for the first to finish, then cancel the rest."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _make_platforms(
    services: Services, configuration: Configuration, platforms: Sequence[PlatformEntry[Any]]
) -> Platforms:
    made: Platforms = {}
    for entry in platforms:
        settings = configuration.of(entry.settings)
        if not entry.is_set_up(settings):
            continue
        try:
            made[entry.title] = entry.make(services, settings)
        except ImportError as exc:
            log.error("%s does not run: the package %s is missing.", entry.title, exc.name)
        except PlatformUnavailable as exc:
            log.error("%s does not run: %s", entry.title, exc)
    return made


async def _start_platforms(made: Platforms) -> Platforms:
    """Start each; one that cannot leaves the others running."""
    started: Platforms = {}
    for title, platform in made.items():
        try:
            await platform.start()
        except PlatformUnavailable as exc:
            log.error("%s does not run: %s", title, exc)
        except Exception as exc:  # noqa: BLE001 - an SDK's surprise must not take the others down
            log.error("%s does not run: %s", title, safe_traceback(exc))
        else:
            started[title] = platform
    return started


async def _resume_unfinished(services: Services, made: Platforms) -> None:
    inbox = services.store.inbox
    if not services.store.lease.is_shared:
        for message in await inbox.unfinished():
            _resume(made, message)
        return
    if not await services.store.lease.is_alone():
        return  # the others have a model: see `running_takeover`
    platforms = {platform.name for platform in made.values()}
    while taken := await inbox.take_over(platforms, left=True):
        for message in taken:
            _resume(made, message)


def _resume(platforms: Platforms, message: IncomingMessage) -> None:
    by_name = {platform.name: platform for platform in platforms.values()}
    platform = by_name.get(message.key.platform)
    if platform is None:
        log.warning("a question of %s waits for that platform", message.key.platform)
    else:
        platform.resume(message)


def _announce(started: Platforms, *, open_page: bool) -> None:
    for title, platform in started.items():
        if platform.address is not None:
            log.info("%s is at %s", title, platform.address)
            if open_page:
                # In a thread: some browsers keep the call until they are closed.
                asyncio.get_running_loop().run_in_executor(None, webbrowser.open, platform.address)


def _lock_data_dir(data_dir: Path) -> None:
    """Lock the private directory: two bots would answer each other's questions.

    Until the process has ended, threads included: one that hangs could still write there.

    Raises: ConfigurationError.
    """
    lock = FileLock(data_dir / private_files.LOCK, mode=private_files.FILE)
    try:
        private_files.protect(data_dir)
        lock.acquire(timeout=LOCKED_WITHIN_S)
    except private_files.OpenToOthers as exc:
        raise ConfigurationError(f"DATA_DIR: {exc}") from None
    except Timeout:  # itself an OSError
        raise ConfigurationError(
            f"Another llava-bot runs on {data_dir}: stop it, or set DATA_DIR."
        ) from None
    except OSError as exc:
        raise ConfigurationError(
            f"DATA_DIR: {data_dir} cannot be used ({exc.strerror or type(exc).__name__})."
        ) from None
    except NotImplementedError:
        raise ConfigurationError(
            f"DATA_DIR: {data_dir} is on a file system without locks; set DATA_DIR to another."
        ) from None
    # Run after the interpreter has waited for its threads; a process that is killed needs no call.
    atexit.register(lock.release)
