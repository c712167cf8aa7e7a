"""A question becomes a turn of its thread: its pictures are fetched, its text is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.core.attachments import Attachments
from bot.core.documents.pages import DocumentPages, PagesFound
from bot.core.in_flight import InFlight
from bot.core.model_limits import question_locale
from bot.errors import UserFacingError
from bot.store import Store, Turn
from bot.texts import say
from bot.values.documents import SentDocument
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
        self._pages = DocumentPages(store, attachments.documents)

    @property
    def max_kept_gb(self) -> float:
        """How many pictures are kept."""
        return self._attachments.limits.max_kept_bytes / 1e9

    async def open(
        self, question: InFlight, exchange: Exchange, model: ModelInfo | None
    ) -> Sequence[int]:
        """Fetch the pictures, draw the pages that the question is about, and store it.

        `model`: puts the default question in its language; not needed where there are words.

        Returns: numbers of earlier pictures that it is about: they show such pages.

        Raises: UserFacingError.
        """
        message = question.message
        if message.again or (message.keeps_pictures and await self._has_turn(message)):
            return await self._reopen(question, model)
        earlier = await self._turns_beside(message)
        known = [picture for turn in earlier for picture in turn.pictures]
        fetched = await self._attachments.fetch(
            message.attachments,
            exchange.open,
            num_in_thread=len(known),
            asker=message.user,
            on_setback=question.attempt_must_count,
        )
        pictures, documents = fetched.pictures, fetched.documents
        if any(attachment.earlier for attachment in message.attachments):
            # Found again, they are not stored twice.
            digests = {picture.digest for picture in known}
            pictures = tuple(new for new in pictures if new.picture.digest not in digests)
            open_already = {document.digest for turn in earlier for document in turn.documents}
            documents = tuple(new for new in documents if new.digest not in open_already)
        taken = len(known) + len(pictures), len(pictures)
        pages = await self._find_pages(question, documents, earlier, model, taken=taken)
        refusals = (*fetched.refusals, *pages.refusals)
        skipped = tuple(refusal.sentence(message.locale) for refusal in refusals)
        can_do_without = all(
            attachment.earlier or attachment.aside for attachment in message.attachments
        )
        has_text = any(not document.num_pages for document in documents)
        is_usable = bool(pictures or pages.pictures or has_text)
        if skipped and not is_usable and not can_do_without:
            raise UserFacingError("no_picture_usable", reasons=" ".join(skipped))
        receipt = Receipt(skipped=skipped)
        question.receipt_known(receipt)
        new = (*pictures, *pages.pictures)
        has_document = bool(pages.pictures) or has_text
        await self._save(
            message,
            question=_words_of(message, len(new), model, has_document=has_document),
            new_pictures=new,
            documents=documents,
            receipt=receipt,
        )
        return pages.shown

    async def _find_pages(
        self,
        question: InFlight,
        documents: Sequence[SentDocument],
        earlier: Sequence[Turn],
        model: ModelInfo | None,
        *,
        taken: tuple[int, int] = (0, 0),
    ) -> PagesFound:
        """The pages that a question is about.

        `taken`: how many pictures its thread has, and how many the question itself.
        """
        bounds = [
            self._attachments.pictures_per_thread - taken[0],
            self._attachments.pictures_per_question - taken[1],
        ]
        if model is not None:
            bounds.append(model.max_pictures - taken[1])
        message = question.message
        return await self._pages.find(
            message.text,
            documents,
            earlier,
            limit=max(0, min(bounds)),
            asker=message.user,
            on_setback=question.attempt_must_count,
        )

    async def _turns_beside(self, message: IncomingMessage) -> tuple[Turn, ...]:
        """The thread's other turns."""
        turns = await self._store.turns(message.thread)
        return tuple(turn for turn in turns if turn.message != message.key.message)

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
        documents: Sequence[SentDocument] = (),
        receipt: Receipt,
    ) -> None:
        begun = await self._store.begin_turn(
            message,
            question=question,
            new_pictures=new_pictures,
            documents=documents,
            receipt=receipt,
        )
        if not begun:
            raise UserFacingError("thread_forgotten")
        if (new_pictures or documents) and (max_bytes := self._attachments.limits.max_kept_bytes):
            await self._store.room.make_room(max_bytes)

    async def _has_turn(self, message: IncomingMessage) -> bool:
        """Whether some revision of the question has been stored."""
        turns = await self._store.turns(message.thread)
        return any(turn.message == message.key.message for turn in turns)

    async def _reopen(self, question: InFlight, model: ModelInfo | None) -> Sequence[int]:
        """The question is in its thread already: its pictures stay; asked again, its words too.

        Returns: see `open`.
        """
        message = question.message
        turns = await self.history_up_to(message)
        before = turns[-1]
        if message.attachments and not (before.pictures or before.documents):
            raise UserFacingError("pictures_needed_again")
        pages = await self._find_pages(question, (), turns, model)
        refused = (refusal.sentence(message.locale) for refusal in pages.refusals)
        num_pictures = len(before.pictures)
        has_pages = any(picture.page is not None for picture in before.pictures)
        has_text = any(not document.num_pages for document in before.documents)
        words = (
            before.question
            if message.again
            else _words_of(message, num_pictures, model, has_document=has_pages or has_text)
        )
        await self._save(
            message,
            question=words,
            new_pictures=pages.pictures,
            receipt=Receipt(skipped=tuple(dict.fromkeys((*before.receipt.skipped, *refused)))),
        )
        return pages.shown


def _words_of(
    message: IncomingMessage, num_pictures: int, model: ModelInfo | None, *, has_document: bool
) -> str:
    """The question's text; for a picture or document without words, the default question."""
    text = message.text.strip()
    if text:
        return text
    if not num_pictures and not has_document:
        raise UserFacingError("empty_question")
    locale = question_locale(model, message.locale)
    if has_document:
        return say(locale, "default_question_document")
    return say(locale, "default_question" if num_pictures < 2 else "default_question_several")
