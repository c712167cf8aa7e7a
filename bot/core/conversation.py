"""What the model is shown: the turns and pictures of a thread that fit its context.

The oldest text is dropped first and the pictures stay, placed before the first question that is
still there. Only when the bare question does not fit with them are pictures dropped: those of
earlier turns, oldest first, then the question's own except its first.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot.core.answering.closer import Closer, LooksOn, look_closer, told_closer
from bot.core.answering.moving import Apart, frames_apart, told
from bot.core.answering.pictured_text import MAX_QUOTED_CHARS, cut, quoted
from bot.core.documents.files import SHARE, GivenFile, TextFile, files_of, given, quoted_files
from bot.core.documents.notes import label_of
from bot.errors import UserFacingError, words_of
from bot.store import GonePicture, StoredPicture, Turn
from bot.values.messages import Outcome
from inference.types import Message, ModelInfo, Picture, Role

MIN_QUOTED_CHARS = 200
"""Once so little is quoted of a picture, the next step leaves its text out."""
MAX_SPEAKER_CHARS = 64
"""Of a name before a question; platforms allow longer ones."""

CountTokens = Callable[[tuple[Message, ...]], Awaitable[int]]
ReadPicture = Callable[[StoredPicture], Awaitable[Picture]]
TextFor = Callable[[int, Picture], Awaitable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What is sent to the model, and what of the thread is not."""

    messages: tuple[Message, ...] = field(repr=False)
    pictures: tuple[StoredPicture, ...]
    """Shown to the model, in the thread's order."""
    dropped_turns: int = 0
    left_out: tuple[StoredPicture, ...] = ()
    """Pictures beyond the number the model takes."""
    no_room: tuple[StoredPicture, ...] = ()
    """Pictures that do not fit its context."""
    gone: tuple[GonePicture, ...] = ()
    """Pictures that the store keeps no more."""
    read: tuple[int, ...] = ()
    """Numbers of the pictures whose text is in the prompt."""
    files: tuple[GivenFile, ...] = ()
    """Text files of the thread, and how much of them is in the prompt."""
    apart: dict[int, Apart] = field(default_factory=dict, repr=False)
    """Sheets whose frames are shown one by one, by the picture's number."""
    closer: tuple[Closer, ...] = ()
    """Parts of pictures that the question is about, beside the whole."""
    prompt_tokens: int = 0
    """Its length, as counted."""


async def fit_to_context(
    turns: tuple[Turn, ...],
    *,
    model: ModelInfo,
    reserve_tokens: int,
    system_prompt: str | None,
    count_tokens: CountTokens,
    read_picture: ReadPicture,
    put: Callable[[str], str] = str,
    text_for: TextFor | None = None,
    wanted: Collection[int] = (),
    files: Mapping[int, TextFile] | None = None,
    parts: LooksOn | None = None,
) -> Conversation:
    """Choose what the model is shown of a thread whose last turn is the question.

    Args:
        turns: oldest first; the last is the question to answer.
        model: its bounds hold.
        reserve_tokens: kept free for the answer.
        system_prompt: comes first, if any.
        count_tokens: length of a prompt.
        read_picture: fetches a stored picture's bytes.
        put: how a question is put to the model.
        text_for: reads the text of a numbered picture, to be quoted before the question that it
            belongs to; empty is none.
        wanted: numbers of earlier pictures that the question is about.
        files: text files of the thread, by their ids.
        parts: which parts of a picture a question is about, to be shown beside the whole.

    Raises:
        UserFacingError: the question alone is too long for the model.
    """
    earlier, question = turns[:-1], turns[-1]
    shown, left_out = choose_pictures(turns, model.max_pictures, wanted)
    loaded = {picture.number: await read_picture(picture) for picture in shown}
    draft = _Draft(earlier, question, loaded, system_prompt, put, wanted)
    draft.files = files or {}
    if parts is not None:
        draft.closer = await look_closer(turns, loaded, model, parts)
    num_parts = sum(map(len, draft.closer.values()))
    rest = replace(model, max_pictures=model.max_pictures - num_parts)
    draft.apart = await frames_apart(shown, loaded, rest)
    if text_for is not None:
        draft.texts = {number: await text_for(number, one) for number, one in loaded.items()}
    budget = model.context_tokens - reserve_tokens
    bare = len(earlier)  # dropping as many leaves the question alone

    lengths: dict[int, int] = {}

    async def fits(dropped_turns: int) -> bool:
        length = await count_tokens(draft.messages(dropped_turns))
        lengths[dropped_turns] = length
        return length <= budget

    no_room: list[StoredPicture] = []
    dropped = 0
    while not await fits(0):
        if draft.show_less():
            continue
        if await fits(bare):
            dropped = await _least(fits, bare)
            break
        if draft.closer.pop(question.message, None) or draft.quote_less():
            continue
        picture = draft.least_worthy()
        if picture is None:
            raise UserFacingError("question_too_long", limit=words_of(budget))
        no_room.append(picture)
        del draft.pictures[picture.number]
    return Conversation(
        messages=draft.messages(dropped),
        pictures=tuple(draft.shown()),
        read=tuple(picture.number for picture in draft.shown() if draft.quotes(picture.number)),
        files=draft.given_files(),
        dropped_turns=sum(1 for turn in earlier[:dropped] if _was_said(turn)),
        left_out=left_out,
        no_room=tuple(no_room),
        gone=tuple(picture for turn in turns for picture in turn.gone),
        apart=draft.apart,
        closer=draft.closer.get(question.message, ()),
        prompt_tokens=lengths[dropped],
    )


