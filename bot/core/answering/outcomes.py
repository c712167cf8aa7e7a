"""What is counted of questions and of the replies to them."""

from __future__ import annotations

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
