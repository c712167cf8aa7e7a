"""A question becomes a turn of its thread: its pictures are fetched, its text is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.core.attachments import Attachments
from bot.core.in_flight import InFlight
from bot.core.model_limits import question_locale
from bot.errors import UserFacingError
from bot.store import Store, StoredPicture, Turn
from bot.texts import say
from bot.values.messages import Exchange, IncomingMessage, Outcome, Receipt
from bot.values.pictures import NormalisedPicture
from inference.types import ModelInfo


def asked_again(
    question: IncomingMessage, turn: Turn | None, *, can_fetch: bool = True
) -> IncomingMessage:
    """The next revision of a question that a person asks once more.

    An answered or stopped question keeps the words and pictures of its turn. A refused one starts
    over, pictures included: the reason may have gone. Where its files cannot be fetched a second
    time (uploads may be deleted when the reply ends), it keeps what its turn has,
    and is refused if that is no picture.
    """
    was_refused = turn is None or turn.outcome is Outcome.REFUSED
    can_start_over = can_fetch or not question.attachments
    return replace(
        question,
        revision=question.revision + 1,
        again=not (was_refused and can_start_over),
        asked_by="",
    )


class Turns:
    """Opens turns, so that a restart needs neither the platform nor the upload."""

    def __init__(self, store: Store, attachments: Attachments) -> None:
        self._store = store
        self._attachments = attachments

    @property
    def max_kept_gb(self) -> float:
        """How many pictures are kept."""
        return self._attachments.limits.max_kept_bytes / 1e9

    async def open(self, question: InFlight, exchange: Exchange, model: ModelInfo | None) -> None:
        """Fetch the pictures and store the question.

        `model`: puts the default question in its language; not needed where there are words.

        Raises: UserFacingError.
        """
        message = question.message
        if message.again or (message.keeps_pictures and await self._has_turn(message)):
            await self._reopen(message, model)
            return
        known = await self._pictures_beside(message) if message.attachments else ()
        fetched = await self._attachments.fetch(
            message.attachments,
            exchange.open,
            num_in_thread=len(known),
            asker=message.user,
            on_setback=question.attempt_must_count,
        )
        skipped = tuple(refusal.sentence(message.locale) for refusal in fetched.refusals)
        pictures = fetched.pictures
        if any(attachment.earlier for attachment in message.attachments):
            # Found again, they are not stored twice.
            digests = {picture.digest for picture in known}
            pictures = tuple(new for new in pictures if new.picture.digest not in digests)
        can_do_without = all(
            attachment.earlier or attachment.aside for attachment in message.attachments
        )
        if skipped and not pictures and not can_do_without:
            raise UserFacingError("no_picture_usable", reasons=" ".join(skipped))
        receipt = Receipt(skipped=skipped)
        question.receipt_known(receipt)
        await self._save(
            message,
            question=_words_of(message, len(pictures), model),
            new_pictures=pictures,
            receipt=receipt,
        )

    async def _pictures_beside(self, message: IncomingMessage) -> tuple[StoredPicture, ...]:
        """The pictures that other turns of the thread have."""
        turns = await self._store.turns(message.thread)
        return tuple(
            picture
            for turn in turns
            if turn.message != message.key.message
            for picture in turn.pictures
        )

    async def history_up_to(self, message: IncomingMessage) -> tuple[Turn, ...]:
        """The thread's turns, the last of which is this question's. Raises: UserFacingError."""
        turns = await self._store.turns(message.thread)
        for last, turn in enumerate(turns):
            if turn.message == message.key.message:
                return turns[: last + 1]
        raise UserFacingError("thread_forgotten")

    async def ensure_exists(self, question: InFlight) -> None:
        """Store a question that ended early, so that its thread shows it.

        One that is asked again is there already, with its earlier answer.
        """
        message = question.message
        if not message.again and await self._store.turn(message) is None:
            await self._store.begin_turn(
                message,
                question=message.text.strip(),
                new_pictures=(),
                receipt=question.receipt,
            )

    async def _save(
        self,
        message: IncomingMessage,
        *,
        question: str,
        new_pictures: Sequence[NormalisedPicture],
        receipt: Receipt,
    ) -> None:
        begun = await self._store.begin_turn(
            message, question=question, new_pictures=new_pictures, receipt=receipt
        )
        if not begun:
            raise UserFacingError("thread_forgotten")
        if new_pictures and (max_bytes := self._attachments.limits.max_kept_bytes):
            await self._store.room.make_room(max_bytes)

    async def _has_turn(self, message: IncomingMessage) -> bool:
        """Whether some revision of the question has been stored."""
        turns = await self._store.turns(message.thread)
        return any(turn.message == message.key.message for turn in turns)

    async def _reopen(self, message: IncomingMessage, model: ModelInfo | None) -> None:
        """The question is in its thread already: its pictures stay; asked again, its words too."""
        turns = await self.history_up_to(message)
        before = turns[-1]
        if message.attachments and not before.pictures:
            raise UserFacingError("pictures_needed_again")
        num_pictures = len(before.pictures)
        words = before.question if message.again else _words_of(message, num_pictures, model)
        await self._save(
            message,
            question=words,
            new_pictures=(),
            receipt=Receipt(skipped=before.receipt.skipped),
        )


def _words_of(message: IncomingMessage, num_pictures: int, model: ModelInfo | None) -> str:
    """The question's text; for a picture without words, the default question."""
    text = message.text.strip()
    if text:
        return text
    if not num_pictures:
        raise UserFacingError("empty_question")
    locale = question_locale(model, message.locale)
    return say(locale, "default_question" if num_pictures < 2 else "default_question_several")
