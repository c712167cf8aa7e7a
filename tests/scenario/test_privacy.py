"""`llava-bot run` as a process: where what people write and show ends up, and where it does not."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import aiohttp

from tests.pictures import plain_picture
from tests.scenario.command import RunningBot, running_bot
from tests.scenario.playground import events
from tests.servers.slack.server import running_slack
from tests.waiting import until

MARKER = "planted"
"""Stands in every name and text; a file's name in a header that aiohttp warns of, too."""

FORM = (
    b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\nplanted question\r\n'
    b'--x\r\nContent-Disposition: form-data; name="images"; '
    b"filename*=UTF-8''planted%%E7%%8C.png\r\n\r\n%s\r\n"
    b"--x\r\nContent-Disposition: form-data; planted; =planted\r\n\r\nplanted\r\n--x--\r\n"
)


def readable_by_others(folder: Path) -> list[str]:
    found = (folder, *folder.rglob("*"))
    models = folder / "models"
    return [str(it) for it in found if models not in (it, *it.parents) and _is_open(it)]


def _is_open(path: Path) -> bool:
    return bool(path.lstat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def files_with(marker: str, folder: Path) -> set[str]:
    files = (it for it in folder.rglob("*") if it.is_file())
    return {str(it.relative_to(folder)) for it in files if marker.encode() in it.read_bytes()}


def opened_before(folder: Path) -> Path:
    """As an earlier version of the bot, or a person, may have made it."""
    folder.mkdir()
    (folder / "pictures").mkdir()
    (folder / "run.lock").touch()
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755)
    return folder


async def ask_in_the_playground(bot: RunningBot) -> None:
    async with aiohttp.ClientSession(bot.address) as http:
        async with http.post("/api/threads") as made:
            thread = (await made.json())["thread_id"]
        async with http.post(
            f"/api/threads/{thread}/messages",
            data=FORM % plain_picture().data,
            headers={"Content-Type": "multipart/form-data; boundary=x", "X-Planted": "planted"},
        ) as response:
            assert [name async for name, _ in events(response)][-1] == "done"


async def test_users_words_and_pictures_are_in_private_files_and_nowhere_else(
    tmp_path: Path, talkative: str
) -> None:
    data_dir = await asyncio.to_thread(opened_before, tmp_path / "why?a=b#c%41 d")
    options = ("--model", talkative, "--temperature", "1", "--max-new-tokens", "20")
    async with running_slack() as slack:
        tokens = {
            "SLACK_BOT_TOKEN": slack.workspace.bot_token,
            "SLACK_APP_TOKEN": slack.workspace.app_token,
            "SLACK_API_URL": slack.api_url,
            "PYTHONWARNINGS": "always",
            "LOG_LEVEL": "DEBUG",
        }
        async with running_bot(data_dir, *options, **tokens) as bot:
            await bot.wait_until_ready()
            await ask_in_the_playground(bot)
            picture = slack.upload("planted.png", plain_picture((0, 9, 0)).data)
            ts = slack.say("<@U0BOT> planted words", picture)
            await until(
                lambda: "llava_again" in str(slack.workspace.by_bot("C1", ts)), timeout_s=60
            )
            assert await asyncio.to_thread(readable_by_others, data_dir) == []
            bot.process.terminate()
            assert await bot.exit_code() == 0
    assert await asyncio.to_thread(readable_by_others, data_dir) == []
    assert await asyncio.to_thread(files_with, MARKER, tmp_path) == {
        f"{data_dir.name}/llava-bot.db"
    }
    log = "".join(bot.log)
    assert "BadContentDisposition" in log  # the kind of warning and its place are kept
    assert MARKER not in log.lower()
