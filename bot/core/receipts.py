"""What an answer used and left out, in the user's language."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from bot.core.answering.moving import Apart, seconds
from bot.core.conversation import Conversation
from bot.store import GonePicture, StoredPicture, Turn
from bot.texts import duration, say
from bot.values.messages import Receipt, ReceiptPicture
from inference.types import Finished, FinishReason, ModelInfo


def receipt_of(locale: str, model: ModelInfo, turn: Turn, conversation: Conversation) -> Receipt:
    """What an answer from this conversation uses, and what it leaves out of the thread."""
    dropped = []
    if conversation.dropped_turns:
        dropped.append(say(locale, "dropped_turns", count=conversation.dropped_turns))
    too_many = say(locale, "note_left_out", limit=model.max_pictures)
    no_room = say(locale, "note_no_room")
    dropped += [_dropped_picture(locale, picture, too_many) for picture in conversation.left_out]
    dropped += [_dropped_picture(locale, picture, no_room) for picture in conversation.no_room]
    gone = say(locale, "note_gone")
    dropped += [_dropped_picture(locale, picture, gone) for picture in conversation.gone]
    return Receipt(
        pictures=tuple(
            ReceiptPicture(
                number=picture.number,
                name=picture.name,
                # What was done to it is news only in the turn it came with.
                notes=_notes(locale, model, picture, conversation.apart.get(picture.number))
                if picture in turn.pictures
                else (),
            )
            for picture in conversation.pictures
        ),
        skipped=turn.receipt.skipped,
        dropped=tuple(dropped),
    )


def _notes(
    locale: str, model: ModelInfo, picture: StoredPicture, apart: Apart | None
) -> tuple[str, ...]:
    """What was done to a picture, by the bot and for the model."""
    if apart is not None:
        return (_frames(locale, "note_frames_apart", apart.times_ms), *picture.notes)
    if picture.sheet is not None:
        sheet = _frames(locale, "note_frames_on_sheet", picture.sheet.times_ms)
        return (sheet, *picture.notes)
    own = (picture.width_px, picture.height_px)
    seen = own if model.picture_bound is None else model.picture_bound.seen(*own)
    if seen == own:
        return picture.notes
    return (*picture.notes, say(locale, "note_seen_smaller", width=seen[0], height=seen[1]))


def _frames(locale: str, key: str, times_ms: Sequence[int]) -> str:
    return say(locale, key, count=len(times_ms), times=seconds(times_ms))


def _dropped_picture(locale: str, picture: StoredPicture | GonePicture, reason: str) -> str:
    return say(locale, "dropped_picture", number=picture.number, name=picture.name, reason=reason)


def which_model(names: Sequence[str], chosen: str, locale: str) -> str:
    """Which of several models answered; empty where there is only one.

    Args:
        names: of the models, the default's first.
        chosen: for the channel; empty is the default.
    """
    if not names:
        return ""
    return say(locale, "answered_by", model=chosen if chosen in names else names[0])


def with_notes(
    locale: str,
    receipt: Receipt,
    finished: Finished | None,
    further: Iterable[str],
    *,
    timeout_s: float,
) -> Receipt:
    """The receipt with a note on an early end, then the further ones that are not empty.

    `finished`: `None`: the answer took longer than `timeout_s`.
    """
    notes = []
    match finished and finished.reason:
        case None:
            notes.append(say(locale, "ended_timeout", wait=duration(locale, timeout_s)))
        case FinishReason.LENGTH:
            notes.append(say(locale, "ended_length", count=finished.new_tokens if finished else 0))
        case FinishReason.NEXT_TURN:
            notes.append(say(locale, "ended_next_turn"))
        case FinishReason.REPETITION:
            notes.append(say(locale, "ended_repetition"))
        case _:
            pass
    notes += [note for note in further if note]
    return replace(receipt, notes=tuple(notes))
