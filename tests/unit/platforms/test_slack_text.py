"""What a person reads of a Slack message: no text of any form holds the loop up."""

from __future__ import annotations

import time

import pytest

from bot.platforms.slack.events import EVERYBODY, plain_text, with_names

BOT = "U0BOT"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<@U0BOT> what is it?", "what is it?"),
        ("what \n <@U0BOT|bot>:  is it?", "what is it?"),
        ("a<@U0BOT>b", "a b"),
        ("<@U0BOT> <@U0BOT> twice", "twice"),
        (
            "see <https://a.test/x|here> in <#C01|general>, <!channel>",
            "see here in #general, @channel",
        ),
    ],
)
def test_the_bots_mention_goes_and_the_rest_is_as_it_is_read(text: str, plain: str) -> None:
    assert plain_text(text, BOT) == plain


@pytest.mark.parametrize(
    "piece",
    [" ", "\n", " \t", "<@U1|", "<#C1|", "<!subteam^", "<!here|", "<http://a|", "<@U0BOT|", "<"],
)
def test_a_message_of_any_form_is_read_in_a_moment(piece: str) -> None:
    text = (piece * 40_000)[:40_000]
    began = time.process_time()
    for message in (f"x{text}x", f"<@U0BOT> {text}x"):
        with_names(plain_text(message, BOT), {})
        EVERYBODY.search(message)
    assert time.process_time() - began < 2
