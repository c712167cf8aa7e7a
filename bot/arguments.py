"""The arguments of every command."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from importlib import metadata
from itertools import takewhile
from typing import Any, NoReturn

from bot.completion import SHELLS
from bot.platforms.registry import PLATFORMS
from bot.setting_arguments import add_setting_arguments
from inference.spelling import nearest

PICTURE = "a file, an https address, or - for standard input"


def version() -> str:
    """Of the installed package."""
    try:
        return metadata.version("llava-bot")
    except metadata.PackageNotFoundError:
        return "(not installed)"


UNKNOWN = "unrecognized arguments: "
MISSING = "the following arguments are required"
"""How sentences of `argparse` begin."""


class Parser(argparse.ArgumentParser):
    """Takes options between positional arguments: `ask a.jpg --json b.jpg "Which is newer?"`."""

    commands: Collection[str] = ()
    _intermixed = False
    _unknown: Sequence[str] = ()

    def error(self, message: str) -> NoReturn:
        """As `argparse`, with the command or the option that was probably meant."""
        if self._unknown and message.startswith(MISSING):  # a misspelt `--help` asks for nothing
            message = f"{UNKNOWN}{' '.join(self._unknown)}"
        meant = self._meant(message)
        super().error(message if meant is None else f"{message}: did you mean {meant}?")

    def _meant(self, message: str) -> str | None:
        if word := re.match(r"argument COMMAND: invalid choice: '(\S+)'", message):
            return nearest(word[1], self.commands)
        if word := re.match(rf"{UNKNOWN}(?:.*\s)?--([^\s=]+)", message):
            names = [option[2:] for option in self._option_string_actions if option[:2] == "--"]
            meant = nearest(word[1], names)
            return None if meant is None else f"--{meant}"
        return None

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As `argparse`, which by itself knows it of no parser that has subcommands.

        A command refuses what it does not know itself, with its own usage.
        """
        if self._intermixed or self._subparsers is not None:
            return super().parse_known_args(args, namespace)
        self._intermixed = True  # the method below calls this one
        self._unknown = [*self._unknown_in(args or ())]
        try:
            namespace, extras = self.parse_known_intermixed_args(args, namespace)
            if extras:
                self.error(f"{UNKNOWN}{' '.join(extras)}")
            return namespace, extras
        finally:
            self._intermixed = False
            self._unknown = ()

    def _unknown_in(self, words: Iterable[str]) -> Iterator[str]:
        """The words that `argparse` will take for options, and that are none."""
        for word in takewhile(lambda word: word != "--", words):
            name = word.partition("=")[0]
            begins_one = any(option.startswith(name) for option in self._option_string_actions)
            if word.startswith("--") and " " not in word and not begins_one:
                yield word


