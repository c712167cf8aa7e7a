"""Commands to the bot itself, as text or as slash commands."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from enum import StrEnum

from bot.core.answering.options import AnswerOptions
from bot.core.channel_settings.words import NEUTRAL, SettingsInWords, Usual
from bot.core.erasure import Erasure
from bot.core.in_flight import InFlightQuestions
from bot.core.model_limits import limitations
from bot.core.status_report import StatusReport
from bot.core.usage_report import UsageReport
from bot.store import Store, StoreFailed
from bot.texts import say
from bot.values.limits import FollowUps, QuestionBounds
from bot.values.messages import Author, ThreadKey
from bot.values.presence import Presences
from bot.values.turns import ChannelPlace
from inference.engine import Engines


class Command(StrEnum):
    """The commands."""

    HELP = "help"
    STATUS = "status"
    FORGET_ME = "forget me"
    FORGET_THREAD = "forget this thread"
    MUTE = "mute"
    UNMUTE = "unmute"
    SETTINGS = "settings"
    MODEL = "model"
    USAGE = "usage"


ALWAYS = {Command.HELP, Command.FORGET_ME}
"""Commands of those who may not ask, too: nobody loses the right to be forgotten."""

JAPANESE = {
    "ヘルプ": Command.HELP,
    "使い方": Command.HELP,
    "状態": Command.STATUS,
    "私を忘れて": Command.FORGET_ME,
    "このスレッドを忘れて": Command.FORGET_THREAD,
    "ミュート": Command.MUTE,
    "ミュート解除": Command.UNMUTE,
    "設定": Command.SETTINGS,
    "モデル": Command.MODEL,
    "使用状況": Command.USAGE,
}


WITH_ARGUMENT = {Command.MODEL, Command.SETTINGS}
"""Commands that take words after them."""

IN_THREADS = {Command.FORGET_THREAD, Command.MUTE, Command.UNMUTE}
"""Commands about the thread they are used in."""


def parse(text: str) -> Command | None:
    """The command that a text is, if it is one."""
    words = " ".join(text.lower().strip(" \t\n.!。！").split())
    if words in JAPANESE:
        return JAPANESE[words]
    return Command(words) if words in set(Command) else None


def parse_with_argument(text: str) -> tuple[Command, str]:
    """The command that a text is, and the word after it, if it takes one; else, help."""
    first, _, argument = text.strip().partition(" ")
    command = parse(first)
    if argument and command in WITH_ARGUMENT:
        return command, argument.strip()
    return parse(text) or Command.HELP, ""


class Commands:
    """Runs commands; each ends in a sentence. Lives as long as the bot."""

    def __init__(
        self,
        *,
        store: Store,
        questions: InFlightQuestions,
        erasure: Erasure,
        engine: Engines,
        options: AnswerOptions | None = None,
        follow_ups: FollowUps = "thread",
        bounds: QuestionBounds | None = None,
        presences: Presences | None = None,
    ) -> None:
        """`options`, `follow_ups`, `bounds`: what holds where a channel chose nothing."""
        self._store = store
        self._questions = questions
        self._erasure = erasure
        self._engine = engine
        options = options or AnswerOptions()
        self._presets = options.presets
        self._reads_pictures = options.reads_pictures
        usual = Usual(options=options, follow_ups=follow_ups)
        self._settings = SettingsInWords(store=store, usual=usual)
        self._status = StatusReport(
            store=store, questions=questions, engine=engine, presences=presences
        )
        self._usage = UsageReport(store, bounds or QuestionBounds())

    async def run(
        self,
        command: Command,
        *,
        platform: str,
        team: str,
        thread: ThreadKey | None,
        author: Author,
        locale: str,
        is_admin: bool,
        one_person_everywhere: bool = False,
        channel: str = "",
        argument: str = "",
    ) -> str:
        """Run a command. Returns: what was done, or that the store failed, as a sentence.

        `thread`: where it was used, if in a thread; `channel`: else, where a command is about the
        channel. `one_person_everywhere`: the author's id is the same in every team of the platform.
        `argument`: the words after a command that takes some.
        """
        try:
            place = (platform, team, channel if thread is None else thread.channel)
            match command:
                case Command.MODEL:
                    return await self._model(
                        place, argument, locale, by=author.id, is_admin=is_admin
                    )
                case Command.SETTINGS if place[2]:
                    return await self._settings.run(
                        place,
                        argument,
                        locale,
                        by=author.id,
                        is_admin=is_admin,
                        models=self._engine.names,
                    )
                case Command.USAGE:
                    return await self._usage.of(place, author.id, locale, is_admin=is_admin)
            return await self._run(
                command,
                platform=platform,
                team=team,
                channel=place[2],
                everywhere=one_person_everywhere,
                thread=thread,
                author=author,
                locale=locale,
                is_admin=is_admin,
            )
        except StoreFailed as exc:
            return exc.sentence(locale)

    async def _run(
        self,
        command: Command,
        *,
        platform: str,
        team: str,
        channel: str,
        everywhere: bool,
        thread: ThreadKey | None,
        author: Author,
        locale: str,
        is_admin: bool,
    ) -> str:
        match command:
            case Command.HELP:
                return await self._help(locale, (platform, team, channel))
            case Command.STATUS:
                return await self._status.of(platform, team, locale, is_admin=is_admin)
            case Command.FORGET_ME:
                teams = None if everywhere else team
                count = await self._erasure.author(platform, teams, author.id)
                return say(locale, "forgot_author", count=count)
            case Command.SETTINGS:
                return say(locale, "settings_where")
        if thread is None:
            return say(locale, "in_which_thread", command=command.value)
        if not is_admin and not await self._store.inbox.has_asked(thread, author.id):
            return say(locale, "not_your_thread")
        match command:
            case Command.FORGET_THREAD:
                forgot = await self._erasure.thread(thread)
                return say(locale, "forgot_thread" if forgot else "no_such_thread")
            case Command.MUTE:
                muted = await self._store.channels.mute(thread, muted=True)
                return say(locale, "muted" if muted else "no_such_thread")
            case _:
                unmuted = await self._store.channels.mute(thread, muted=False)
                return say(locale, "unmuted" if unmuted else "no_such_thread")

    async def _model(
        self, place: ChannelPlace, name: str, locale: str, *, by: str, is_admin: bool
    ) -> str:
        """List the models, or choose one for a channel."""
        names = self._engine.names
        if not names:
            model = self._engine.model
            return say(locale, "model_alone", model="…" if model is None else model.name)
        chosen = await self._store.channels.settings(*place)
        if name:
            if not is_admin:
                return say(locale, "model_admins")
            if (name := name.lower()) not in names:
                return say(locale, "model_unknown", models=", ".join(names))
            new = replace(chosen, model=name)
            await self._store.channels.choose(*place, new, by=by, since=chosen)
            return say(locale, "model_chosen", model=name)
        current = chosen.model if chosen.model in names else names[0]
        lines = [
            say(
                locale,
                "model_current" if one == current else "model_other",
                name=one,
                model="…" if (model := self._engine.of(one).model) is None else model.name,
            )
            for one in names
        ]
        return "\n".join([say(locale, "models"), *lines])

    async def _help(self, locale: str, place: ChannelPlace) -> str:
        model = self._engine.model
        known = []
        if model is not None:
            known = limitations(model, locale, reads_pictures=self._reads_pictures)
        presets = self._presets
        with suppress(StoreFailed):  # help needs no store
            presets = presets.with_own((await self._store.channels.settings(*place)).presets)
        names = (name.translate(NEUTRAL) for name in presets.names(locale, place[2]))
        offered = say(locale, "help_presets", names=", ".join(names))
        where = say(
            locale,
            "help_remote" if model is not None and model.engine == "remote" else "help_local",
        )
        lines = (f"{say(locale, 'help')}\n{where}", offered, " ".join(known))
        return "\n".join(filter(None, lines))
