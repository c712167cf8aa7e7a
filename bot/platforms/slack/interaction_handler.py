"""Buttons, the message shortcut, modals and the slash command.

Slack gets the acknowledgement when a listener returns. What asks or changes something returns once
that is in the store. A modal and a command must be acknowledged within three seconds: what may take
longer runs in the background.
"""

from __future__ import annotations

import asyncio
import html
import json
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Literal, TypeVar

from slack_bolt.async_app import AsyncApp
from yarl import URL

from bot.core.commands import ALWAYS, Command, Commands, parse_with_argument
from bot.errors import UserFacingError
from bot.platforms.platform import Core
from bot.platforms.slack.api import SlackRefused, SlackUnreachable
from bot.platforms.slack.events import PLATFORM, Event, message_key, thread_key
from bot.platforms.slack.message_handler import MessageHandler
from bot.platforms.slack.notifier import notify_refusal
from bot.platforms.slack.origin import AskedBy, Origin
from bot.platforms.slack.pictures.finder import Pictures
from bot.platforms.slack.replies import blocks, settings_modal
from bot.platforms.slack.workspaces import Person, Workspace, Workspaces
from bot.store import Store, StoreFailed
from bot.texts import say
from bot.values.messages import Author, IncomingMessage, ThreadKey, TryLater

log = logging.getLogger(__name__)

T = TypeVar("T")

LINK_PARTS = "/archives/"
TRIGGER_S = 1.5


