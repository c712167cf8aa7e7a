"""The application, its commands, its servers and their members."""

from __future__ import annotations

from tests.servers.discord.rest import Call, Rest, route
from tests.servers.discord.state import ANN, BITS, BOT, Json


@route("GET", "/users/@me")
async def get_my_user(rest: Rest, call: Call) -> Json:
    return rest.world.users[BOT] | {"locale": "en-US", "mfa_enabled": False}


@route("GET", "/oauth2/applications/@me")
async def get_my_oauth2_application(rest: Rest, call: Call) -> Json:
    flags = 1 << 19 if rest.gateway.rules.content_intent else 0
    return {
        "id": BOT,
        "name": "llava-bot",
        "description": "",
        "icon": None,
        "bot_public": True,
        "bot_require_code_grant": False,
        "owner": rest.world.users[ANN],
        "verify_key": "0" * 64,
        "flags": flags,
        "flags_new": str(flags),
        "type": None,
        "team": None,
        "redirect_uris": [],
        "interactions_endpoint_url": None,
        "role_connections_verification_url": None,
        "eligible_oauth2_scopes": [],
        "explicit_content_filter": 0,
        "approximate_guild_count": len(rest.world.guilds),
        "approximate_user_install_count": 0,
        "approximate_user_authorization_count": 0,
    }


@route("GET", "/gateway/bot")
async def get_bot_gateway(rest: Rest, call: Call) -> Json:
    rules = rest.gateway.rules
    return {
        "url": "wss://gateway.discord.gg",
        "shards": rules.shards,
        "session_start_limit": {
            "total": 1000,
            "remaining": 1000 - rest.gateway.identified,
            "reset_after": 14400000,
            "max_concurrency": rules.max_concurrency,
        },
    }


@route("PUT", "/applications/{application_id}/commands")
async def bulk_set_application_commands(rest: Rest, call: Call) -> list[Json]:
    rest.world.commands = [
        {
            "id": rest.world.snowflake(),
            "application_id": BOT,
            "version": "1",
            "default_member_permissions": None,
            "description": "",
            "type": 1,
            **{name: value for name, value in command.items() if value is not None},
        }
        for command in call.body["list"]
    ]
    return rest.world.commands


@route("GET", "/users/@me/guilds")
async def list_my_guilds(rest: Rest, call: Call) -> list[Json]:
    found = []
    for guild in rest.world.guilds.values():
        held = {guild["id"], *rest.world.members[guild["id"]][BOT]["roles"]}
        granted = 0
        for role in guild["roles"]:
            if role["id"] in held:
                granted |= int(role["permissions"])
        found.append(
            {
                "id": guild["id"],
                "name": guild["name"],
                "icon": None,
                "banner": None,
                "owner": False,
                "permissions": str(granted),
                "features": [],
            }
        )
    after = int(call.query.get("after", 0))
    return [it for it in found if int(it["id"]) > after]


@route("GET", "/guilds/{guild_id}")
async def get_guild(rest: Rest, call: Call) -> Json:
    return rest.world.guilds[call.parameters["guild_id"]]


@route("GET", "/guilds/{guild_id}/channels")
async def list_guild_channels(rest: Rest, call: Call) -> list[Json]:
    guild = call.parameters["guild_id"]
    created = rest.world.guild_create(guild)["channels"]
    return [it for it in created if rest.world.permissions(it["id"]) & BITS["view_channel"]]


@route("GET", "/guilds/{guild_id}/members/{user_id}")
async def get_guild_member(rest: Rest, call: Call) -> Json:
    user = call.parameters["user_id"]
    return rest.world.members[call.parameters["guild_id"]][user] | {"user": rest.world.users[user]}


@route("POST", "/users/@me/channels")
async def create_dm(rest: Rest, call: Call) -> Json:
    return rest.world.channels[rest.world.direct(str(call.body["recipient_id"]))]
