"""The command line. Thin: it reads arguments, calls, and turns errors into sentences.

Whatever takes long to import (torch, the SDKs, the database, Pillow) is imported by the command
that needs it: `--help` and wrong arguments answer at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bot.configuration import Configuration, load_configuration, variables
from bot.errors import CommandFailed, ConfigurationError
from bot.home import ensure_home
from bot.logs import set_log_level, set_up_logging
from bot.platforms.findings import Finding
from bot.platforms.registry import PLATFORMS
from bot.settings import Settings
from inference.errors import ModelUnavailable, safe_traceback
from inference.standard_streams import EXIT_FAILED, OutputLost, holds_any_text

if TYPE_CHECKING:
    from bot.platforms.terminal.terminal import PictureFile, Terminal

EXIT_INTERRUPTED = 130

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command. Returns: its exit code; errors are one sentence on stderr, no traceback.

    Raises:
        OutputLost: stdout cannot be written.
    """
    arguments = build_parser().parse_args(argv)
    held_back = set_up_logging(shown=arguments.command == "run" or arguments.verbose)
    code = EXIT_FAILED
    try:
        _check_current_folder()
        configuration = load_configuration(**_settings_in(arguments))
        set_log_level(configuration.bot.log_level)
        _tell_of_unknown_settings(configuration, arguments.command)
        ensure_home(configuration.bot.data_dir)
        code = _command(arguments, configuration)
    except (KeyboardInterrupt, asyncio.CancelledError):
        return EXIT_INTERRUPTED
    except OutputLost:
        raise
    except (CommandFailed, ModelUnavailable) as exc:
        print(exc, file=sys.stderr)
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


def build_parser() -> argparse.ArgumentParser:
    """The arguments of every command."""
    parser = argparse.ArgumentParser(
        prog="llava-bot", description="Ask about a picture; the model runs on this machine."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run the bot: every platform that has its settings")
    for platform in PLATFORMS:
        if platform.add_run_arguments is not None:
            platform.add_run_arguments(run)
    run.add_argument(
        "--open", action="store_true", help="open the bot's page in a browser, if there is one"
    )

    ask = commands.add_parser("ask", help="ask one question about a picture")
    ask.add_argument("picture", help="a file, or an https address")
    ask.add_argument("question")
    ask.add_argument(
        "--json", action="store_true", help="print text, model, timings and receipt as JSON"
    )

    chat = commands.add_parser("chat", help="ask several questions about a picture, one per line")
    chat.add_argument(
        "--image-file",
        action="append",
        default=[],
        metavar="PICTURE",
        help="a file, or an https address; may be given several times",
    )

    channel_forms = ", ".join(
        f"{platform.title}: {platform.doctor.channel_form}"
        for platform in PLATFORMS
        if platform.doctor is not None
    )
    doctor = commands.add_parser("doctor", help="check the set-up and say what to fix")
    doctor.add_argument(
        "--channel",
        metavar="ID",
        help=f"post a message in this channel ({channel_forms}) and delete it",
    )

    manifest = commands.add_parser(
        "manifest", help="print what a platform needs to know about the bot"
    )
    manifests = {
        platform.name: platform.manifest for platform in PLATFORMS if platform.manifest is not None
    }
    manifest.add_argument("platform", choices=list(manifests))
    for platform_manifest in manifests.values():
        platform_manifest.add_arguments(manifest)

    bench = commands.add_parser("bench", help="measure how fast a model is on this machine")
    _add_bench_arguments(bench)

    for command in (run, ask, chat, bench):
        _add_model_arguments(command)
    for command in (ask, chat, doctor, manifest, bench):
        command.add_argument(
            "--verbose", action="store_true", help="log on stderr, as `run` does (LOG_LEVEL)"
        )
    return parser


def _add_bench_arguments(bench: argparse.ArgumentParser) -> None:
    bench.add_argument(
        "--random-weights",
        action="store_true",
        help="build the model in its true shapes from random weights instead of downloading it",
    )
    bench.add_argument("--quantize", choices=["none", "int8", "nf4"], help="quantize the weights")
    bench.add_argument(
        "--threads",
        type=_number_of(1, 256),
        nargs="+",
        metavar="N",
        help="concurrent threads (1 8 32)",
    )
    bench.add_argument(
        "--same-picture", action="store_true", help="ask about the same picture in all threads"
    )
    bench.add_argument(
        "--new-tokens",
        type=_number_of(8, 2048),
        default=128,
        metavar="N",
        help="generated per thread",
    )
    bench.add_argument(
        "--without-static", action="store_true", help="do not measure the compiled generate()"
    )
    bench.add_argument(
        "--without-generate", action="store_true", help="do not measure generate() at all"
    )
    bench.add_argument("--cache-tokens", type=int, metavar="N", help="limit the KV cache")
    bench.add_argument(
        "--quantize-cache",
        choices=["auto", "none", "int8"],
        help="store the KV cache in 8 bits",
    )
    bench.add_argument("--json", action="store_true", help="print the figures as JSON")
    bench.add_argument("--plot", metavar="FILE.png", help="plot tokens per second over threads")


def _number_of(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"'{text}' is not a number from {least} to {most}")
        return int(text)

    return number


def _add_model_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("model (instead of the settings of the same names)")
    group.add_argument("--model", "--model-path", help="pocket, a name on the hub, or a folder")
    group.add_argument("--revision", dest="model_revision", help="branch, tag or commit")
    bits = group.add_mutually_exclusive_group()
    bits.add_argument(
        "--load-4bit", dest="quantize", action="store_const", const="nf4", help="4-bit weights"
    )
    bits.add_argument(
        "--load-8bit", dest="quantize", action="store_const", const="int8", help="8-bit weights"
    )
    group.add_argument("--dtype", help="auto, float32, bfloat16 or float16")
    group.add_argument("--device", help="auto, cpu, cuda:0, …")
    group.add_argument("--context-tokens", type=int, metavar="N")
    group.add_argument("--max-pictures", type=int, metavar="N")
    group.add_argument("--temperature", type=float, metavar="T")
    group.add_argument("--max-new-tokens", type=int, metavar="N")


def _settings_in(arguments: argparse.Namespace) -> dict[str, object]:
    settings = {variable.lower() for variable in variables()}
    return {name: value for name, value in vars(arguments).items() if name in settings}


def _command(arguments: argparse.Namespace, configuration: Configuration) -> int:
    # `bot.app` imports torch, so it comes after everything that can fail without it.
    match arguments.command:
        case "run":
            from bot.app import run

            return run(configuration, open_page=arguments.open and _has_screen())
        case "bench":
            return _bench(arguments, configuration.bot)
        case "doctor":
            return asyncio.run(_doctor(configuration, arguments.channel))
        case "manifest":
            _print_manifest(arguments, configuration)
            return 0
        case "ask":
            pictures = _read_pictures([arguments.picture], configuration.bot)
            from bot.app import run_terminal

            return run_terminal(configuration, partial(_ask, arguments, pictures))
        case _:
            pictures = _read_pictures(arguments.image_file, configuration.bot)
            from bot.app import run_terminal
            from bot.platforms.terminal.terminal import chat

            return run_terminal(configuration, partial(chat, pictures))


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
    )
    if arguments.plot:
        check_plot(Path(arguments.plot))
    report = run(options, cache_dir=settings.data_dir / "models", progress=sys.stderr)
    print(report.to_json() if arguments.json else table(report))
    if arguments.plot:
        plot(report, Path(arguments.plot))
    return 0