class InteractionHandler:
    """Handles buttons, shortcuts, modals and commands. Lives as long as the adapter."""

    def __init__(
        self,
        *,
        core: Core,
        store: Store,
        commands: Commands,
        message_handler: MessageHandler,
        workspaces: Workspaces,
        pictures: Pictures,
        in_background: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._core = core
        self._store = store
        self._commands = commands
        self._message_handler = message_handler
        self._workspaces = workspaces
        self._pictures = pictures
        self._in_background = in_background

    def register(self, app: AsyncApp) -> None:
        """Register every listener with the app."""
        app.action(blocks.STOP)(self._on_stop)
        app.action(blocks.AGAIN)(self._on_again)
        app.action(blocks.FEEDBACK)(self._on_feedback)
        app.action(blocks.PRESET)(self._on_preset)
        app.shortcut(blocks.SHORTCUT)(self._on_shortcut)
        app.view(blocks.ASK_VIEW)(self._on_ask)
        app.view(blocks.SETTINGS_VIEW)(self._on_settings)
        app.command(blocks.COMMAND)(self._on_command)

    # -- buttons ------------------------------------------------------------------------------

    async def _on_stop(self, ack: Any, body: Event, context: Event) -> None:
        workspace = await self._workspace(context)
        channel, message = blocks.key_from(body["actions"][0]["value"])
        if self._may_use(workspace, channel, _author(body)):
            await self._core.stop(message_key(workspace.team, channel, message))
        await ack()

    async def _on_again(self, ack: Any, body: Event, context: Event) -> None:
        workspace = await self._workspace(context)
        channel, message = blocks.key_from(body["actions"][0]["value"])
        self._message_handler.check_open()
        if not await self._may_ask(workspace, channel, _author(body)):
            await ack()
            return
        key = message_key(workspace.team, channel, message)
        try:
            exchange = self._message_handler.exchange
            begun = await self._core.ask_again(key, exchange, by=_user(body))
            is_gone = begun is None and await self._store.inbox.latest(key) is None
        except UserFacingError as refusal:
            self._in_background(self._refuse(workspace, body, refusal))
        else:
            if is_gone:
                gone = UserFacingError("question_forgotten")
                self._in_background(self._refuse(workspace, body, gone))
            await self._message_handler.check_recorded(key)
        await ack()

    async def _on_feedback(self, ack: Any, body: Event, context: Event) -> None:
        workspace = await self._workspace(context)
        opinion, channel, message = json.loads(body["actions"][0]["value"])
        if not self._may_use(workspace, channel, _author(body)):
            await ack()
            return
        key = message_key(workspace.team, channel, message)
        try:
            await self._store.replies.rate(key, _user(body), good=opinion == "good")
        except StoreFailed as failed:
            self._in_background(notify_refusal(workspace, channel, _user(body), failed))
        await ack()

    # -- ask about this picture ---------------------------------------------------------------

    async def _on_shortcut(self, ack: Any, body: Event, context: Event) -> None:
        await ack()
        self._in_background(self._open_modal(body, context))

    async def _open_modal(self, body: Event, context: Event) -> None:
        workspace = await self._workspace(context)
        message, channel = body["message"], body["channel"]["id"]
        if not await self._may_ask(workspace, channel, _author(body)):
            return
        # A trigger lives three seconds: what takes longer to look up is left out.
        person, may_write = await asyncio.gather(
            _in_time(workspace.person(_user(body)), Person()),
            _in_time(self._may_write(workspace, channel), True),
        )
        if not may_write:
            view = blocks.sentence_view(say(person.locale, "slack_invite_me"), person.locale)
        else:
            about = {
                "channel": channel,
                "ts": message["ts"],
                "thread_ts": message.get("thread_ts") or message["ts"],
            }
            view = blocks.ask_view(about, person.locale)
        await self._open(workspace, body, view)

    async def _may_write(self, workspace: Workspace, channel: str) -> bool:
        """Whether the bot is in a channel."""
        try:
            info = (await workspace.api.read("conversations.info", channel=channel))["channel"]
        except SlackRefused as exc:
            log.info("conversations.info: %s", exc)
            return exc.error == "missing_scope"  # then the answer will say so
        except SlackUnreachable:
            return True
        return bool(info.get("is_member") or info.get("is_im"))

    async def _on_ask(self, ack: Any, body: Event, context: Event) -> None:
        workspace = await self._workspace(context)
        view = body["view"]
        about = json.loads(view["private_metadata"])
        question = settings_modal.filled_in(view, "question") or ""
        await self._ask(workspace, about, _author(body), question, asked_in=view["id"])
        await ack()

    async def _on_preset(self, ack: Any, body: Event, context: Event) -> None:
        """A preset was chosen under the answer about a picture: it is asked as in a modal."""
        workspace = await self._workspace(context)
        action, answer = body["actions"][0], body["message"]
        channel, message = blocks.key_from(action["block_id"])
        about = {
            "channel": channel,
            "ts": message,
            "thread_ts": answer.get("thread_ts") or answer["ts"],
        }
        chosen = str(action["selected_option"]["value"])
        asked_in = f"preset-{action['action_ts']}"
        await self._ask(workspace, about, _author(body), chosen, asked_in=asked_in)
        await ack()

    async def _ask(
        self,
        workspace: Workspace,
        about: Mapping[str, str],
        author: Author,
        question: str,
        *,
        asked_in: str,
    ) -> None:
        """Ask about a message, and return once that is written down.

        Args:
            workspace: where.
            about: its `channel`, `ts` and `thread_ts`.
            author: who asks.
            question: as it was typed or chosen.
            asked_in: the id of what it was asked in, the same for each copy of the event.
        """
        if not await self._may_ask(workspace, about["channel"], author):
            return
        thread = thread_key(workspace.team, about["channel"], about["thread_ts"])
        # Escaped, as the text of a message is: a modal sends it as it was typed.
        text = html.escape(question.strip(), quote=False)
        self._message_handler.check_open()
        message = IncomingMessage(
            key=message_key(workspace.team, about["channel"], asked_in),
            thread=thread,
            author=author,
            text=text,
            attachments=self._pictures.of_event({"text": text}),
            sent_at=time.time(),
            context=Origin(AskedBy.MODAL, about["ts"]).to_context(),
        )
        try:
            self._core.ask(message, self._message_handler.exchange(message))
        except UserFacingError as refusal:
            told = notify_refusal(workspace, about["channel"], author.id, refusal)
            self._in_background(told)
        await self._message_handler.check_recorded(message.key)

    # -- /llava -------------------------------------------------------------------------------

    async def _on_command(self, ack: Any, body: Event, context: Event, respond: Any) -> None:
        """Its sentence says that it was done; until then it only arrived."""
        await ack()
        self._in_background(self._run_command(body, context, respond))

    async def _run_command(self, body: Event, context: Event, respond: Any) -> None:
        workspace = await self._workspace(context)
        team, user, channel = workspace.team, body["user_id"], body["channel_id"]
        words, thread = self._with_thread(team, body.get("text") or "")
        command, argument = parse_with_argument(words)
        author = Author(id=user, team=str(body.get("team_id") or ""))
        if command not in ALWAYS and not self._may_use(workspace, channel, author):
            return
        person = await workspace.person(user)
        is_admin = person.is_admin or self._core.access.is_admin(PLATFORM, user)
        if argument:
            is_admin = await self._is_admin(workspace, user, channel)
        opens_modal = command is Command.SETTINGS and not argument
        if opens_modal and await self._is_admin(workspace, user, channel):
            try:
                chosen = await self._store.channels.settings(PLATFORM, team, channel)
            except StoreFailed as failed:
                await respond(failed.sentence(person.locale), response_type="ephemeral")
                return
            view = settings_modal.view(channel, chosen, person.locale, self._core.model_names)
            await self._open(workspace, body, view)
            return
        sentence = await self._commands.run(
            command,
            platform=PLATFORM,
            team=team,
            thread=thread,
            author=author,
            locale=person.locale,
            is_admin=is_admin,
            channel=channel,
            argument=argument,
        )
        await respond(sentence, response_type="ephemeral")

    def _with_thread(self, team: str, text: str) -> tuple[str, ThreadKey | None]:
        """A command may name a thread by a link to one of its messages."""
        words, thread = [], None
        for word in text.split():
            link = word.strip("<>").partition("|")[0]
            found = _thread_of_link(team, link) if LINK_PARTS in link else None
            if found is None:
                words.append(word)
            else:
                thread = found
        return " ".join(words), thread

    async def _is_admin(self, workspace: Workspace, user: str, channel: str) -> bool:
        """Whether a user is an admin, here or there, created the channel, or is in their own DM."""
        if (
            self._core.access.is_admin(PLATFORM, user)
            or (await workspace.person(user)).is_admin
            or channel.startswith("D")
        ):
            return True
        try:
            info = (await workspace.api.read("conversations.info", channel=channel))["channel"]
        except (SlackRefused, SlackUnreachable):
            return False
        return bool(info.get("creator") == user)

    async def _on_settings(self, ack: Any, body: Event, context: Event) -> None:
        workspace = await self._workspace(context)
        view = body["view"]
        channel = json.loads(view["private_metadata"])["channel"]
        may_ask = self._may_use(workspace, channel, _author(body))
        if not may_ask or not await self._is_admin(workspace, _user(body), channel):
            await ack()
            return
        place, person = (PLATFORM, workspace.team, channel), _user(body)
        try:
            before = await self._store.channels.settings(*place)
            chosen = settings_modal.chosen_in(view, before)
            await self._store.channels.choose(*place, chosen, by=person, since=before)
        except settings_modal.Wrong as wrong:
            locale = (await workspace.person(person)).locale
            await ack(response_action="errors", errors=wrong.sentences(locale))
            return
        except StoreFailed as failed:
            self._in_background(notify_refusal(workspace, channel, _user(body), failed))
        await ack()

    # -- helpers ------------------------------------------------------------------------------

    async def _workspace(self, context: Event) -> Workspace:
        # bolt's: in a channel shared between workspaces, the body names the other one.
        return await self._workspaces.of(str(context.get("team_id") or ""))

    def _may_use(self, workspace: Workspace, channel: str, author: Author) -> bool:
        """Whether this person may use the bot there; if not, it is said, where it is to be."""
        thread = thread_key(workspace.team, channel, "")
        return self._core.access.allows(thread, author) or self._says_no(
            workspace, thread, author, "not_allowed"
        )

    async def _may_ask(self, workspace: Workspace, channel: str, author: Author) -> bool:
        """As `_may_use`, and whether the channel's admins have left them out."""
        thread = thread_key(workspace.team, channel, "")
        try:
            refusal = await self._core.may_ask(thread, author)
        except StoreFailed as failed:
            self._in_background(notify_refusal(workspace, channel, author.id, failed))
            return False
        return refusal is None or self._says_no(workspace, thread, author, refusal)

    def _says_no(
        self, workspace: Workspace, thread: ThreadKey, author: Author, refusal: str
    ) -> Literal[False]:
        if self._core.access.says_no(thread, author):
            told = notify_refusal(workspace, thread.channel, author.id, UserFacingError(refusal))
            self._in_background(told)
        return False

    async def _open(self, workspace: Workspace, body: Event, view: blocks.Block) -> None:
        try:
            await workspace.api.write("views.open", trigger_id=body["trigger_id"], view=view)
        except (SlackRefused, TryLater) as exc:
            log.warning("a modal could not be opened: %s", exc)

    async def _refuse(self, workspace: Workspace, body: Event, refusal: UserFacingError) -> None:
        channel, _ = blocks.key_from(body["actions"][0]["value"])
        await notify_refusal(workspace, channel, _user(body), refusal)


async def _in_time(answer: Awaitable[T], otherwise: T) -> T:
    """The answer, if Slack gives it at once; else the default."""
    try:
        async with asyncio.timeout(TRIGGER_S):
            return await answer
    except TimeoutError:
        return otherwise


def _author(body: Event) -> Author:
    """Who pressed, chose or sent it."""
    return Author(id=_user(body), team=str(body["user"].get("team_id") or ""))


def _user(body: Event) -> str:
    return str(body["user"]["id"])


def _thread_of_link(team: str, link: str) -> ThreadKey | None:
    """``…/archives/C1/p1700000000000100?thread_ts=1700000000.000100`` → its thread."""
    try:
        url = URL(link)
    except ValueError:
        return None
    parts = url.path.partition(LINK_PARTS)[2].split("/")
    if len(parts) < 2 or not parts[1].startswith("p") or len(parts[1]) < 8:
        return None
    ts = f"{parts[1][1:-6]}.{parts[1][-6:]}"
    return thread_key(team, parts[0], url.query.get("thread_ts") or ts)
