"""What users read when something goes wrong, apart from what is logged."""

from __future__ import annotations

import time
from typing import ClassVar, Final

from bot.texts import duration, say
from bot.values.limits import BoundReached
from inference.errors import (
    ContextExceeded,
    EngineDead,
    InferenceError,
    QueueFull,
    ServerFailed,
    TooManyPictures,
    Trouble,
)
from inference.safe_messages import is_disk_full

EXIT_ENGINE_DEAD = 70
"""The process's exit code when the model's device has failed: a supervisor starts it again."""


class UserFacingError(Exception):
    """Ends a question with a sentence.

    `sentence(locale)` goes to the chat. `str(exc)` goes to the log: the name of the sentence
    alone, since its values may hold what people wrote.
    """

    _FINAL: ClassVar = frozenset(
        {
            "empty_question",
            "gave_up",
            "needs_picture",
            "no_picture_usable",
            "picture_lost",
            "pictures_gone",
            "pictures_needed_again",
            "question_too_long",
            "text_too_long",
            "thread_forgotten",
        }
    )
    """The same question would end with the same sentence."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key = key
        self.values = values

    @property
    def may_pass(self) -> bool:
        """Whether the same question may succeed when it is asked again."""
        return self.key not in self._FINAL

    def sentence(self, locale: str) -> str:
        """In the user's language."""
        return say(locale, self.key, **self.values)


class OutOfTime(UserFacingError):
    """An answer took too long, and there is nothing to show of it."""

    def __init__(self, timeout_s: float) -> None:
        super().__init__("answer_timed_out")
        self.timeout_s = timeout_s

    def sentence(self, locale: str) -> str:
        """In the user's language."""
        return say(locale, self.key, wait=duration(locale, self.timeout_s))


class PictureRefused(UserFacingError):
    """A picture that cannot be used; the sentence names the file and the reason."""


class NotAPicture(PictureRefused):
    """A file of another kind; the sentence names the kind and, where there is one, the way out."""

    _SENTENCES: ClassVar = {
        "what_archive": "picture_is_other",
        "what_audio": "picture_is_other",
        "what_document": "picture_is_office",
        "what_sticker": "sticker_unknown",
        "what_video": "picture_is_video",
        "what_voice": "picture_is_other",
    }
    """Anything else can be seen on a screen, so a screenshot of it can be sent."""

    def __init__(self, kind: str, *, name: str) -> None:
        """`kind`: the text key of the words for it; `name`: the file's, as it is shown."""
        super().__init__(self._SENTENCES.get(kind, "picture_is_document"), name=name)
        self.kind = kind

    def sentence(self, locale: str) -> str:
        """In the user's language, the kind of file too."""
        return say(locale, self.key, **self.values, what=say(locale, self.kind))


class Busy(UserFacingError):
    """Too many questions, from this user or in all; nothing was run."""


class ShuttingDown(Busy):
    """The bot takes nothing any more; the next start may."""

    def __init__(self) -> None:
        super().__init__("shutting_down")


class BeyondBound(Busy):
    """A question beyond a bound; the sentence says when to come back."""

    def __init__(self, reached: BoundReached) -> None:
        super().__init__(reached.key, count=reached.limit)
        self._until = reached.until

    def sentence(self, locale: str) -> str:
        """In the user's language, with the time from now on."""
        if self._until is None:
            return super().sentence(locale)
        wait = duration(locale, self._until - time.time())
        return say(locale, self.key, **self.values, wait=wait)


class CommandFailed(Exception):
    """Ends a command; `str(exc)` is one sentence for the operator."""


class ConfigurationError(CommandFailed):
    """The operator must change something; `str(exc)` says what, one problem per line."""


_OF_SERVERS: Final = {
    Trouble.DOWN: "server_down",
    Trouble.KEY: "server_refuses",
    Trouble.MODEL: "server_refuses",
    Trouble.BROKEN: "server_broken",
    Trouble.CUT: "server_cut",
}


def words_of(tokens: int) -> int:
    """About how many words so many tokens hold, rounded down to tens: three to four tokens."""
    return tokens * 3 // 40 * 10


def refusal_of(exc: BaseException) -> UserFacingError:
    """The sentence for whatever has ended a question."""
    match exc:
        case UserFacingError():
            return exc
        case InferenceError():
            return to_user_facing(exc)
        case _:
            return UserFacingError("disk_full" if is_disk_full(exc) else "something_broke")


def to_user_facing(exc: InferenceError) -> UserFacingError:
    """The sentence for a refusal or failure of the engine."""
    match exc:
        case QueueFull():
            return Busy("queue_full", waiting=exc.waiting)
        case EngineDead():
            return UserFacingError("engine_dead")
        case ContextExceeded():
            return UserFacingError("question_too_long", limit=words_of(exc.context_tokens))
        case TooManyPictures(limit=0):
            return UserFacingError("model_takes_no_pictures")
        case TooManyPictures():
            return UserFacingError("model_takes_fewer_pictures", limit=exc.limit)
        case ServerFailed():
            return UserFacingError(_OF_SERVERS[exc.trouble])
        case _:
            return UserFacingError("generation_failed")
