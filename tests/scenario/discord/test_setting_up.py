"""From nothing to a first answer: the invitation, and a doctor that names each fix."""

from __future__ import annotations

from pathlib import Path

import pytest
from yarl import URL

from bot.platforms.discord import doctor
from bot.platforms.discord.invitation import application_of, invitation, manifest
from bot.platforms.discord.permissions import NEEDED
from bot.platforms.discord.settings import DiscordSettings
from bot.platforms.findings import Finding
from tests.scenario.command import llava_bot
from tests.scenario.discord.test_process import settings
from tests.servers.discord.server import LocalDiscord
from tests.servers.discord.state import BITS, BOT, PICTURES
from tests.servers.faults import Fault


def examined(discord: LocalDiscord, **changes: str) -> DiscordSettings:
    given = {
        "bot_token": discord.world.token,
        "resolve_to": discord.address,
        "ca_file": discord.ca_file,
    }
    return DiscordSettings.model_validate(given | changes)


def fixes(findings: list[Finding]) -> str:
    return "\n".join(str(it) for it in findings if not it.is_well and not it.unknown)


# -- the invitation -------------------------------------------------------------------------------


def test_the_invitation_asks_for_the_least_permissions() -> None:
    address = URL(invitation(BOT))
    assert address.query["client_id"] == BOT
    assert set(address.query["scope"].split()) == {"bot", "applications.commands"}
    assert int(address.query["permissions"]) == sum(BITS[name] for name in NEEDED)


async def test_it_is_printed_with_what_to_switch_on(tmp_path: Path, discord: LocalDiscord) -> None:
    printed = await llava_bot(
        "manifest", "discord", data_dir=tmp_path, DISCORD_BOT_TOKEN=discord.world.token
    )
    assert printed.code == 0
    assert f"client_id={BOT}" in printed.out
    assert "Message Content Intent" in printed.out
    assert "Create Public Threads: to open a thread" in printed.out
    assert "secret" not in printed.out
    bare = await llava_bot("manifest", "discord", data_dir=tmp_path)
    assert "client_id=APPLICATION_ID" in bare.out
    named = await llava_bot("manifest", "discord", "--application", "123", data_dir=tmp_path)
    assert "client_id=123&" in named.out


def test_what_is_no_token_names_no_application(discord: LocalDiscord) -> None:
    assert application_of(discord.world.token) == BOT
    assert application_of("not a token") is None
    assert application_of("") is None
    assert "APPLICATION_ID is on the portal's" in manifest(None)
    wrong = manifest(None, has_token=True)
    assert "DISCORD_BOT_TOKEN is no token of Discord's" in wrong
    assert "client_id=APPLICATION_ID" in wrong
    assert "no token" not in manifest(BOT, has_token=True)


# -- the doctor -----------------------------------------------------------------------------------


async def test_a_set_up_that_is_right_needs_no_fix(discord: LocalDiscord) -> None:
    findings = await doctor.examine(examined(discord), channel=PICTURES)
    assert fixes(findings) == ""
    said = "\n".join(str(it) for it in findings)
    assert "Message Content Intent: on" in said
    assert "gateway: Discord lets it in" in said
    assert "clock: agrees with Discord's" in said
    assert "The Studio: 3 channels it can answer in" in said
    assert "a message was posted and deleted" in said
    assert discord.world.by_bot(PICTURES) == []


async def test_a_wrong_token_is_named(discord: LocalDiscord) -> None:
    assert "Reset Token" in fixes(await doctor.examine(examined(discord, bot_token="x")))


async def test_the_intent_that_is_off_is_named(discord: LocalDiscord) -> None:
    discord.gateway.rules.content_intent = False
    assert "switch on Message Content Intent" in fixes(await doctor.examine(examined(discord)))


@pytest.mark.parametrize(
    ("permission", "name"),
    [
        ("create_public_threads", "Create Public Threads"),
        ("send_messages_in_threads", "Send Messages in Threads"),
        ("read_message_history", "Read Message History"),
    ],
)
async def test_each_permission_that_a_server_does_not_grant_is_named(
    discord: LocalDiscord, permission: str, name: str
) -> None:
    discord.take_from_role(permission)
    found = fixes(await doctor.examine(examined(discord)))
    assert f"The Studio: missing {name}" in found
    assert "Server Settings, Roles" in found


async def test_a_channel_that_denies_a_permission_is_named(discord: LocalDiscord) -> None:
    discord.deny("send_messages_in_threads", told=False)
    found = await doctor.examine(examined(discord))
    said = "\n".join(str(it) for it in found)
    assert "The Studio, #pictures: missing Send Messages in Threads" in said
    assert fixes(found) == ""  # it may be meant so


async def test_a_bot_in_no_server_gets_its_invitation(discord: LocalDiscord) -> None:
    discord.world.guilds.clear()
    assert f"client_id={BOT}" in fixes(await doctor.examine(examined(discord)))


async def test_a_gateway_that_refuses_is_named(discord: LocalDiscord) -> None:
    discord.gateway.rules.closes_identify = 4011
    assert "DISCORD_SHARD_COUNT" in fixes(await doctor.examine(examined(discord)))


async def test_a_channel_it_may_not_write_in_is_named(discord: LocalDiscord) -> None:
    discord.deny("send_messages", told=False)
    found = fixes(await doctor.examine(examined(discord), channel=PICTURES))
    assert f"nothing could be posted in {PICTURES} (50013)" in found


async def test_a_discord_that_cannot_be_reached_is_named(discord: LocalDiscord) -> None:
    dead = examined(discord, resolve_to="127.0.0.1:9")
    found = fixes(await doctor.examine(dead))
    assert "Discord cannot be reached (ClientConnectorError: Connection refused)" in found


async def test_a_server_that_cannot_be_looked_at_does_not_hide_the_rest(
    discord: LocalDiscord,
) -> None:
    discord.faults.next("get_guild", Fault(status=503), times=9)
    said = "\n".join(map(str, await doctor.examine(examined(discord))))
    assert "not seen The Studio" in said
    assert "gateway: Discord lets it in" in said
    assert "clock: agrees with Discord's" in said


async def test_the_command_says_what_is_wrong_and_fails(
    tmp_path: Path, discord: LocalDiscord
) -> None:
    well = await llava_bot("doctor", data_dir=tmp_path, **settings(discord))
    assert (well.code, "ok       Message Content Intent" in well.out) == (0, True)
    discord.gateway.rules.content_intent = False
    ill = await llava_bot("doctor", data_dir=tmp_path, **settings(discord))
    assert (ill.code, "WRONG    Message Content Intent" in ill.out) == (1, True)
    unset = await llava_bot("doctor", data_dir=tmp_path)
    assert (unset.code, "Discord is not set up" in unset.out) == (0, True)


async def test_settings_that_do_not_fit_are_named(tmp_path: Path) -> None:
    wrong = await llava_bot(
        "doctor",
        data_dir=tmp_path,
        DISCORD_RESOLVE_TO="nowhere",
        DISCORD_SHARD_IDS="0,1",
    )
    assert wrong.code == 1
    assert "DISCORD_RESOLVE_TO: it is not host:port" in wrong.out
    assert "DISCORD_SHARD_IDS: DISCORD_SHARD_COUNT must say" in wrong.out
