"""The states of installations that have begun: anybody may begin one, so they are bounded."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from slack_sdk.oauth.state_store.sqlalchemy import AsyncSQLAlchemyOAuthStateStore
from sqlalchemy import func, select

MAX_STATES: Final = 1000


class TooManyInstallations(Exception):
    """More have begun in the last minutes than a bot's users begin."""


class States(AsyncSQLAlchemyOAuthStateStore):
    """The SDK's store, which forgets what has expired."""

    async def async_issue(self, *args: object, **kwargs: object) -> str:
        """A new state. Raises: TooManyInstallations."""
        states = self.oauth_states
        now = datetime.now(UTC).replace(tzinfo=None)  # as the SDK writes it
        async with self.engine.begin() as connection:
            await connection.execute(states.delete().where(states.c.expire_at < now))
            count = await connection.scalar(select(func.count()).select_from(states))
        if count is not None and count >= MAX_STATES:
            raise TooManyInstallations
        return await super().async_issue(*args, **kwargs)
