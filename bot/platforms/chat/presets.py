"""Where presets are offered: under the answer about a picture that came without a question."""

from __future__ import annotations

from bot.values.messages import Ending, IncomingMessage, Outcome


def offers_presets(message: IncomingMessage, ending: Ending) -> bool:
    """Whether an answer is about pictures of which nothing was asked."""
    return (
        ending.outcome is Outcome.ANSWERED
        and not message.text.strip()
        and bool(ending.receipt.pictures)
    )