def _print_manifest(arguments: argparse.Namespace, configuration: Configuration) -> None:
    for platform in PLATFORMS:
        if platform.name == arguments.platform and platform.manifest is not None:
            made = platform.manifest.make(configuration.of(platform.settings), arguments)
            print(made if isinstance(made, str) else _json(made, indent=2))


async def _doctor(configuration: Configuration, channel: str | None) -> int:
    findings = [
        Finding(sentence, "correct the name, or remove it.") for sentence in configuration.unknown
    ]
    for platform in PLATFORMS:
        if (doctor := platform.doctor) is None:
            continue
        settings = configuration.of(platform.settings)
        if platform.is_set_up(settings):
            is_its_channel = channel is not None and doctor.is_channel(channel)
            findings += await doctor.examine(settings, channel if is_its_channel else None)
        else:
            print(f"{platform.title} is not set up: README, {platform.title}, says how.")
    for finding in findings:
        print(finding)
    return 0 if all(finding.is_well or finding.unknown for finding in findings) else EXIT_FAILED


def _has_screen() -> bool:
    return sys.platform in {"darwin", "win32"} or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )


def _read_pictures(sources: Sequence[str], settings: Settings) -> tuple[PictureFile, ...]:
    from bot.platforms.terminal.terminal import read_picture

    async def read() -> list[PictureFile]:
        return [await read_picture(source, settings.picture_limits) for source in sources]

    return tuple(asyncio.run(read()))


async def _ask(
    arguments: argparse.Namespace, pictures: tuple[PictureFile, ...], terminal: Terminal
) -> int:
    out = None if arguments.json else sys.stdout
    # The terminal may send bytes that are not UTF-8.
    question = arguments.question.encode("utf-8", "replace").decode("utf-8")
    ending = await terminal.ask(question, pictures, out)
    if arguments.json:
        result = {
            "text": ending.text,
            "model": terminal.model.name,
            "timings": ending.timings,
            "receipt": ending.receipt.to_json(),
        }
        print(_json(result))
    return 0


def _json(value: object, *, indent: int | None = None) -> str:
    """Readable where stdout can encode any character; otherwise escaped."""
    return json.dumps(value, ensure_ascii=not holds_any_text(sys.stdout), indent=indent)
