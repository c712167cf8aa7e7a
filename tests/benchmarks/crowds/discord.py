"""The crowd of `tests.benchmarks.discord_load`: a local Discord and its people, in a process.

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
from tests.scenario.discord.stage import MENTION, has_button, text_of
from tests.servers.discord.server import LocalDiscord, running_discord
from tests.servers.discord.state import GUILD, Json

ANSWER_WITHIN_S = 180


def landed(discord: LocalDiscord, thread: str) -> list[Json]:
    return [it for it in discord.world.by_bot(thread) if has_button(it, "again")]


async def until_landed(discord: LocalDiscord, thread: str, count: int) -> None:
    async with asyncio.timeout(ANSWER_WITHIN_S):
        while len(landed(discord, thread)) < count:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.05)


async def one_thread(discord: LocalDiscord, number: int) -> bool:
    """One user's thread. Returns: whether each question was answered, in order."""
    user = str(200_000_000_000_000_000 + number)
    discord.world.add_user(user, f"Person {number}")
    discord.world.join(GUILD, user, [])
    await asyncio.sleep(number * THREAD_EVERY_S)
    expected = [f"answer to t{number} q0"]
    thread = discord.say(f"{MENTION} t{number} q0", discord.upload("red.png", RED), user=user)
    await until_landed(discord, thread, 1)
    for question in range(1, FOLLOW_UPS + 1):
        discord.say(f"t{number} q{question}", channel=thread, user=user)
        expected.append(f"answer to t{number} q{question}")
        if question != 1:  # the first two are sent at once: their order must hold
            await until_landed(discord, thread, question + 1)
    return [text_of(it) for it in discord.world.by_bot(thread)] == expected


async def reconnecting(discord: LocalDiscord) -> None:
    """Alternate between op 7 and a closed connection; each RESUME replays some events."""
    discord.gateway.rules.replays = 20
    while True:
        await asyncio.sleep(RECONNECT_S)
        discord.gateway.reconnect()
        await asyncio.sleep(RECONNECT_S)
        await discord.gateway.close_lines(4000)


async def probes(discord: LocalDiscord) -> None:
    """Questions without pictures, one by one: the adapter's own time."""
    asked = []
    for number in range(PROBES):
        asked.append(discord.say(f"{MENTION} probe {number}"))
        await asyncio.sleep(PROBE_EVERY_S)
    for thread in asked:
        await until_landed(discord, thread, 1)


async def crowd(num_threads: int) -> None:
    async with running_discord() as discord:
        report({"port": discord.port, "ca_file": str(discord.ca_file)})
        await asyncio.to_thread(sys.stdin.readline)
        await probes(discord)
        report({"probed": PROBES})
        refused_by_probes = len(discord.buckets.refused)
        discord.gateway.rules.duplicates = DUPLICATES
        reconnects = asyncio.create_task(reconnecting(discord))
        begun = time.perf_counter()
        in_order = await asyncio.gather(*(one_thread(discord, n) for n in range(num_threads)))
        took_s = time.perf_counter() - begun
        reconnects.cancel()
        await asyncio.sleep(2)  # a second answer would come now
        said = [
            text_of(it) for place in discord.world.messages for it in discord.world.by_bot(place)
        ]
        answers = Counter(it for it in said if "answer to t" in it)
        questions = num_threads * (FOLLOW_UPS + 1)
        report(
            {
                "threads": num_threads,
                "questions": questions,
                "answered_once": sum(count == 1 for count in answers.values()),
                "answered_more_than_once": sum(count > 1 for count in answers.values()),
                "lost": questions - len(answers),
                "threads_in_order": sum(in_order),
                "resumes": discord.gateway.resumed,
                "refused_for_the_rate": len(discord.buckets.refused) - refused_by_probes,
                "load_s": round(took_s, 1),
            }
        )
        await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, required=True)
    asyncio.run(crowd(parser.parse_args().threads))
