"""The command line. Thin: it reads arguments, calls, and turns errors into sentences.

Whatever takes long to import (torch, the SDKs, the database, Pillow) is imported by the command
that needs it: `--help` and wrong arguments answer at once.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import logging
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot import completion, interrupts
from bot.arguments import build_parser
from bot.configuration import Configuration, load_configuration, read_configuration, variables
from bot.errors import CommandFailed, ConfigurationError
from bot.home import ensure_home
from bot.logs import set_log_format, set_log_level, set_up_logging
from bot.platforms.registry import PLATFORMS
from bot.platforms.web.settings import PlaygroundSettings
from bot.settings import Settings, revealed
from inference.errors import ModelUnavailable, safe_traceback
from inference.standard_streams import EXIT_FAILED, OutputLost, holds_any_text

if TYPE_CHECKING:
    from bot.platforms.terminal.chat import ReadPictures
    from bot.platforms.terminal.conversation import Conversation

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

HERE = frozenset({"log_level", "data_dir"})
"""Settings of the command itself, also where a running bot answers."""

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command. Returns: its exit code; errors are one sentence on stderr, no traceback.

    Raises:
        OutputLost: stdout cannot be written.
    """
    parser = build_parser()
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help(sys.stderr)
        return EXIT_USAGE
    if arguments.command == "completion":  # it needs no settings, and none can spoil it
        print(completion.script(parser, arguments.shell))
        return 0
    held_back = set_up_logging(shown=arguments.command == "run" or arguments.verbose)
    code = EXIT_FAILED
    try:
        _check_current_folder()
        # `doctor` tells what is wrong with them among what else it finds.
        load = read_configuration if arguments.command == "doctor" else load_configuration
        configuration = load(**_settings_in(arguments))
        set_log_level(configuration.bot.log_level)
        set_log_format(configuration.bot.log_format)
        _tell_of_unknown_settings(configuration, arguments.command)
        ensure_home(configuration.bot.data_dir)
        code = _command(arguments, configuration)
    except (KeyboardInterrupt, asyncio.CancelledError):
        return EXIT_INTERRUPTED
    except OutputLost:
        raise
    except (CommandFailed, ModelUnavailable) as exc:
        print(exc, file=sys.stderr)
        if arguments.command == "doctor" and arguments.json:
            _print_unexamined(exc)
    except OSError as exc:
        log.error("the command failed: %s", safe_traceback(exc))
        where = "" if exc.filename is None else f" ({exc.filename})"
        print(f"llava-bot cannot go on: {exc.strerror or exc}{where}.", file=sys.stderr)
    except Exception as exc:  # noqa: BLE001 - the last border before the shell: people get a sentence
        log.error("the command failed: %s", safe_traceback(exc))
        print(f"llava-bot has failed: {type(exc).__name__}.", file=sys.stderr)
    if code != 0 and held_back.has_errors:
        print("To see where it failed, add --verbose.", file=sys.stderr)
    return code


def _tell_of_unknown_settings(configuration: Configuration, command: str) -> None:
    """Where the command's own log is read, or else before its output."""
    for sentence in configuration.unknown:
        if command == "run":
            log.warning("%s", sentence)
        elif command != "doctor":  # it says so itself, among what it finds
            print(sentence, file=sys.stderr)


def _check_current_folder() -> None:
    """torch's libraries end the process when it has been deleted."""
    try:
        Path.cwd()
    except OSError:
        raise ConfigurationError(
            "The current folder has been deleted: change to another one."
        ) from None


def _settings_in(arguments: argparse.Namespace) -> dict[str, object]:
    settings = {variable.lower() for variable in variables()}
    return {name: value for name, value in vars(arguments).items() if name in settings}


def _command(arguments: argparse.Namespace, configuration: Configuration) -> int:
    # `bot.app` imports torch, so it comes after everything that can fail without it.
    match arguments.command:
        case "run":
            from bot.app import run

            return run(configuration, open_page=arguments.open and _has_screen())
        case "bench" | "compare" | "evaluate" | "models":
            return _measure(arguments, configuration)
        case "doctor":
            return asyncio.run(
                _doctor(
                    configuration,
                    arguments.channel,
                    as_json=arguments.json,
                    asks_model=not arguments.quick,
                )
            )
        case "setup":
            return _setup(arguments)
        case "status":
            return _status(configuration, as_json=arguments.json)
        case "store":
            from bot.store_commands import run_store_command

            return run_store_command(arguments, configuration.bot)
        case "manifest":
            _print_manifest(arguments, configuration)
            return 0
        case "ask":
            return _ask(arguments, configuration)
        case _:
            return _chat(arguments, configuration)


