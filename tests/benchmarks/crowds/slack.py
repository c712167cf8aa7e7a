"""The crowd of `tests.benchmarks.slack_load`: a local Slack and its people, in their own process.

It prints a line of JSON with its address, waits for a line on standard input, lets the people ask,
and prints a line of JSON with what came of it. So the bot's process holds nothing but the bot.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter

from tests.benchmarks.crowds.crowd import (
    DUPLICATES,
    FOLLOW_UPS,
    PROBE_EVERY_S,
    PROBES,
    RECONNECT_S,
    THREAD_EVERY_S,
    report,
)
from tests.scenario.core import RED
from tests.scenario.slack.stage import has_button
from tests.servers.slack.server import LocalSlack, running_slack
from tests.servers.slack.state import Message

BOT = "<@U0BOT>"
ANSWER_WITHIN_S = 120


def landed(slack: LocalSlack, ts: str, channel: str) -> list[Message]:
    return [it for it in slack.workspace.by_bot(channel, ts) if has_button(it, "llava_again")]


async def until_landed(slack: LocalSlack, ts: str, count: int, *, channel: str = "C1") -> None:
    async with asyncio.timeout(ANSWER_WITHIN_S):
        while len(landed(slack, ts, channel)) < count:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.05)


async def one_thread(slack: LocalSlack, number: int) -> bool:
    """One user's thread. Returns: whether each question was answered, in order."""
    user = f"U7{number:04d}"
    slack.workspace.add_user(user, f"Person {number}", "en-GB")
    await asyncio.sleep(number * THREAD_EVERY_S)
    expected = [f"answer to t{number} q0"]
    ts = slack.say(f"{BOT} t{number} q0", slack.upload("red.png", RED), user=user)
    await until_landed(slack, ts, 1)
    for question in range(1, FOLLOW_UPS + 1):
        slack.say(f"t{number} q{question}", thread=ts, user=user)
        expected.append(f"answer to t{number} q{question}")
        if question != 1:  # the first two are sent at once: their order must hold
            await until_landed(slack, ts, question + 1)
    return [it["text"] for it in slack.workspace.by_bot("C1", ts)] == expected


async def reconnecting(slack: LocalSlack) -> None:
    while True:
        await asyncio.sleep(RECONNECT_S)
        await slack.sockets.disconnect("refresh_requested")


async def probes(slack: LocalSlack) -> None:
    """Questions without pictures, one by one: the adapter's own time."""
    asked = []
    for number in range(PROBES):
        asked.append(slack.say(f"probe {number}", channel="D1"))
        await asyncio.sleep(PROBE_EVERY_S)
    for ts in asked:
        await until_landed(slack, ts, 1, channel="D1")


async def crowd(num_threads: int) -> None:
    async with running_slack() as slack:
        slack.rules.rates = False  # Slack's rates would stretch the load over half an hour
        report({"base": slack.base})
        await asyncio.to_thread(sys.stdin.readline)
        await probes(slack)
        report({"probed": PROBES})
        slack.socket_rules.duplicates = DUPLICATES
        reconnects = asyncio.create_task(reconnecting(slack))
        begun = time.perf_counter()
        in_order = await asyncio.gather(*(one_thread(slack, n) for n in range(num_threads)))
        took_s = time.perf_counter() - begun
        reconnects.cancel()
        await asyncio.sleep(1)  # a second answer would come now
        answers = Counter(
            it["text"] for it in slack.workspace.by_bot("C1") if "answer to t" in it["text"]
        )
        questions = num_threads * (FOLLOW_UPS + 1)
        report(
            {
                "threads": num_threads,
                "questions": questions,
                "answered_once": sum(count == 1 for count in answers.values()),
                "answered_more_than_once": sum(count > 1 for count in answers.values()),
                "lost": questions - len(answers),
                "threads_in_order": sum(in_order),
                "reconnects": slack.sockets.connected - 1,
                "load_s": round(took_s, 1),
            }
        )
        await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, required=True)
    asyncio.run(crowd(parser.parse_args().threads))
