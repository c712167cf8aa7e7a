"""Files that the bot uploads: an address, the bytes, then the message that shows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.servers.slack.block_rules import ApiError
from tests.servers.slack.state import File, Message, Workspace

Arguments = dict[str, Any]


class Uploads:
    """The methods of the Web API for them."""

    workspace: Workspace
    describe: Callable[[str], dict[str, Any]]
    """Set by the server: a file as events show it."""
    upload_address: Callable[[str], str]
    """Set by the server: where the bytes of a file are to be sent."""

    def _files_getUploadURLExternal(self, arguments: Arguments) -> dict[str, Any]:  # noqa: N802
        length = int(arguments["length"])
        if length < 1:
            raise ApiError("missing_argument")
        file = File(self.workspace.next_id("F"), arguments["filename"], b"", uploading=length)
        self.workspace.files[file.id] = file
        return {"file_id": file.id, "upload_url": self.upload_address(file.id)}

    def _files_completeUploadExternal(self, arguments: Arguments) -> dict[str, Any]:  # noqa: N802
        w, given = self.workspace, arguments["files"]
        files = [w.files.get(it["id"]) for it in given]
        if any(file is None or file.uploading is not None for file in files):
            raise ApiError("file_not_found")
        if channel := arguments.get("channel_id"):
            if not w.channels[channel]["is_member"]:
                raise ApiError("not_in_channel")
            message: Message = {
                "type": "message", "subtype": "file_share", "user": w.bot_user, "bot_id": w.bot,
                "ts": w.next_ts(), "text": arguments.get("initial_comment") or "", "blocks": [],
                "files": [self.describe(it["id"]) for it in given],
            }  # fmt: skip
            if arguments.get("thread_ts"):
                message["thread_ts"] = arguments["thread_ts"]
            w.add(channel, message)
        return {"files": [{"id": it["id"], "title": it.get("title")} for it in given]}

    def _files_delete(self, arguments: Arguments) -> dict[str, Any]:
        w, id_ = self.workspace, arguments["file"]
        if w.files.pop(id_, None) is None:
            raise ApiError("file_not_found")
        for messages in w.messages.values():
            for message in list(messages):
                if [it["id"] for it in message.get("files", ())] == [id_]:
                    messages.remove(message)
        return {}
