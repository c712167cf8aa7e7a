"""The file beside an answer: uploaded to its thread, deleted with its question."""

from __future__ import annotations

import logging

from bot.platforms.slack.api import SlackApi, SlackRefused
from bot.store import Replies
from bot.values.messages import IncomingMessage, TextFile

log = logging.getLogger(__name__)

_FILE = "file:"
"""Before a file's id, among the ids of messages."""


def file_id(reply: str) -> str | None:
    """The file that something of the bot's is; `None`: it is a message."""
    return reply.removeprefix(_FILE) if reply.startswith(_FILE) else None


async def attach(api: SlackApi, replies: Replies, message: IncomingMessage, file: TextFile) -> None:
    """Upload a file to a question's thread, in place of one that is there.

    Raises: TryLater, SlackRefused: it may not.
    """
    await detach(api, replies, message)
    data = file.text.encode()
    id_, address = await api.new_upload(file.name, len(data))
    await api.send(address, data)
    # Before anybody sees it: what breaks off here is deleted at the next attempt.
    await replies.remember_file(message.thread, message.key, f"{_FILE}{id_}")
    await api.write(
        "files.completeUploadExternal",
        files=[{"id": id_, "title": file.name}],
        channel_id=message.thread.channel,
        thread_ts=message.thread.thread,
    )


async def detach(api: SlackApi, replies: Replies, message: IncomingMessage) -> None:
    """Delete the file of an earlier answer, if there is one. Raises: TryLater."""
    earlier = await replies.file_of(message.thread, message.key)
    if earlier is None:
        return
    try:
        await api.write("files.delete", file=file_id(earlier))
    except SlackRefused as exc:
        log.info("a file of an earlier answer stays: %s", exc)
    await replies.forget_file(message.thread, message.key)
