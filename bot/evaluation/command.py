"""The command: from the data set's folder to a table."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bot import private_files
from bot.composition import run_engine
from bot.configuration import Configuration
from bot.errors import EXIT_ENGINE_DEAD, CommandFailed
from bot.evaluation import feedback, scienceqa, vqa
from bot.evaluation.asking import Asking
from bot.evaluation.files import AnswersFile, json_lines
from bot.evaluation.questions import Answer, Evaluation, Json, Question
from bot.evaluation.report import document, text_of
from bot.images.decoding.pool import running_pool
from bot.model_server_settings import ModelServerSettings
from bot.settings import Settings
from inference.engine import Engine
from inference.errors import EngineDead
from inference.names import check_name, shown_name
from inference.standard_streams import EXIT_FAILED, holds_any_text

SHORT_TOKENS = 64
"""Longest answer where a letter, a word or a phrase is asked for: some models say a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the command line asks for."""

    what: str
    """``scienceqa`` or ``vqa``."""
    source: Path
    split: str = "test"
    limit: int | None = None
    at_once: int = 8
    output: Path | None = None
    pictures: Path | None = None
    as_asked: bool = False
    as_json: bool = False
    quiet: bool = False


def evaluate(wishes: Wishes, configuration: Configuration) -> int:
    """Ask what is not answered yet, and print the results. Returns: the exit code.

    Raises:
        CommandFailed: nothing can be asked, or kept.
        ModelUnavailable: its message is one sentence for the operator.
    """
    private_files.keep_private()
    check_name(configuration.bot.model_spec.name)
    evaluation = _loaded(wishes, configuration.bot)
    run = _Run(wishes, configuration, evaluation)
    try:
        run.ask_the_rest()
    except KeyboardInterrupt:
        run.say_how_to_go_on()
        raise
    except EngineDead:
        print("The model's device has failed.", file=sys.stderr)
        run.say_how_to_go_on()
        return EXIT_ENGINE_DEAD
    finally:
        run.file.close()
    said = document(evaluation, run.answers, about=run.about, seconds=run.seconds)
    print(_json(said) if wishes.as_json else text_of(evaluation, said))
    return EXIT_FAILED if said["failed"] == len(evaluation.questions) else 0


def _loaded(wishes: Wishes, settings: Settings) -> Evaluation:
    if wishes.what == "scienceqa":
        return scienceqa.load(wishes.source, wishes.split, wishes.limit)
    rows = json_lines(wishes.source)[: wishes.limit]
    title, system = wishes.source.name, settings.system_prompt or ""
    if feedback.is_feedback(rows):
        return feedback.load(rows, title=title, pictures=wishes.pictures, system=system)
    return vqa.load(
        rows,
        title=title,
        pictures=wishes.pictures or wishes.source.parent,
        briefly=not wishes.as_asked,
        system=system,
    )


class _Run:
    """One call of the command."""

    def __init__(
        self, wishes: Wishes, configuration: Configuration, evaluation: Evaluation
    ) -> None:
        self._wishes = wishes
        self._configuration = configuration
        self._evaluation = evaluation
        self.about = self._about()
        self.file = AnswersFile(wishes.output or self._usual_output(), self.about)
        self.answers = self.file.kept(evaluation.questions)
        self.seconds = 0.0

    def _about(self) -> Json:
        """What an answer depends on besides its question."""
        spec = self._configuration.bot.model_spec
        return {
            "evaluation": self._evaluation.title,
            "model": shown_name(spec.name),
            "revision": spec.revision,
            "quantize": spec.quantize,
            "thinking": spec.thinking,
            "max_new_tokens": self._max_new_tokens(),
        }

    def _max_new_tokens(self) -> int | None:
        """None: as the model has it."""
        settings = self._configuration.bot
        is_short = not isinstance(self._evaluation, feedback.Feedback) and not self._wishes.as_asked
        usual = SHORT_TOKENS if is_short and not settings.thinking else None
        return settings.max_new_tokens or usual

    def _usual_output(self) -> Path:
        model = Path(str(self.about["model"])).name
        title = self._evaluation.title.removesuffix(".jsonl")
        return Path(f"{_in_a_file_name(title)}-{_in_a_file_name(model)}.jsonl")

    def ask_the_rest(self) -> None:
        """Load the model and ask it, unless all is answered. Raises: EngineDead, CommandFailed."""
        rest = [it for it in self._evaluation.questions if it.id not in self.answers]
        if not rest:
            return
        if not self._wishes.quiet:
            self._say_what_comes(len(rest))
        run_engine(
            self._configuration.bot,
            self._configuration.of(ModelServerSettings),
            partial(self._ask, rest),
            max_waiting=self._wishes.at_once,
            quiet=self._wishes.quiet,
        )

    async def _ask(self, rest: list[Question], engine: Engine) -> None:
        model = await engine.loaded()
        sampling = replace(model.sampling, temperature=0.0)  # as LLaVA's authors evaluate: greedy
        if (longest := self._max_new_tokens()) is not None:
            sampling = replace(sampling, max_new_tokens=longest)
        begun = time.perf_counter()
        bar = await asyncio.to_thread(self._bar)  # it makes a lock, which takes files
        try:
            async with running_pool(self._configuration.bot.picture_limits) as decoding:
                await Asking(engine, decoding, sampling).ask_all(
                    rest,
                    at_once=self._wishes.at_once,
                    answered=partial(self._answered, bar),
                )
        finally:
            bar.close()
        self.seconds = time.perf_counter() - begun

    def _bar(self) -> tqdm[Any]:
        return tqdm(
            total=len(self._evaluation.questions),
            initial=len(self.answers),
            desc=self._evaluation.title,
            disable=True if self._wishes.quiet else None,
            leave=False,
        )

    def _answered(self, bar: tqdm[Any], question: Question, answer: Answer) -> None:
        judged = {} if answer.error else self._evaluation.judged(question, answer.text)
        try:
            self.file.add(question, answer, judged)
        except OSError as exc:
            raise CommandFailed(f"{self.file.path} cannot be written: {exc.strerror}.") from None
        self.answers[question.id] = answer
        bar.update()

    def _say_what_comes(self, num_left: int) -> None:
        questions, left_out = len(self._evaluation.questions), len(self._evaluation.left_out)
        line = f"{self._evaluation.title}: {questions:,} questions, {num_left:,} to be asked"
        if left_out:
            line += f", {left_out:,} left out"
        print(f"{line}. Answers are kept in {self.file.path}.", file=sys.stderr)

    def say_how_to_go_on(self) -> None:
        """After an end that was not asked for."""
        done, all_ = len(self.answers), len(self._evaluation.questions)
        print(
            f"{done:,} of {all_:,} are answered and kept in {self.file.path}: the same command "
            "goes on from there.",
            file=sys.stderr,
        )


def _in_a_file_name(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text).strip("-.").lower() or "model"


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=not holds_any_text(sys.stdout), indent=2)