async def _least(fits: Callable[[int], Awaitable[bool]], most: int) -> int:
    """The smallest number of turns to drop that fits: more than none, and `most` fits."""
    low, high = 1, most
    while low < high:
        middle = (low + high) // 2
        if await fits(middle):
            high = middle
        else:
            low = middle + 1
    return high


def choose_pictures(
    turns: tuple[Turn, ...], limit: int, wanted: Collection[int] = ()
) -> tuple[tuple[StoredPicture, ...], tuple[StoredPicture, ...]]:
    """The question's own pictures, then the latest of the thread, as many as the model takes.

    `wanted`: numbers of earlier ones that come first, because the question is about them.

    Returns: those, and the ones left out, both in the thread's order.
    """
    earlier = [picture for turn in turns[:-1] for picture in turn.pictures]
    by_worth = [*turns[-1].pictures, *reversed(earlier)]
    by_worth.sort(key=lambda picture: picture.number not in wanted)
    shown, left_out = by_worth[:limit], by_worth[limit:]
    return (
        tuple(sorted(shown, key=lambda picture: picture.number)),
        tuple(sorted(left_out, key=lambda picture: picture.number)),
    )


def _was_said(turn: Turn) -> bool:
    """Whether a turn's words are part of the conversation: it has an answer of the model."""
    return turn.outcome in {Outcome.ANSWERED, Outcome.STOPPED} and bool(turn.answer)


def _as_speaker(name: str) -> str:
    """A name before what its bearer asks: on one line, and no words of somebody else's in it."""
    return " ".join(re.sub(r"[:：﹕︓ː\s]+", " ", name).split())[:MAX_SPEAKER_CHARS]