def build_parser() -> argparse.ArgumentParser:
    """The arguments of every command. Without a command, `command` is `None`."""
    title = f"llava-bot {version()}"
    parser = Parser(
        prog="llava-bot",
        description="Ask about pictures; the model runs on this machine.",
        epilog=f"{title}. `llava-bot COMMAND --help` says more about a command.",
    )
    parser.add_argument("-V", "--version", action="version", version=title)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    def command(name: str, usage: str, does: str) -> argparse.ArgumentParser:
        # Written out, the usage would begin every error with a screen of settings.
        return commands.add_parser(
            name, help=does, description=f"{does[0].upper()}{does[1:]}.", usage=f"llava-bot {usage}"
        )

    run = command("run", "run [OPTION]...", "run the bot: every platform that has its settings")
    run.add_argument(
        "--open", action="store_true", help="open the bot's page in a browser, if there is one"
    )

    ask = command(
        "ask", "ask [OPTION]... PICTURE... QUESTION", "ask one question about one or more pictures"
    )
    ask.add_argument("picture", nargs="+", metavar="PICTURE", help=PICTURE)
    ask.add_argument(
        "question", metavar="QUESTION", type=_question, help="in quotes; - reads standard input"
    )
    ask.add_argument(
        "--json", action="store_true", help="print text, model, timings and receipt as JSON"
    )

    chat = command(
        "chat",
        "chat [OPTION]... [PICTURE]...",
        "ask several questions about pictures, one per line",
    )
    chat.add_argument("picture", nargs="*", metavar="PICTURE", help="a file, or an https address")
    chat.add_argument(
        "--image-file",
        action="append",
        default=[],
        metavar="PICTURE",
        help="the same; may be given several times",
    )

    setup = command(
        "setup", "setup [OPTION]...", "set up the bot: ask, write .env, fetch the model, check it"
    )
    _add_setup_arguments(setup)

    doctor = command("doctor", "doctor [OPTION]...", "check the set-up and say what to fix")
    _add_doctor_arguments(doctor)

    status = command(
        "status", "status [OPTION]...", "ask the bot that runs on this machine how it is"
    )
    status.add_argument("--json", action="store_true", help="print the answer as JSON")

    manifest = command(
        "manifest",
        "manifest [OPTION]... PLATFORM",
        "print what a platform needs to know about the bot",
    )
    manifests = {
        platform.name: platform.manifest for platform in PLATFORMS if platform.manifest is not None
    }
    manifest.add_argument("platform", choices=list(manifests))
    for platform_manifest in manifests.values():
        platform_manifest.add_arguments(manifest)

    bench = command("bench", "bench [OPTION]...", "measure how fast a model is on this machine")
    _add_bench_arguments(bench)

    evaluate = command(
        "evaluate",
        "evaluate {scienceqa DIR | vqa FILE.jsonl} [OPTION]...",
        "count how many questions a model answers right",
    )
    _add_evaluate_arguments(evaluate)

    compare = command(
        "compare",
        "compare --model A --model B [OPTION]... PICTURE... QUESTION",
        "ask several models about the same pictures, and show them beside each other",
    )
    _add_compare_arguments(compare)

    models = command(
        "models", "models [OPTION]...", "list the models that a card holds, and recommend one"
    )
    _add_models_arguments(models)

    store = command(
        "store",
        "store {backup FOLDER | restore FOLDER | migrate --from DATA_DIR | "
        "feedback --output FILE | thread LINK --output FOLDER | audit} [OPTION]...",
        "back up, restore, move or read what the bot remembers",
    )
    _add_store_arguments(store)

    completion = command(
        "completion",
        "completion {bash,zsh,fish}",
        "print the script with which a shell completes these arguments",
    )
    completion.add_argument("shell", choices=SHELLS)

    for asking in (ask, chat):
        asking.add_argument(
            "--url",
            metavar="http://127.0.0.1:8787",
            help="ask the bot that runs there, instead of loading a model; with a password, "
            "http://name:password@host or PLAYGROUND_PASSWORD",
        )
    for quiet in (ask, chat, bench, evaluate, compare, store):
        quiet.add_argument(
            "-q", "--quiet", action="store_true", help="print answers and errors, nothing else"
        )
    for logging in (
        ask,
        chat,
        setup,
        doctor,
        status,
        manifest,
        bench,
        evaluate,
        compare,
        models,
        store,
    ):
        logging.add_argument(
            "--verbose", action="store_true", help="log on stderr, as `run` does (LOG_LEVEL)"
        )
    for operators in (run, setup, doctor, status):
        add_setting_arguments(operators, platforms=True)
    for users in (ask, chat, bench, evaluate, store):
        add_setting_arguments(users, platforms=False)
    add_setting_arguments(
        compare, platforms=False, without={"model", "models", "model_revision", "devices"}
    )
    parser.commands = commands.choices
    return parser


