"""Whether a message is meant for the bot."""

from __future__ import annotations

from dataclasses import dataclass

from bot.core.in_flight import InFlightQuestions
from bot.store import Store
from bot.values.limits import FollowUps
from bot.values.messages import ThreadKey


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFacts:
    """What an adapter knows of a message without a call to its platform."""

    thread: ThreadKey
    direct: bool = False
    """A direct message to the bot."""
    sent_at: float
    """Seconds since 1970."""
    mentions_bot: bool = False
    mentions_others: bool = False


class Addressing:
    """Decides by the bot's part in the thread, its mute, the channel's choice and the default."""

    def __init__(self, store: Store, questions: InFlightQuestions, follow_ups: FollowUps) -> None:
        self._store = store
        self._questions = questions
        self._follow_ups = follow_ups

    async def is_for_the_bot(self, message: MessageFacts) -> bool:
        """Whether the bot answers.

        It answers mentions and direct messages. In its own threads it also answers without a
        mention, unless the message mentions somebody else, the thread is muted, or mentions are
        required.
        """
        if message.mentions_bot or message.direct:
            return True
        if message.mentions_others:
            return False
        part = await self._store.channels.participation(message.thread)
        follow_ups = part.follow_ups or self._follow_ups
        times = [question.message.sent_at for question in self._questions.of_thread(message.thread)]
        times += [] if part.since is None else [part.since]
        # Messages from before the first question were not meant for the bot.
        follows = bool(times) and message.sent_at > min(times)
        return follows and not part.muted and follow_ups == "thread"

    async def has_missed_messages(self, thread: ThreadKey) -> bool:
        """Whether the thread may hold messages that were not meant for the bot."""
        part = await self._store.channels.participation(thread)
        follow_ups = part.follow_ups or self._follow_ups
        return part.muted or follow_ups == "mention"