class _Draft:
    """Writes the messages for a number of dropped turns."""

    def __init__(
        self,
        earlier: tuple[Turn, ...],
        question: Turn,
        pictures: dict[int, Picture],
        system_prompt: str | None,
        put: Callable[[str], str],
        wanted: Collection[int],
    ) -> None:
        self._put = put
        self._wanted = wanted
        self._earlier = earlier
        self._question = question
        self._system_prompt = system_prompt
        self.pictures = pictures
        self.texts: dict[int, str] = {}
        self.apart: dict[int, Apart] = {}
        self.files: Mapping[int, TextFile] = {}
        self.closer: dict[str, tuple[Closer, ...]] = {}
        stored = [picture for turn in (*earlier, question) for picture in turn.pictures]
        self._labels = {one.number: label_of(one) for one in stored if one.page is not None}
        self._quoted_chars = MAX_QUOTED_CHARS
        self._sheets = {
            picture.number: picture.sheet
            for turn in (*earlier, question)
            for picture in turn.pictures
        }
        names = {turn.author_name for turn in (*earlier, question) if turn.author_name}
        self._says_who = len(names) > 1

    def shown(self) -> list[StoredPicture]:
        """The stored pictures that are still in the draft, in the thread's order."""
        stored = [p for turn in (*self._earlier, self._question) for p in turn.pictures]
        return sorted(
            (picture for picture in stored if picture.number in self.pictures),
            key=lambda picture: picture.number,
        )

    def quotes(self, number: int) -> bool:
        """Whether something of a picture's text is in the draft."""
        return bool(cut(self.texts.get(number, ""), self._quoted_chars))

    def given_files(self) -> tuple[GivenFile, ...]:
        """What is in the draft of text files."""
        turns = (*self._earlier, self._question)
        files = [file for turn in turns for file in files_of(turn, self.files)]
        return given(files, SHARE * self._quoted_chars)

    def quote_less(self) -> bool:
        """Halve what is quoted of pictures and files. Returns: false when nothing is left of it."""
        is_file_quoted = any(file.quote for file in self.given_files())
        if not is_file_quoted and not any(map(self.quotes, self.pictures)):
            return False
        self._quoted_chars = self._quoted_chars // 2 if self._quoted_chars > MIN_QUOTED_CHARS else 0
        return True

    def show_less(self) -> bool:
        """Leave out what earlier questions looked closer at, then the frames of sheets.

        Returns: false where there is nothing of these.
        """
        own = {key: it for key, it in self.closer.items() if key == self._question.message}
        if own != self.closer:
            self.closer = own
            return True
        had_more, self.apart = bool(self.apart), {}
        return had_more

    def least_worthy(self) -> StoredPicture | None:
        """What to drop first: the oldest of earlier turns, then the last of the question's own.

        Those of earlier turns that the question is about count as its own. The first stays.
        """
        shown = self.shown()
        own = [
            picture
            for picture in shown
            if picture in self._question.pictures or picture.number in self._wanted
        ]
        earlier = [picture for picture in shown if picture not in own]
        return next(iter([*earlier, *reversed(own[1:])]), None)

    def messages(self, dropped_turns: int) -> tuple[Message, ...]:
        messages: list[Message] = []
        if self._system_prompt:
            messages.append(Message(role=Role.SYSTEM, text=self._system_prompt))
        carried: list[Turn] = []  # whose text is dropped: the next question gets their pictures
        for index, turn in enumerate(self._earlier):
            carried.append(turn)
            if index >= dropped_turns and _was_said(turn):
                messages.append(self._asked(turn, carried))
                messages.append(Message(role=Role.ASSISTANT, text=turn.answer or ""))
                carried = []
        messages.append(self._asked(self._question, [*carried, self._question]))
        return tuple(messages)

    def _numbers_of(self, turn: Turn) -> list[int]:
        return [one.number for one in turn.pictures if one.number in self.pictures]

    def _asked(self, turn: Turn, shown: Sequence[Turn]) -> Message:
        """A question as the model gets it.

        With the pictures and files of the turns `shown`, and its author's name where several
        people ask.
        """
        numbers = [number for one in shown for number in self._numbers_of(one)]
        files = [file for one in shown for file in files_of(one, self.files)]
        text = self._put(turn.question)
        if self._says_who and turn.author_name:
            text = f"{_as_speaker(turn.author_name)}: {text}"
        texts = {number: self.texts.get(number, "") for number in numbers}
        moving = "".join(
            told(number, self._sheets.get(number), self.apart.get(number)) for number in numbers
        )
        quotes = quoted_files(files, SHARE * self._quoted_chars)
        closer = self.closer.get(turn.message, ())
        text = quoted(texts, self._labels, self._quoted_chars) + text
        text = quotes + moving + told_closer(closer, self._labels) + text
        pictures = [picture for number in numbers for picture in self._as_shown(number)]
        pictures += [it.picture for it in closer]
        return Message(role=Role.USER, text=text, pictures=tuple(pictures))

    def _as_shown(self, number: int) -> tuple[Picture, ...]:
        apart = self.apart.get(number)
        return (self.pictures[number],) if apart is None else apart.pictures
