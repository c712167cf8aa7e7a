"""What is counted of questions and of the replies to them."""

from __future__ import annotations

from bot.values.usage import Spent
from inference.metrics import Counter, Histogram

BY_PLATFORM = ("platform",)
QUESTIONS = Counter(
    "questions",
    "Questions that ended, by how: answered, stopped, refused or failed.",
    (*BY_PLATFORM, "outcome"),
)
REFUSALS = Counter(
    "question_refusals",
    "Questions that ended in a sentence instead of an answer, by the sentence's key.",
    (*BY_PLATFORM, "reason"),
)
ANEW = Counter(
    "question_revisions",
    "Questions that were answered anew: edited, or asked again.",
    (*BY_PLATFORM, "kind"),
)
FIRST_TEXT_S = Histogram(
    "first_visible_text_seconds",
    "From a question's event to the first text of its answer on its platform.",
    BY_PLATFORM,
)
DURATION_S = Histogram(
    "question_duration_seconds",
    "From a question's event until its platform has the whole answer.",
    BY_PLATFORM,
)
WRITES = Histogram(
    "reply_writes",
    "Calls that one reply took: messages posted and edited.",
    BY_PLATFORM,
    bounds=(1, 2, 3, 5, 10, 20, 50, 100),
)
RATE_WAITS = Counter(
    "rate_limit_waits",
    "Times that a reply waited: its platform asked for it, or did not answer.",
    BY_PLATFORM,
)
RATE_WAIT_S = Counter("rate_limit_wait_seconds", "How long replies waited for that.", BY_PLATFORM)
EDIT_FAILURES = Counter("reply_write_failures", "Calls that wrote a reply and failed.", BY_PLATFORM)


def in_words(platform: str, outcome: str, spent: Spent, *, after_s: float, reason: str = "") -> str:
    """One end for the log: figures and names of ours, nobody's words.

    Args:
        platform: where the question was asked.
        outcome: answered, stopped, refused or failed.
        spent: what it cost; nothing of it is said if no model was asked.
        after_s: how long it took, from its event on.
        reason: the key of the sentence that it ended in, if it did.
    """
    end = f"{platform}: {outcome}{f' ({reason})' if reason else ''} after {after_s:.1f} s"
    if not spent.model:
        return end
    return (
        f"{end}; {spent.model}: pictures: {spent.pictures}, tokens read: {spent.prompt_tokens}, "
        f"generated: {spent.generated_tokens}, first token: {spent.first_token_s:.2f} s"
    )
