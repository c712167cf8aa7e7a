"""Slash commands, the entry in a message's menu, modals and buttons."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

import discord
from cachetools import LRUCache
from discord import app_commands

from bot.core.commands import ALWAYS, Command
from bot.core.presets import MAX_NAME
from bot.errors import UserFacingError
from bot.platforms.discord.api import DiscordRefused, write
from bot.platforms.discord.attachments import passing_attachment
from bot.platforms.discord.commands.group import llava_group
from bot.platforms.discord.connection import Client
from bot.platforms.discord.deferrals import Deferrals, NotRecorded, in_time
from bot.platforms.discord.events import (
    PLATFORM,
    MessageChannel,
    author_of,
    channel_of,
    message_key,
    thread_at,
)
from bot.platforms.discord.locales import CommandTranslator, word
from bot.platforms.discord.message_handler import MessageHandler
from bot.platforms.discord.modals import (
    ASK_MODAL,
    MAX_OPTIONS,
    MAX_QUESTION,
    SETTINGS_MODAL,
    ask_modal,
    chosen_in,
    fields_of,
    settings_modal,
)
from bot.platforms.discord.origin import AskedBy, Origin, Token
from bot.platforms.discord.permissions import may_manage_here
from bot.platforms.discord.replies import layout
from bot.platforms.discord.replies.context import AdapterContext
from bot.platforms.platform import Core
from bot.store import Store, StoreFailed
from bot.texts import say
from bot.values.messages import Attachment, IncomingMessage, MessageKey, TryLater
from inference.errors import safe_traceback

log = logging.getLogger(__name__)

WITHOUT_RECORD_S = 0.8
"""Discord waits three seconds for the first response, and the record has had half of them."""
MAX_TARGETS = 1000
MAX_COPIES = 1000
Interaction = discord.Interaction[discord.Client]


class InteractionHandler:
    """Handles commands, menu entries, modals and buttons. Lives as long as the adapter.

    Implements `bot.platforms.discord.connection.InteractionListener`.
    """

    def __init__(
        self,
        *,
        core: Core,
        store: Store,
        messages: MessageHandler,
        adapter: AdapterContext,
        deferrals: Deferrals,
    ) -> None:
        self._core = core
        self._store = store
        self._messages = messages
        self._adapter = adapter
        self._deferrals = deferrals
        self._targets: LRUCache[str, tuple[Attachment, ...]] = LRUCache(MAX_TARGETS)
        self._handled: LRUCache[int, bool] = LRUCache(MAX_COPIES)
        self.translator = CommandTranslator()

    def register(self, client: Client, tree: app_commands.CommandTree[Any]) -> None:
        """Have the client's buttons and the tree's commands call."""
        client.add_dynamic_items(layout.AnswerButton, layout.PresetMenu)

        @app_commands.rename(picture="picture", question="question")
        @app_commands.describe(
            picture=word("discord_ask_picture"),
            question=word("discord_ask_question"),
            preset=word("discord_ask_preset"),
        )
        async def ask(
            interaction: Interaction,
            picture: discord.Attachment,
            question: app_commands.Range[str, 0, MAX_QUESTION] = "",
            preset: app_commands.Range[str, 0, MAX_NAME] = "",
        ) -> None:
            await self._asked_by_command(interaction, picture, question or preset)

        async def about(interaction: Interaction, message: discord.Message) -> None:
            await self._ask_about(interaction, message)

        asking = app_commands.Command[Any, ..., None](
            name="ask", description=word("discord_ask"), callback=ask
        )
        asking.autocomplete("preset")(self._presets)
        tree.add_command(asking)
        tree.add_command(app_commands.ContextMenu(name=word("discord_about"), callback=about))
        tree.add_command(llava_group(self._command, lambda: self._core.model_names))
        tree.error(self._failed)

    async def _presets(
        self, interaction: Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        channel = self._channel_id(interaction) or ""
        guild = "" if interaction.guild_id is None else str(interaction.guild_id)
        place = (PLATFORM, guild, channel)
        names = await self._core.preset_names(interaction.locale.value, place)
        fitting = [name for name in names if typed.casefold() in name.casefold()]
        return [app_commands.Choice(name=name, value=name) for name in fitting[:MAX_OPTIONS]]

    # -- asking -------------------------------------------------------------------------------

    async def _asked_by_command(
        self, interaction: Interaction, picture: discord.Attachment, question: str
    ) -> None:
        if self._is_copy(interaction):
            return
        locale, began = self._locale(interaction), time.monotonic()
        channel = await in_time(self._where_asked(interaction))
        async with self._deferrals.recorded(interaction, locale, since=began) as deferral:
            response = await self._deferred(interaction)
            guild, message_id = str(interaction.guild_id or ""), str(response)
            links = self._adapter.pictures.of_text(question)
            message = IncomingMessage(
                key=message_key(guild, str(channel.id), message_id),
                thread=thread_at(channel, message_id),
                author=author_of(interaction.user),
                text=question.strip(),
                attachments=(passing_attachment(picture), *links),
                locale=locale,
                sent_at=time.time(),
                context=Origin(AskedBy.COMMAND, token=Token.of(interaction)).to_context(),
            )
            deferral.is_kept = await self._ask(interaction, message)

    async def _deferred(self, interaction: Interaction) -> int:
        """Show that the bot thinks. Returns: the id of the message that shows it."""
        deferred = await interaction.response.defer(thinking=True)
        if deferred is None or deferred.message_id is None:  # an old answer of Discord's
            return (await interaction.original_response()).id
        return deferred.message_id

    async def _ask_about(self, interaction: Interaction, message: discord.Message) -> None:
        """The modal says in its id which message it is about: it outlives a restart."""
        locale = self._locale(interaction)
        await in_time(self._where_asked(interaction))
        # Discord sends this message whole, whatever the intents.
        pictures = self._adapter.pictures.of_target(message)
        if not pictures:
            await self._say(interaction, "discord_no_picture", locale)
            return
        self._targets[str(message.id)] = pictures
        await interaction.response.send_modal(ask_modal(str(message.id), locale))

    async def _asked_in_modal(
        self, interaction: Interaction, target: str, question: str, *, is_looked_up: bool = True
    ) -> None:
        """`is_looked_up`: whether the pictures of `target` belong to the question."""
        locale, began = self._locale(interaction), time.monotonic()
        channel = await in_time(self._where_asked(interaction))
        guild = str(interaction.guild_id or "")
        message = IncomingMessage(
            key=message_key(guild, str(channel.id), str(interaction.id)),
            thread=thread_at(channel, target),
            author=author_of(interaction.user),
            text=question.strip(),
            attachments=(*self._pictures_of(target), *self._adapter.pictures.of_text(question)),
            locale=locale,
            sent_at=time.time(),
            context=Origin(
                AskedBy.MODAL, target if is_looked_up else "", Token.of(interaction)
            ).to_context(),
        )
        async with self._deferrals.recorded(interaction, locale, since=began) as deferral:
            await interaction.response.defer(thinking=True, ephemeral=True)
            deferral.is_kept = await self._ask(interaction, message)

    def _pictures_of(self, target: str) -> tuple[Attachment, ...]:
        """Pictures of the message asked about; none after a restart: they are looked up later."""
        return tuple(replace(picture, earlier=True) for picture in self._targets.get(target, ()))

    async def _ask(self, interaction: Interaction, message: IncomingMessage) -> bool:
        """Returns: whether the question is claimed, or its user was told why not."""
        try:
            self._core.ask(message, self._messages.exchange(message))
        except UserFacingError as refusal:
            await self._say(interaction, refusal.key, message.locale, **refusal.values)
        return await self._core.recorded(message.key)

    # -- buttons ------------------------------------------------------------------------------

    async def on_button(self, interaction: Interaction, action: str, key: MessageKey) -> None:
        """See `InteractionListener`."""
        locale = self._locale(interaction)
        if not self._may_ask(interaction):
            await self._say(interaction, "not_allowed", locale)
            return
        match action:
            case layout.STOP:
                await self._core.stop(key)
                await interaction.response.defer()
            case layout.AGAIN:
                await interaction.response.defer()
                await self._again(interaction, key, locale)
            case layout.GOOD | layout.BAD:
                good = action == layout.GOOD
                try:
                    await self._store.replies.rate(key, str(interaction.user.id), good=good)
                except StoreFailed as failed:
                    await self._say(interaction, failed.key, locale)
                    return
                await self._say(interaction, "discord_rated", locale, sign="👍" if good else "👎")
            case _:
                await interaction.response.defer()  # of another version of the bot

    async def on_preset(self, interaction: Interaction, message: str, preset: str) -> None:
        """See `InteractionListener`. The thread has the picture: nothing is looked up."""
        if self._is_copy(interaction):
            return
        asking = self._asked_in_modal(interaction, message, preset, is_looked_up=False)
        await self._or_told(interaction, asking, "a preset")

    async def _again(self, interaction: Interaction, key: MessageKey, locale: str) -> None:
        person = str(interaction.user.id)
        try:
            await self._where_asked(interaction)
            begun = await self._core.ask_again(key, self._messages.exchange, by=person)
        except UserFacingError as exc:
            await self._say(interaction, exc.key, locale, **exc.values)
            return
        if begun is None and await self._store.inbox.latest(key) is None:
            await self._say(interaction, "question_forgotten", locale)

    # -- /llava -------------------------------------------------------------------------------

    async def _command(
        self, interaction: Interaction, command: Command, argument: str = ""
    ) -> None:
        if self._is_copy(interaction):
            return
        locale = self._locale(interaction)
        if command is Command.SETTINGS and not argument and self._is_admin(interaction):
            await self._settings(interaction, locale)
            return
        sentence = partial(self._sentence_for, interaction, command, locale, argument)
        try:
            async with self._deferrals.recorded(interaction, locale):
                await interaction.response.defer(ephemeral=True, thinking=True)
                await self._say_sentence(interaction, await sentence())
        except NotRecorded as refusal:
            # Help and the state need no store; what does is done in its own time.
            working = asyncio.ensure_future(sentence())
            await asyncio.wait({working}, timeout=WITHOUT_RECORD_S)
            if not working.done():
                await self._say(interaction, refusal.key, locale)
            await self._say_sentence(interaction, await working)

    async def _sentence_for(
        self, interaction: Interaction, command: Command, locale: str, argument: str
    ) -> str:
        channel, refusal = channel_of(interaction), self._refusal(interaction)
        if channel is None or (refusal is not None and command not in ALWAYS):
            return say(locale, refusal or "not_allowed")
        thread = thread_at(channel, "")
        return await self._messages.sentence_for(
            command,
            thread=thread if thread.thread else None,
            guild=str(interaction.guild_id or ""),
            user=interaction.user,
            locale=locale,
            is_admin=self._is_admin(interaction),
            channel=self._channel_id(interaction) or "",
            argument=argument,
        )

    async def _settings(self, interaction: Interaction, locale: str) -> None:
        channel, refusal = self._channel_id(interaction), self._refusal(interaction)
        if refusal is not None or channel is None:
            await self._say(interaction, refusal or "not_allowed", locale)
            return
        team = str(interaction.guild_id or "")
        try:
            chosen = await self._store.channels.settings(PLATFORM, team, channel)
        except StoreFailed as failed:
            await self._say(interaction, failed.key, locale)
            return
        await interaction.response.send_modal(
            settings_modal(channel, chosen, locale, self._core.model_names)
        )

    async def _chosen(self, interaction: Interaction, about: str, fields: dict[str, str]) -> None:
        locale = self._locale(interaction)
        if not self._may_ask(interaction) or not self._is_admin(interaction):
            await self._say(interaction, "discord_settings_admins", locale)
            return
        channel, _, shown = about.partition(":")
        place = (PLATFORM, str(interaction.guild_id or ""), channel)
        sentence, person = "discord_settings_saved", str(interaction.user.id)
        try:
            before = await self._store.channels.settings(*place)
            chosen = chosen_in(fields, before, shown)
            await self._store.channels.choose(*place, chosen, by=person, since=before)
        except StoreFailed as failed:
            sentence = failed.key
        await self._say(interaction, sentence, locale)

    # -- modals -------------------------------------------------------------------------------

    async def on_modal(self, interaction: Interaction) -> None:
        """See `InteractionListener`."""
        if self._is_copy(interaction):
            return
        data: dict[str, Any] = dict(interaction.data or {})
        kind, _, about = str(data.get("custom_id", "")).partition(":")
        fields = fields_of(data)
        if kind == ASK_MODAL:
            asking = self._asked_in_modal(interaction, about, fields.get("question", ""))
            await self._or_told(interaction, asking, "a modal")
        elif kind == SETTINGS_MODAL:
            await self._or_told(interaction, self._chosen(interaction, about, fields), "a modal")

    async def _or_told(
        self, interaction: Interaction, work: Coroutine[Any, Any, None], what: str
    ) -> None:
        """Do what was asked, or say why not."""
        try:
            await work
        except UserFacingError as refusal:
            await self._say(interaction, refusal.key, self._locale(interaction), **refusal.values)
        except discord.HTTPException as exc:
            log.warning("%s could not be answered: %s", what, safe_traceback(exc))

    # -- helpers ------------------------------------------------------------------------------

    async def _failed(self, interaction: Interaction, error: app_commands.AppCommandError) -> None:
        """A command was refused, or failed."""
        cause = error.__cause__ or error
        if isinstance(cause, UserFacingError):
            await self._say(interaction, cause.key, self._locale(interaction), **cause.values)
        else:
            log.error("a command failed: %s", safe_traceback(cause))

    def _is_copy(self, interaction: Interaction) -> bool:
        """Whether it was delivered before: its response is the first copy's business."""
        is_copy = interaction.id in self._handled
        self._handled[interaction.id] = True
        return is_copy

    def _locale(self, interaction: Interaction) -> str:
        """Discord sends it with interactions alone; it is remembered for this user's messages."""
        learning = self._adapter.locales.remember_locale(
            str(interaction.user.id), interaction.locale
        )
        self._adapter.in_background(learning)
        return interaction.locale.value

    def _channel_id(self, interaction: Interaction) -> str | None:
        channel = channel_of(interaction)
        return None if channel is None else thread_at(channel, "").channel

    def _refusal(self, interaction: Interaction) -> str | None:
        """Why this person may not ask here now."""
        if not self._messages.intake.is_open:
            return "shutting_down"
        return None if self._may_ask(interaction) else "not_allowed"

    async def _where_asked(self, interaction: Interaction) -> MessageChannel:
        """The channel, if this person may ask there now. Raises: UserFacingError: why not."""
        refusal, channel = self._refusal(interaction), channel_of(interaction)
        if refusal is None and channel is not None:
            author = author_of(interaction.user)
            refusal = await self._core.may_ask(thread_at(channel, ""), author)
        if refusal is not None or channel is None:
            raise UserFacingError(refusal or "not_allowed")
        return channel

    def _may_ask(self, interaction: Interaction) -> bool:
        channel, author = channel_of(interaction), author_of(interaction.user)
        return channel is not None and self._core.access.allows(thread_at(channel, ""), author)

    def _is_admin(self, interaction: Interaction) -> bool:
        """Whether this person is on the list of admins, or may manage the channel."""
        listed = self._core.access.is_admin(PLATFORM, str(interaction.user.id))
        return listed or may_manage_here(interaction)

    async def _say(self, interaction: Interaction, key: str, locale: str, **values: object) -> None:
        await self._say_sentence(interaction, say(locale, key, **values))

    async def _say_sentence(self, interaction: Interaction, sentence: str) -> None:
        """Visible to this user alone."""
        text = layout.clipped(sentence, layout.MAX_MESSAGE)
        timeout_s = self._adapter.connection.timeout_s
        response = interaction.response
        try:
            if response.is_done():
                await write(
                    interaction.followup.send(text, ephemeral=True, wait=True), timeout_s=timeout_s
                )
            else:
                await write(response.send_message(text, ephemeral=True), timeout_s=timeout_s)
        except (DiscordRefused, TryLater) as exc:
            log.info("a sentence could not be shown: %s", exc)
