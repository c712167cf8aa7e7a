"""slack-sdk's own stores, on both databases: they bring queries and times of their own."""

from __future__ import annotations

import asyncio

from slack_sdk.oauth.installation_store import Installation

from bot.platforms.slack.installation import STATE_S, installation_store
from bot.platforms.slack.states import States
from bot.store import Store


async def test_a_workspace_is_installed_found_and_listed(store: Store) -> None:
    engine = await asyncio.to_thread(store.installations.make_engine)
    try:
        installations = installation_store(engine, "client")
        await installations.async_save(
            Installation(
                app_id="A1",
                team_id="T1",
                user_id="U1",
                bot_token="xoxb-1",
                bot_token_expires_in=3600,
                bot_refresh_token="xoxe-1",
            )
        )
        found = await installations.async_find_bot(enterprise_id=None, team_id="T1")
        assert found is not None
        assert (found.bot_token, found.bot_refresh_token) == ("xoxb-1", "xoxe-1")
        assert await store.installations.teams("client") == [("T1", None)]
        states = States(expiration_seconds=STATE_S, engine=engine)
        state = await states.async_issue()
        assert await states.async_consume(state)
        assert not await states.async_consume(state)
    finally:
        await engine.dispose()
