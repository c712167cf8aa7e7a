"""From nothing to a first answer: the manifest, and a doctor that names each fix."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.oauth.installation_store.sqlalchemy import SQLAlchemyInstallationStore
from slack_sdk.oauth.state_store.sqlalchemy import SQLAlchemyOAuthStateStore
from sqlalchemy import MetaData

from bot.platforms.findings import Finding
from bot.platforms.slack import doctor
from bot.platforms.slack.manifest import BOT_SCOPES, manifest
from bot.platforms.slack.settings import SlackSettings
from bot.store.schema import metadata
from tests.engines import ScriptedModel
from tests.scenario.command import llava_bot
from tests.scenario.slack.stage import running_bot
from tests.servers.slack.reference import NOT_AT_HAND, REFERENCE
from tests.servers.slack.server import LocalSlack
from tests.servers.slack.state import ALL_SCOPES
from tests.servers.slack.web_api import METHODS


def settings(slack: LocalSlack, **changes: str) -> SlackSettings:
    tokens = {
        "bot_token": slack.workspace.bot_token,
        "app_token": slack.workspace.app_token,
    }
    return SlackSettings.model_validate({"api_url": slack.api_url} | tokens | changes)


def fixes(findings: list[Finding]) -> str:
    return "\n".join(
        str(finding) for finding in findings if not finding.is_well and not finding.unknown
    )


# -- the manifest ---------------------------------------------------------------------------------


async def test_the_manifest_is_printed_as_json(tmp_path: Path) -> None:
    printed = await llava_bot("manifest", "slack", data_dir=tmp_path)
    assert printed.code == 0
    assert json.loads(printed.out) == manifest()
    over_http = await llava_bot(
        "manifest", "slack", "--address", "https://bot.example.org", data_dir=tmp_path
    )
    assert "https://bot.example.org/slack/events" in over_http.out


def test_the_manifest_names_what_the_code_uses() -> None:
    made = manifest()
    sources = "\n".join(
        path.read_text(encoding="utf-8") for path in Path("bot/platforms/slack").rglob("*.py")
    )
    assert set(made["oauth_config"]["scopes"]["bot"]) == set(ALL_SCOPES) == set(BOT_SCOPES)
    for event in made["settings"]["event_subscriptions"]["bot_events"]:
        assert f'"{event.partition(".")[0]}"' in sources
    called = set(
        re.findall(
            r'"((?:chat|conversations|users|files|views|agents|assistant|auth|apps)'
            r'\.[A-Za-z.]+)"',
            sources,
        )
    )
    assert called <= set(METHODS)
    (command,) = made["features"]["slash_commands"]
    for word in ("help", "status", "usage", "settings", "forget me", "mute"):
        assert word in command["usage_hint"]


@pytest.mark.parametrize("address", [None, "https://bot.example.org"])
def test_slack_takes_the_manifest(address: str | None) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    if REFERENCE is None:
        pytest.skip(NOT_AT_HAND)
    schema = REFERENCE / "slack-manifest.schema.json"
    jsonschema.validate(manifest(address=address), json.loads(schema.read_text()))


# -- the doctor -----------------------------------------------------------------------------------


async def test_a_set_up_that_is_right_needs_no_fix(slack: LocalSlack) -> None:
    findings = await doctor.examine(settings(slack), channel="C1")
    assert fixes(findings) == ""
    assert any("came back as an event" in finding.what for finding in findings)
    assert slack.workspace.by_bot("C1") == []  # what was posted is deleted again


@pytest.mark.parametrize("scope", ["files:read", "users:read", "channels:history"])
async def test_each_missing_scope_is_named_with_what_it_is_for(
    slack: LocalSlack, scope: str
) -> None:
    slack.workspace.scopes.discard(scope)
    found = fixes(await doctor.examine(settings(slack)))
    assert f"add {scope}" in found
    assert BOT_SCOPES[scope] in found


async def test_each_wrong_token_gets_its_own_finding(slack: LocalSlack) -> None:
    assert "Bot User OAuth Token" in fixes(await doctor.examine(settings(slack, bot_token="x")))
    assert "connections:write" in fixes(await doctor.examine(settings(slack, app_token="x")))


async def test_a_clock_that_is_wrong_is_named(slack: LocalSlack) -> None:
    slack.rules.clock_ahead_s = 3600
    assert "s behind" in fixes(await doctor.examine(settings(slack)))


async def test_events_that_do_not_arrive_are_named(
    slack: LocalSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "EVENT_S", 0.3)
    slack.echoes = False
    found = fixes(await doctor.examine(settings(slack), channel="C1"))
    assert "Event Subscriptions" in found
    assert slack.workspace.by_bot("C1") == []


async def test_without_a_channel_the_doctor_says_to_invite_the_bot(slack: LocalSlack) -> None:
    for channel in slack.workspace.channels.values():
        channel["is_member"] = False
    assert "/invite" in fixes(await doctor.examine(settings(slack)))


async def test_a_slack_that_cannot_be_reached_is_named(
    slack: LocalSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.platforms.slack.api.READ_ATTEMPTS", 2)
    dead = settings(slack, api_url="http://127.0.0.1:9/api/")
    refused = fixes(await doctor.examine(dead))
    assert "Slack cannot be reached (ClientConnectorError: Connection refused)" in refused

    async def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "planted")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    nowhere = settings(slack, api_url="http://slack.invalid/api/")
    unheard_of = fixes(await doctor.examine(nowhere))
    assert "(ClientConnectorDNSError: name or service not known)" in unheard_of


async def test_the_command_says_what_is_wrong_and_fails(tmp_path: Path, slack: LocalSlack) -> None:
    tokens: dict[str, Any] = {
        "SLACK_BOT_TOKEN": slack.workspace.bot_token,
        "SLACK_APP_TOKEN": slack.workspace.app_token,
        "SLACK_API_URL": slack.api_url,
    }
    well = await llava_bot("doctor", data_dir=tmp_path, **tokens)
    assert (well.code, "ok       scopes" in well.out) == (0, True)
    slack.workspace.scopes.discard("files:read")
    ill = await llava_bot("doctor", data_dir=tmp_path, **tokens)
    assert (ill.code, "add files:read" in ill.out) == (1, True)
    unset = await llava_bot("doctor", data_dir=tmp_path)
    assert (unset.code, "not set up" in unset.out) == (0, True)
    half = await llava_bot("doctor", data_dir=tmp_path, SLACK_BOT_TOKEN="xoxb-1")
    assert (half.code, "SLACK_APP_TOKEN" in half.out) == (1, True)


async def test_two_bots_share_the_events(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel
) -> None:
    async with running_bot(tmp_path, slack, backend):
        findings = await doctor.examine(settings(slack))
    assert any("1 more connected" in finding.what for finding in findings)


# -- the SDK's tables -----------------------------------------------------------------------------


def test_our_tables_for_installations_are_those_of_the_sdk() -> None:
    theirs = MetaData()
    SQLAlchemyInstallationStore.build_installations_table(theirs, "slack_installations")
    SQLAlchemyInstallationStore.build_bots_table(theirs, "slack_bots")
    SQLAlchemyOAuthStateStore.build_oauth_states_table(theirs, "slack_oauth_states")
    for name, table in theirs.tables.items():
        ours = {c.name: (str(c.type), c.nullable) for c in metadata.tables[name].columns}
        assert ours == {c.name: (str(c.type), c.nullable) for c in table.columns}
