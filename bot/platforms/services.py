"""What an adapter is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from bot.core.addressing import Addressing
from bot.core.answer import Answers
from bot.core.commands import Commands
from bot.core.completions.completions import Completions
from bot.core.erasure import Erasure
from bot.settings import Settings
from bot.store import Store
from bot.values.presence import Presences


class Overview(Protocol):
    """How the bot is, for those who run it (`bot.monitoring.overview`)."""

    async def to_json(self, locale: str) -> dict[str, Any]:
        """Numbers and the names of places, with sentences in the reader's language."""
        ...


@dataclass(frozen=True, kw_only=True)
class AdapterServices:
    """The parts of a running bot that adapters use; they live as long as the bot."""

    settings: Settings
    store: Store
    answers: Answers
    completions: Completions
    erasure: Erasure
    addressing: Addressing
    commands: Commands
    presences: Presences
    overview: Overview
