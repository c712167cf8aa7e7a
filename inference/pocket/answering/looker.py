"""Pictures looked at once, and the conversation that answers from what was found."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any, Final

from inference.models.images import open_picture
from inference.pocket.answering.conversation import Conversation
from inference.pocket.seeing.facts import Facts
from inference.pocket.seeing.looking import Eyes
from inference.pocket.seeing.parts import read
from inference.types import Message, Picture

MAX_LOOKS: Final = 256
"""Pictures whose facts are kept."""
MIN_PX: Final = 832
"""Decoding a fraction of a large JPEG costs nothing while that is twice what the eyes see."""


class Looker:
    """Looks at pictures, each once."""

    def __init__(self, eyes: Eyes) -> None:
        self._eyes = eyes
        self._facts: OrderedDict[str, Facts] = OrderedDict()
        self._lock = threading.Lock()

    def look(self, picture: Picture) -> Facts:
        """Find what is in a picture. Safe from any thread."""
        with self._lock:
            known = self._facts.get(picture.digest)
            if known is None:
                known = self._eyes.look(read(open_picture(picture, MIN_PX)))
                self._facts[picture.digest] = known
                if len(self._facts) > MAX_LOOKS:
                    self._facts.popitem(last=False)
            return known

    def forget(self) -> None:
        """Drop what was found."""
        with self._lock:
            self._facts.clear()


class FoundAnswers:
    """Answers from what is found in pictures: see `inference.backends.direct.Direct`."""

    def __init__(self, eyes: Eyes) -> None:
        self._looker = Looker(eyes)
        self._conversation = Conversation(eyes.vocabulary, self._looker.look)

    def answer(self, messages: tuple[Message, ...]) -> str | tuple[Message, ...]:
        """See `Conversation.answer`. Safe from any thread."""
        return self._conversation.answer(messages)

    def forget(self) -> None:
        """Drop what was found."""
        self._looker.forget()


def found_answers(weights: Any) -> FoundAnswers:
    """Return what answers from the tower of the pocket's checkpoint."""
    return FoundAnswers(weights.model.vision_tower.eyes())
