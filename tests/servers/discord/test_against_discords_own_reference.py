"""The local Discord and the bot's calls, checked against Discord's published REST interface."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from jsonschema.exceptions import best_match  # type: ignore[import-untyped]

from tests.engines import ScriptedModel
from tests.scenario.core import RED
from tests.scenario.discord.stage import MENTION, running_bot
from tests.servers.discord.reference import NOT_AT_HAND, REFERENCE
from tests.servers.discord.routes import ROUTES
from tests.servers.discord.server import Recorded, running_discord
from tests.waiting import until

pytestmark = pytest.mark.skipif(REFERENCE is None, reason=NOT_AT_HAND)

OURS = {"allowed_mentions", "edits"}
"""What the local Discord adds to its messages for the tests."""


def document() -> dict[str, Any]:
    assert REFERENCE is not None
    text = (REFERENCE / "discord-openapi.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def operation(api: dict[str, Any], recorded: Recorded) -> dict[str, Any]:
    found: dict[str, Any] = api["paths"][recorded.route.path][recorded.route.method.lower()]
    return found


def problems(api: dict[str, Any], schema: dict[str, Any], value: Any) -> list[str]:
    whole = {**schema, "components": api["components"]}
    found = []
    for error in Draft202012Validator(whole).iter_errors(value):
        closest = best_match([error])
        found.append(f"{'/'.join(map(str, closest.absolute_path))}: {closest.message[:200]}")
    return found


def as_written(body: Any) -> Any:
    """discord.py writes some ids as numbers, which Discord accepts as well as strings."""
    if isinstance(body, list):
        return [as_written(it) for it in body]
    if not isinstance(body, dict):
        return body
    return {
        name: str(value)
        if isinstance(value, int) and (name == "id" or name.endswith("_id"))
        else [str(it) for it in value]
        if name == "users"
        else value
        if name == "components"
        else as_written(value)
        for name, value in body.items()
    }


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_its_routes_are_discords(route: Any) -> None:
    operations = document()["paths"][route.path]
    assert operations[route.method.lower()]["operationId"] == route.name


async def everything(folder: Path) -> list[Recorded]:
    """A day in a server. Returns: every call that was made."""
    backend = ScriptedModel(context_tokens=2000, max_pictures=5)
    async with running_discord() as discord, running_bot(folder, discord, backend) as stage:
        await until(lambda: bool(discord.world.commands))
        asked = discord.say(f"{MENTION} what is it?", discord.upload("red.png", RED))
        reply = await stage.answered(asked)
        backend.answer = lambda _: " ".join(["A sentence."] * 400)
        discord.press(reply, "again")
        await until(lambda: len(stage.replies(asked)) > 2)
        await stage.quiet()
        backend.answer = lambda _: "short"
        discord.press(stage.landed(asked)[-1], "again")
        await until(lambda: len(stage.replies(asked)) == 1)
        discord.slash("ask", question="what?", file=discord.upload("red.png", RED))
        shown = discord.say("my cat", discord.upload("red.png", RED))
        discord.use_menu(shown)
        await until(lambda: bool(discord.interactions.modals))
        discord.submit({"question": "what?"})
        await stage.answered(shown)
        discord.slash("llava status")
        discord.slash("llava settings")
        await until(lambda: bool(discord.interactions.modals))
        discord.submit({"note": "For fun.", "follow_ups": "mention"})
        discord.archive(asked)
        discord.press(stage.landed(asked)[-1], "again")
        thread = discord.open_thread("cats")
        discord.say(f"{MENTION} hello", channel=thread)
        await stage.answered(thread)
        discord.deny("create_public_threads")
        discord.say(f"{MENTION} hello")
        await until(lambda: bool(stage.landed("100000004194305001")))
        await stage.quiet()
        return list(discord.recorded)


async def test_every_call_and_every_answer_fits_discords_own_description(tmp_path: Path) -> None:
    api = document()
    recorded = await everything(tmp_path)
    assert len({it.route.name for it in recorded}) >= 12
    wrong: dict[str, list[str]] = {}
    for it in recorded:
        described = operation(api, it)
        content = described.get("requestBody", {}).get("content", {})
        if "application/json" in content and it.call.body:
            body = as_written(it.call.body.get("list", it.call.body))
            found = problems(api, content["application/json"]["schema"], body)
            wrong.setdefault(f"{it.route.name} asked", []).extend(found)
        answers = described["responses"]
        answer = answers.get(str(it.status)) or answers.get("4XX") or {}
        schema = answer.get("content", {}).get("application/json", {}).get("schema")
        if schema is not None and it.answer is not None:
            told = json.loads(json.dumps(it.answer))
            if isinstance(told, dict):
                told = {name: value for name, value in told.items() if name not in OURS}
            wrong.setdefault(f"{it.route.name} answered", []).extend(problems(api, schema, told))
    wrong = {name: sorted(set(found)) for name, found in wrong.items() if found}
    assert not wrong, "\n".join(f"{name}: {it}" for name, found in wrong.items() for it in found)