def _status(configuration: Configuration, *, as_json: bool) -> int:
    from bot.status.asking import ask
    from bot.status.report import as_text

    said = ask(configuration)
    print(_json(said, indent=2) if as_json else as_text(said))
    return 0 if said["ready"] else EXIT_FAILED


def _setup(arguments: argparse.Namespace) -> int:
    from bot.setup.wizard import Wishes, set_up

    return set_up(
        Wishes(
            given=_settings_in(arguments),
            takes_defaults=arguments.yes,
            downloads=not arguments.no_download,
        )
    )


def _measure(arguments: argparse.Namespace, configuration: Configuration) -> int:
    """What is said about models without a bot."""
    match arguments.command:
        case "bench":
            return _bench(arguments, configuration.bot)
        case "compare":
            return _compare(arguments, configuration)
        case "evaluate":
            return _evaluate(arguments, configuration)
        case _:
            return _models(arguments)


def _bench(arguments: argparse.Namespace, settings: Settings) -> int:
    from inference.bench.report import check_plot, plot, table
    from inference.bench.run import Options, run

    options = Options(
        spec=settings.model_spec,
        random_weights=arguments.random_weights,
        threads=tuple(arguments.threads or ()),
        same_picture=arguments.same_picture,
        new_tokens=arguments.new_tokens,
        static=not arguments.without_static,
        generate=not arguments.without_generate,
        anyway=arguments.yes,
    )
    if arguments.plot:
        check_plot(Path(arguments.plot))
    progress = io.StringIO() if arguments.quiet else sys.stderr
    report = run(options, cache_dir=settings.data_dir / "models", progress=progress)
    print(report.to_json() if arguments.json else table(report))
    if arguments.plot:
        plot(report, Path(arguments.plot))
    return 0


def _compare(arguments: argparse.Namespace, configuration: Configuration) -> int:
    from bot.evaluation.comparing import Wishes, compare
    from bot.platforms.terminal.pictures import read_pictures, read_question

    question = read_question(arguments.question, arguments.picture)
    limits = configuration.bot.picture_limits
    files = asyncio.run(read_pictures(arguments.picture, limits, check=False))
    wishes = Wishes(
        models=arguments.compared,
        question=question,
        html=None if arguments.html is None else Path(arguments.html),
        as_json=arguments.json,
        quiet=arguments.quiet,
    )
    return compare(wishes, files, configuration)


def _evaluate(arguments: argparse.Namespace, configuration: Configuration) -> int:
    from bot.evaluation.command import Wishes, evaluate

    def path(given: str | None) -> Path | None:
        return None if given is None else Path(given)

    return evaluate(
        Wishes(
            what=arguments.what,
            source=Path(arguments.source),
            split=arguments.split,
            limit=arguments.limit,
            at_once=arguments.at_once,
            output=path(arguments.output),
            pictures=path(arguments.pictures),
            as_asked=arguments.as_asked,
            as_json=arguments.json,
            quiet=arguments.quiet,
        ),
        configuration,
    )


def _models(arguments: argparse.Namespace) -> int:
    from bot.doctor.model import gpus
    from inference.catalogue import Card, Need, as_document, as_text, fast_models, fits_on

    if arguments.memory is not None:
        size = arguments.memory
        card = Card(name=f"A card of {size} GB", memory_bytes=size * 1e9)
    elif found := gpus():
        card = Card(name=found[0].name, memory_bytes=found[0].total_bytes)
    else:
        raise CommandFailed(
            "There is no NVIDIA GPU here: say for which card to plan, for example --memory 24. "
            "Without a GPU, use the pocket model (MODEL=pocket)."
        )
    need = Need(threads=arguments.threads)
    fits = fits_on(card, need, fast=fast_models())
    if arguments.json:
        print(_json(as_document(card, need, fits), indent=2))
    else:
        print(as_text(card, need, fits))
    return 0


def _print_manifest(arguments: argparse.Namespace, configuration: Configuration) -> None:
    for platform in PLATFORMS:
        if platform.name == arguments.platform and platform.manifest is not None:
            made = platform.manifest.make(configuration.of(platform.settings), arguments)
            print(made if isinstance(made, str) else _json(made, indent=2))