def _question(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty: what would you like to know?")
    # The terminal may send bytes that are not UTF-8.
    return text.encode("utf-8", "replace").decode("utf-8")


def _add_setup_arguments(setup: argparse.ArgumentParser) -> None:
    setup.add_argument(
        "-y",
        "--yes",
        action="store_true",
        help="ask nothing: take the settings below, those of the environment and of .env, and the "
        "model that suits this machine; a secret that is - is a line of standard input",
    )
    setup.add_argument(
        "--no-download",
        action="store_true",
        help="leave the model to the first start, and do not have it answer",
    )


def _add_doctor_arguments(doctor: argparse.ArgumentParser) -> None:
    channel_forms = ", ".join(
        f"{platform.title}: {platform.doctor.channel_form}"
        for platform in PLATFORMS
        if platform.doctor is not None
    )
    doctor.add_argument(
        "--channel",
        metavar="ID",
        help=f"post a message in this channel ({channel_forms}) and delete it",
    )
    doctor.add_argument(
        "--quick", action="store_true", help="do not load the model and have it answer once"
    )
    doctor.add_argument("--json", action="store_true", help="print the findings as JSON")


def _add_store_arguments(store: argparse.ArgumentParser) -> None:
    store.add_argument(
        "what",
        choices=["backup", "restore", "migrate", "feedback", "thread", "audit"],
        help="backup: a copy in a new folder, also while the bot runs; restore: from there into an "
        "empty DATA_DIR; migrate: into the PostgreSQL database of DATABASE_URL. These "
        "compare what they have written. feedback: rated answers as JSON lines, with what people "
        "wrote and without their names; thread: a thread as Markdown with its pictures; audit: who "
        "changed which channel's settings",
    )
    store.add_argument(
        "folder",
        nargs="?",
        metavar="FOLDER|LINK",
        help="where a backup goes, or comes from; of a thread, a link to a message, or its id",
    )
    store.add_argument(
        "--output", metavar="PATH", help="where feedback (a file) or a thread (a folder) goes"
    )
    store.add_argument(
        "--pictures", metavar="DIR", help="to feedback: write the pictures too, by their digests"
    )
    store.add_argument("--json", action="store_true", help="to audit: a JSON object per line")
    store.add_argument(
        "--from",
        dest="source",
        metavar="DIR",
        help="to migrate: the DATA_DIR of a bot that has kept it in SQLite, and has been stopped",
    )


def _add_bench_arguments(bench: argparse.ArgumentParser) -> None:
    bench.add_argument(
        "--random-weights",
        action="store_true",
        help="build the model in its true shapes from random weights instead of downloading it",
    )
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
    bench.add_argument(
        "-y",
        "--yes",
        action="store_true",
        help="measure even where a GPU or memory seems to be missing",
    )
    bench.add_argument("--json", action="store_true", help="print the figures as JSON")
    bench.add_argument("--plot", metavar="FILE.png", help="plot tokens per second over threads")


def _add_evaluate_arguments(evaluate: argparse.ArgumentParser) -> None:
    evaluate.add_argument(
        "what",
        choices=["scienceqa", "vqa"],
        help="scienceqa: the data set in its own layout (problems.json, pid_splits.json, "
        "pictures), asked in the words of LLaVA's authors; vqa: your own questions, a JSON object "
        "per line with picture, question and answer or answers, or what `store feedback` wrote",
    )
    evaluate.add_argument("source", metavar="DIR|FILE.jsonl", help="where the questions are")
    evaluate.add_argument(
        "--split", default="test", metavar="NAME", help="of scienceqa: test, val, train … (test)"
    )
    evaluate.add_argument(
        "--limit", type=_number_of(1, 1_000_000), metavar="N", help="only the first N questions"
    )
    evaluate.add_argument(
        "--at-once", type=_number_of(1, 64), default=8, metavar="N", help="questions at once (8)"
    )
    evaluate.add_argument(
        "--output",
        metavar="FILE",
        help="where the answers go; what is there already is not asked again (a file in the "
        "current folder, named after questions and model)",
    )
    evaluate.add_argument(
        "--pictures",
        metavar="DIR",
        help="of vqa: the folder of the pictures (that of the file; of feedback, where `store "
        "feedback --pictures` wrote them)",
    )
    evaluate.add_argument(
        "--as-asked",
        action="store_true",
        help="of vqa: do not ask for a single word or phrase",
    )
    evaluate.add_argument("--json", action="store_true", help="print the results as JSON")


def _add_compare_arguments(compare: argparse.ArgumentParser) -> None:
    compare.add_argument(
        "--model",
        action="append",
        required=True,
        dest="compared",
        metavar="MODEL",
        help="a model to ask, as MODEL has it; :nf4, :int8 or :none behind it is its precision; "
        "may be given several times",
    )
    compare.add_argument("picture", nargs="+", metavar="PICTURE", help=f"{PICTURE}; each by itself")
    compare.add_argument(
        "question", metavar="QUESTION", type=_question, help="in quotes; - reads standard input"
    )
    compare.add_argument(
        "--html", metavar="FILE", help="write a page, too, with the pictures in it"
    )
    compare.add_argument("--json", action="store_true", help="print the answers as JSON")


def _add_models_arguments(models: argparse.ArgumentParser) -> None:
    models.add_argument(
        "--memory",
        type=_number_of(1, 2048),
        metavar="GB",
        help="of the card to plan for, for example 24 (otherwise: the card of this machine)",
    )
    models.add_argument(
        "--threads",
        type=_number_of(1, 256),
        default=8,
        metavar="N",
        help="conversations at once, of 2,000 tokens each (8)",
    )
    models.add_argument("--json", action="store_true", help="print the table as JSON")


def _number_of(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"'{text}' is not a number from {least} to {most}")
        return int(text)

    return number
