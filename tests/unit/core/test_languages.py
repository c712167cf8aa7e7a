"""The language that answers are asked for, and Japanese as Slack and Discord count it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.core.answering.languages import ASK_FOR, in_its_language
from bot.core.channel_settings.names import LANGUAGES
from bot.core.splitting import split
from bot.platforms.discord.replies.layout import length as discord_length
from bot.platforms.slack.replies.blocks import length as slack_length
from bot.values.messages import ReplyLimits
from tests.engines import ScriptedModel

MODEL = ScriptedModel().model
SMALL = replace(MODEL, languages=("en",))


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ("これは何ですか？", "ja"),
        ("ｺﾚﾊﾅﾆ?", "ja"),
        ("看板の写真", "ja"),
        ("このscreenshotのerror messageは何ですか", "ja"),
        ("これは Visual Studio Code ですか？", "ja"),
        ("PDFの内容を教えて", "ja"),
        ("이게 뭐예요?", "ko"),
    ],
)
def test_a_question_is_put_with_a_wish_for_its_own_language(question: str, code: str) -> None:
    assert in_its_language(question, MODEL) == f"{question}\n{ASK_FOR[code]}"


def test_where_the_script_tells_no_language_nothing_is_added() -> None:
    for question in ("What is it?", "¿Qué es?", "42", "", "画像説明", "这是什么？"):
        assert in_its_language(question, MODEL) == question


@pytest.mark.parametrize(
    "question",
    ["What does ありがとう mean?", "What does this sign say: ありがとう", "Translate 안녕 please"],
)
def test_a_question_that_quotes_another_language_is_not_answered_in_it(question: str) -> None:
    assert in_its_language(question, MODEL) == question


def test_a_channels_language_comes_before_the_questions() -> None:
    assert in_its_language("これは何？", MODEL, "en").endswith(ASK_FOR["en"])
    assert in_its_language("What is it?", MODEL, "ja").endswith(ASK_FOR["ja"])


def test_a_model_is_asked_for_no_language_that_it_does_not_understand() -> None:
    assert in_its_language("これは何？", SMALL) == "これは何？"
    assert in_its_language("What is it?", SMALL, "ja") == "What is it?"


def test_every_language_that_can_be_chosen_can_be_asked_for() -> None:
    assert set(ASK_FOR) == set(LANGUAGES)


FAMILY = "👩‍👩‍👧‍👦"  # one character for people, eleven UTF-16 units
SENTENCE = f"看板には「営業中！」と書いてあります（{FAMILY}）。"


@pytest.mark.parametrize("measure", [slack_length, discord_length])
def test_japanese_is_cut_after_its_sentences_in_the_platforms_unit(measure: object) -> None:
    text = SENTENCE * 40
    limits = ReplyLimits(max_length=100, measure=measure)  # type: ignore[arg-type]
    parts = split(text, limits)
    assert "".join(parts) == text
    assert all(limits.measure(part) <= 100 for part in parts)
    assert all(part.endswith("。") for part in parts)
    assert len(parts) < 40  # several sentences fit one part


def test_without_a_sentence_to_cut_at_no_emoji_is_torn() -> None:
    text = FAMILY * 30
    parts = split(text, ReplyLimits(max_length=64, measure=slack_length))
    assert all(set(part.replace(FAMILY, "")) == set() for part in parts)
    assert "".join(parts) == text
