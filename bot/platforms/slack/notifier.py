"""Notices that one person alone sees: refusals, and what a command answers."""

from __future__ import annotations

import logging

from bot.errors import UserFacingError
from bot.platforms.slack.api import SlackRefused
from bot.platforms.slack.workspaces import Workspace
from bot.values.messages import TryLater

log = logging.getLogger(__name__)


async def notify(
    workspace: Workspace, channel: str, user: str, sentence: str, *, thread_ts: str | None = None
) -> None:
    """Show a sentence to one person, in a thread where one is given. Never raises."""
    try:
        await workspace.api.patient_write(
            "chat.postEphemeral", channel=channel, user=user, thread_ts=thread_ts, text=sentence
        )
    except (SlackRefused, TryLater) as exc:
        log.info("a notice could not be shown: %s", exc)


async def notify_refusal(
    workspace: Workspace,
    channel: str,
    user: str,
    refusal: UserFacingError,
    *,
    thread_ts: str | None = None,
) -> None:
    """Show one person, in their language, why there is no answer."""
    locale = (await workspace.person(user)).locale
    await notify(workspace, channel, user, refusal.sentence(locale), thread_ts=thread_ts)