async def _doctor(
    configuration: Configuration,
    channel: str | None,
    *,
    as_json: bool,
    asks_model: bool = False,
) -> int:
    from bot.doctor.examination import asks_others, examine, is_well
    from bot.doctor.report import as_document, as_text

    if (others := asks_others(configuration)) and sys.stderr.isatty():
        print(f"Asking {' and '.join(others)}, and looking at this machine …", file=sys.stderr)
    areas = await examine(configuration, channel=channel, asks_model=asks_model)
    print(_json(as_document(areas), indent=2) if as_json else as_text(areas))
    return 0 if is_well(areas) else EXIT_FAILED


def _print_unexamined(exc: Exception) -> None:
    """Who reads JSON gets it, whatever keeps the examination from beginning."""
    from bot.doctor.examination import unexamined
    from bot.doctor.report import as_document

    print(_json(as_document([unexamined(str(exc))]), indent=2))


def _has_screen() -> bool:
    return sys.platform in {"darwin", "win32"} or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )


def _ask(arguments: argparse.Namespace, configuration: Configuration) -> int:
    from bot.platforms.terminal.pictures import read_question

    read = _picture_reader(arguments, configuration)
    pictures = asyncio.run(read(arguments.picture))
    question = read_question(arguments.question, arguments.picture)

    async def converse(conversation: Conversation) -> int:
        from bot.platforms.terminal.conversation import remarks

        ending = await conversation.ask(question, pictures, None if arguments.json else sys.stdout)
        if arguments.json:
            result = {
                "text": ending.text,
                "model": conversation.model_name,
                "timings": ending.timings,
                "receipt": ending.receipt.to_json(),
            }
            print(_json(result))
        elif not arguments.quiet:
            for remark in remarks(ending.receipt):
                print(remark, file=sys.stderr)
        return 0

    return _converse(arguments, configuration, converse)


def _chat(arguments: argparse.Namespace, configuration: Configuration) -> int:
    from bot.platforms.terminal.chat import chat

    read = _picture_reader(arguments, configuration)
    pictures = asyncio.run(read([*arguments.picture, *arguments.image_file]))
    return _converse(
        arguments, configuration, partial(chat, pictures, read=read, quiet=arguments.quiet)
    )


def _picture_reader(arguments: argparse.Namespace, configuration: Configuration) -> ReadPictures:
    """What reads and checks pictures; a bot that runs checks them by its own limits."""
    from bot.platforms.terminal.pictures import UNCHECKED_MAX_BYTES, read_pictures

    limits = configuration.bot.picture_limits
    if arguments.url is None:
        return partial(read_pictures, limits=limits)
    return partial(
        read_pictures, limits=replace(limits, max_bytes=UNCHECKED_MAX_BYTES), check=False
    )


def _converse(
    arguments: argparse.Namespace,
    configuration: Configuration,
    converse: Callable[[Conversation], Coroutine[Any, Any, int]],
) -> int:
    """With the bot that `--url` names, or with a model of our own."""
    if arguments.url is None:
        if not arguments.quiet and sys.stderr.isatty():
            _tell_of_a_running_bot(configuration.of(PlaygroundSettings))
        from bot.app import run_terminal

        return run_terminal(configuration, converse, quiet=arguments.quiet)
    own = [name for name, value in _settings_in(arguments).items() if value is not None]
    if own := [name for name in own if name not in HERE]:
        raise ConfigurationError(
            f"--{own[0].replace('_', '-')} has no effect on a bot that runs: leave it out, "
            "or leave out --url."
        )
    from bot.platforms.terminal.pictures import locale_of_environment
    from bot.platforms.terminal.remote import connected

    password = revealed(configuration.of(PlaygroundSettings).password)

    async def run() -> int:
        async with connected(
            arguments.url,
            password=password,
            locale=locale_of_environment(),
            quiet=arguments.quiet,
        ) as conversation:
            return await converse(conversation)

    interrupts.raise_keyboard_interrupt()
    return asyncio.run(run())


def _tell_of_a_running_bot(settings: PlaygroundSettings) -> None:
    from bot.platforms.terminal.running import running_bot

    if (address := running_bot(settings.host, settings.port)) is not None:
        print(f"A bot runs at {address}: --url {address} asks it at once.", file=sys.stderr)


def _json(value: object, *, indent: int | None = None) -> str:
    """Readable where stdout can encode any character; otherwise escaped."""
    return json.dumps(value, ensure_ascii=not holds_any_text(sys.stdout), indent=indent)
