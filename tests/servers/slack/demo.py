"""`make demo-slack`: the local Slack, the real bot with its model, and a page to talk to it.

    python -m tests.servers.slack.demo [--port 8788] [--open]

The page shows the channel as a person sees it: write, add a picture, answer in a thread, press
buttons, edit, delete, use the shortcut and /llava. Nothing of it leaves this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import webbrowser
from pathlib import Path
from typing import Any

from aiohttp import web

from bot.settings import default_data_dir
from tests.servers.slack.server import LocalSlack, running_slack

PAGE = Path(__file__).parent / "page"
CHANNEL = "C1"


class Demo:
    """What the page asks of the local Slack."""

    def __init__(self, slack: LocalSlack) -> None:
        self.slack = slack

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.get("/", self._page),
            web.static("/page", PAGE),
            web.get("/demo/state", self._state),
            web.get("/demo/files/{id}", self._file),
            web.post("/demo/say", self._say),
            web.post("/demo/do", self._do),
        ]

    async def _page(self, _request: web.Request) -> web.StreamResponse:
        return web.FileResponse(PAGE / "index.html")

    async def _state(self, request: web.Request) -> web.Response:
        """Everything a person sees in the channel."""
        w = self.slack.workspace
        user = request.query.get("user", "U1ANN")
        statuses = {it["thread_ts"]: it["status"] for it in w.statuses}
        working = [
            {"thread": thread, "status": statuses.get(thread, "…")}
            for (channel, thread), state in w.sessions.items()
            if channel == CHANNEL and state == "processing"
        ]
        return web.json_response(
            {
                "users": {key: it["profile"]["display_name"] for key, it in w.users.items()},
                "bot": w.bot_user,
                "messages": w.messages[CHANNEL],
                "working": working,
                "private": [it["text"] for it in w.ephemerals if it["user"] == user]
                + [it["text"] for it in self.slack.responses if it["user"] == user],
                "views": list(w.views.values()),
                "connected": bool(self.slack.sockets.open),
            }
        )

    async def _file(self, request: web.Request) -> web.Response:
        file = self.slack.workspace.files[request.match_info["id"]]
        return web.Response(body=file.data, content_type="application/octet-stream")

    async def _say(self, request: web.Request) -> web.Response:
        form = await request.post()
        files = [
            self.slack.upload(it.filename, it.file.read())
            for it in form.getall("files", [])
            if isinstance(it, web.FileField)
        ]
        mention = f"<@{self.slack.workspace.bot_user}>"
        text = str(form.get("text", "")).strip().replace("@llava-bot", mention)
        user = str(form["user"])
        if text.startswith("/llava"):
            self.slack.command(text.removeprefix("/llava").strip(), user=user)
        elif text or files:
            self.slack.say(text, *files, user=user, thread=str(form.get("thread") or "") or None)
        return web.json_response({})

    async def _do(self, request: web.Request) -> web.Response:
        asked: dict[str, Any] = await request.json()
        user, ts = asked.get("user", "U1ANN"), asked.get("ts", "")
        match asked["what"]:
            case "press":
                self.slack.press(ts, asked["action"], user=user, side=asked.get("side", ""))
            case "edit":
                self.slack.edit(ts, asked["text"])
            case "delete":
                self.slack.delete(ts)
            case "shortcut":
                self.slack.use_shortcut(ts, user=user)
            case "stop":
                self.slack.stop_in_slack(ts)
            case "submit":
                view = self.slack.workspace.views.pop(asked["view"])
                self.slack.submit(view, asked["values"], user=user)
            case "close":
                self.slack.workspace.views.pop(asked["view"], None)
        return web.json_response({})


async def demo(port: int, *, open_page: bool) -> int:
    """Run both until a signal comes. Returns: the bot's exit code."""
    slack = LocalSlack()
    end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    async with running_slack(*Demo(slack).routes(), port=port, slack=slack) as slack:
        with tempfile.TemporaryDirectory(prefix="llava-bot-demo-") as folder:
            # A state of its own; the model is the one that `make run` has put together.
            models = default_data_dir() / "models"
            models.mkdir(parents=True, exist_ok=True)
            (Path(folder) / "models").symlink_to(models)
            bot = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "bot",
                "run",
                "--port",
                "0",
                env=os.environ
                | {
                    "SLACK_BOT_TOKEN": slack.workspace.bot_token,
                    "SLACK_APP_TOKEN": slack.workspace.app_token,
                    "SLACK_API_URL": slack.api_url,
                    "DATA_DIR": folder,
                },
            )
            ended = asyncio.create_task(bot.wait())
            stopped = asyncio.create_task(end.wait())
            connected = asyncio.create_task(slack.sockets.was_connected.wait())
            await asyncio.wait({ended, stopped, connected}, return_when=asyncio.FIRST_COMPLETED)
            if connected.done():
                print(f"The local Slack is at {slack.base}", flush=True)
                if open_page:
                    await asyncio.to_thread(webbrowser.open, slack.base)
            connected.cancel()
            await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                bot.terminate()
            stopped.cancel()
            return await ended


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8788)
    parser.add_argument("--open", action="store_true")
    arguments = parser.parse_args()
    has_screen = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return asyncio.run(demo(arguments.port, open_page=arguments.open and has_screen))


if __name__ == "__main__":
    sys.exit(main())
