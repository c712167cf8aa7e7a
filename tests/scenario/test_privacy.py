"""`llava-bot run` as a process: where what people write and show ends up, and where it does not.

Its libraries log all they can: see `chatty_bot.py`.
"""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from bot.private_files import DATABASE
from tests.hostile_pictures.documents import pdf_of
from tests.pictures import encode, photo
from tests.reading import written
from tests.scenario.command import RunningBot, running_bot
from tests.scenario.discord.stage import MENTION
from tests.scenario.discord.stage import has_button as has_discord_button
from tests.scenario.playground import events
from tests.scenario.readme.test_set_up import free_port
from tests.scenario.slack.stage import has_button
from tests.servers.discord.server import LocalDiscord, running_discord
from tests.servers.slack.server import LocalSlack, running_slack
from tests.waiting import until

MARKER = "planted"
"""Stands in every name and text; a file's name in a header that aiohttp warns of, too."""

FORM = (
    b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\nplanted question\r\n'
    b'--x\r\nContent-Disposition: form-data; name="images"; '
    b"filename*=UTF-8''planted%%E7%%8C.png\r\n\r\n%s\r\n"
    b"--x\r\nContent-Disposition: form-data; planted; =planted\r\n\r\nplanted\r\n--x--\r\n"
)
WAIT_S = 60
PASSWORD = "a-password-of-planted-words"
NAMED = {"Authorization": aiohttp.encode_basic_auth("planted person", PASSWORD)}


def readable_by_others(folder: Path) -> list[str]:
    found = (folder, *folder.rglob("*"))
    models = folder / "models"
    return [str(it) for it in found if models not in (it, *it.parents) and _is_open(it)]


def _is_open(path: Path) -> bool:
    return bool(path.lstat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def files_with(markers: Iterable[bytes], folder: Path) -> set[str]:
    """The files in whose bytes or path a marker is, or in what SQLite keeps of deleted rows."""
    files = [it for it in folder.rglob("*") if it.is_file()]
    held = {it: it.read_bytes() + str(it.relative_to(folder)).encode() for it in files}
    return {
        str(it.relative_to(folder))
        for it, data in held.items()
        if any(marker in data for marker in markers)
    }


def opened_before(folder: Path) -> Path:
    """As an earlier version of the bot, or a person, may have made it."""
    folder.mkdir()
    (folder / "pictures").mkdir()
    (folder / "run.lock").touch()
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755)
    return folder


@dataclass
class Place:
    """The three platforms, and the files of one bot on them."""

    slack: LocalSlack
    discord: LocalDiscord
    data_dir: Path
    temporary: Path
    log: list[str] = field(default_factory=list)

    @property
    def secrets(self) -> list[bytes]:
        tokens = (
            self.slack.workspace.bot_token,
            self.slack.workspace.app_token,
            self.discord.world.token,
            PASSWORD,
        )
        return [it.encode() for it in tokens]

    @asynccontextmanager
    async def running(self, model: str, **more: str) -> AsyncIterator[RunningBot]:
        """A bot until it has ended in good order. `more`: settings."""
        settings = {
            "SLACK_BOT_TOKEN": self.slack.workspace.bot_token,
            "SLACK_APP_TOKEN": self.slack.workspace.app_token,
            "SLACK_API_URL": self.slack.api_url,
            "DISCORD_BOT_TOKEN": self.discord.world.token,
            "DISCORD_RESOLVE_TO": self.discord.address,
            "DISCORD_CA_FILE": str(self.discord.ca_file),
            "PLAYGROUND_PASSWORD": PASSWORD,
            "PYTHONWARNINGS": "always",
            "PYTHONASYNCIODEBUG": "1",
            "LOG_LEVEL": "DEBUG",
            "TMPDIR": str(self.temporary),
            **more,
        }
        options = ("--model", model, "--temperature", "1", "--max-new-tokens", "20")
        module = "tests.scenario.chatty_bot"
        async with running_bot(self.data_dir, *options, module=module, **settings) as bot:
            self.log += bot.log
            bot.log = self.log
            await bot.wait_until_ready()
            yield bot
            bot.process.terminate()
            assert await bot.exit_code() == 0

    async def ask_in_slack(
        self, words: str, shown: bytes | None = None, name: str = "planted.png"
    ) -> str:
        """Ask about a picture. Returns: the question's ts, once it is answered."""
        file = self.slack.upload(name, shown or picture())
        ts = self.slack.say(f"<@U0BOT> {words}", file)
        await until(
            lambda: any(
                has_button(it, "llava_again") for it in self.slack.workspace.by_bot("C1", ts)
            ),
            timeout_s=WAIT_S,
        )
        return ts

    async def ask_in_discord(self, words: str, shown: bytes | None = None) -> str:
        """Ask about a picture. Returns: the thread, once it is answered."""
        await until(lambda: bool(self.discord.gateway.connected), timeout_s=WAIT_S)
        file = self.discord.upload("planted.png", shown or picture())
        asked = self.discord.say(f"{MENTION} {words}", file)
        world = self.discord.world
        await until(
            lambda: (
                asked in world.messages
                and any(has_discord_button(it, "again") for it in world.by_bot(asked))
            ),
            timeout_s=WAIT_S,
        )
        return asked

    def held(self, markers: Iterable[bytes]) -> set[str]:
        """The bot's files that hold a marker."""
        found = files_with(markers, self.data_dir)
        return found | files_with(markers, self.temporary)


_pictures = iter(range(100))


def picture() -> bytes:
    """Each is another one, or erasing one would leave the file to the next."""
    return encode(photo((160 + next(_pictures), 120)))


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    data_dir = await asyncio.to_thread(opened_before, tmp_path / "why?a=b#c%41 d")
    (tmp_path / "temporary").mkdir()
    async with running_slack() as slack, running_discord() as discord:
        yield Place(slack, discord, data_dir, tmp_path / "temporary")


async def ask_in_the_playground(http: aiohttp.ClientSession) -> str:
    async with http.post("/api/threads") as made:
        thread = str((await made.json())["thread_id"])
    async with http.post(
        f"/api/threads/{thread}/messages",
        data=FORM % picture(),
        headers={"Content-Type": "multipart/form-data; boundary=x", "X-Planted": "planted"},
    ) as response:
        done = [data async for name, data in events(response) if name == "done"]
        assert done
    async with http.post(
        f"/api/threads/{thread}/messages/{done[0]['message_id']}/feedback", json={"good": True}
    ) as given:
        assert given.status < 300, await given.text()
    async with http.post(f"/api/threads/{thread}/share", json={"can_ask": True}) as shared:
        assert shared.status < 300, await shared.text()
    return thread


def stored_pictures(data_dir: Path) -> list[bytes]:
    """A piece of each stored picture, which is nowhere else."""
    files = [it for it in (data_dir / "pictures").rglob("*") if it.is_file()]
    return [data[len(data) // 2 :][:64] for data in (it.read_bytes() for it in files)]


def process_of(bot: RunningBot, what: str) -> str:
    return Path(f"/proc/{bot.process.pid}/{what}").read_text()


@pytest.mark.timeout(240)  # three platforms, all of whose libraries log everything
async def test_words_and_pictures_are_in_private_files_and_nowhere_else_and_can_be_erased(
    place: Place, talkative: str
) -> None:
    async with place.running(talkative) as bot:
        slack_ts = await place.ask_in_slack("planted words")
        other_ts = await place.ask_in_slack("planted words to delete")
        discord_thread = await place.ask_in_discord("planted words")
        async with aiohttp.ClientSession(bot.address, headers=NAMED) as http:
            await ask_in_the_playground(http)
            assert await asyncio.to_thread(readable_by_others, place.data_dir) == []
            assert "Umask:\t0077" in await asyncio.to_thread(process_of, bot, "status")
            limits = await asyncio.to_thread(process_of, bot, "limits")
            assert limits.split("Max core file size")[1].split()[:2] == ["0", "0"]

            # It is there, and nowhere but in the store: this is how it would be found.
            words = [MARKER.encode()]
            held = {it.partition("-wal")[0] for it in await asyncio.to_thread(place.held, words)}
            assert held == {DATABASE}
            shown = await asyncio.to_thread(stored_pictures, place.data_dir)
            assert len(shown) == 4
            assert len(await asyncio.to_thread(place.held, shown)) == 4

            place.slack.say("<@U0BOT> forget this thread", thread=slack_ts)
            place.slack.delete(other_ts)
            place.discord.say("forget this thread", channel=discord_thread)
            async with http.delete("/api/me") as response:
                assert (await response.json())["questions"] == 1
        with_all = [*words, *shown]
        await until(lambda: place.held(with_all) == set(), timeout_s=30)
        assert bot.process.returncode is None
    assert await asyncio.to_thread(place.held, with_all) == set()
    assert await asyncio.to_thread(place.held, place.secrets) == set()
    assert await asyncio.to_thread(readable_by_others, place.data_dir) == []
    assert await asyncio.to_thread(files_with, [b""], place.temporary) == set()

    log = "".join(place.log)
    assert "BadContentDisposition" in log  # the kind of warning and its place are kept
    assert "sqlalchemy." in log
    assert "asyncio" in log
    assert MARKER not in log.lower()
    assert [it for it in place.secrets if it.decode() in log] == []


# -- words that stand in a picture alone ----------------------------------------------------------

IN_THE_PICTURE = b"zephyrine"
QUESTIONS = ("Read the text", "What does it say?")


def screenshot() -> bytes:
    """Each is another one; the words are the same."""
    return encode(written((f"zephyrine {next(_pictures)} quoted", "zephyrine total 12.40")))


async def ask_everywhere(
    place: Place, http: aiohttp.ClientSession, questions: Sequence[str] = QUESTIONS
) -> tuple[list[str], list[str]]:
    """Each question on each platform. Returns: the threads in Slack, and in Discord."""
    for words in questions:
        async with http.post("/api/threads") as made:
            thread = str((await made.json())["thread_id"])
        form = aiohttp.FormData({"text": words})
        form.add_field("images", screenshot(), filename="a.png")
        async with http.post(f"/api/threads/{thread}/messages", data=form) as response:
            assert [name async for name, _ in events(response)][-1] == "done"
    in_slack = [await place.ask_in_slack(words, screenshot()) for words in questions]
    in_discord = [await place.ask_in_discord(words, screenshot()) for words in questions]
    return in_slack, in_discord


async def metrics_at(port: int) -> bytes:
    address = f"http://127.0.0.1:{port}/metrics"
    async with aiohttp.ClientSession() as http, http.get(address) as response:
        assert response.status == 200
        return await response.read()


def make_old(data_dir: Path) -> None:
    """As if nobody had used the threads for a year."""
    with closing(sqlite3.connect(data_dir / DATABASE)) as database, database:
        database.execute("UPDATE threads SET touched_at = datetime(touched_at, '-1 year')")


@pytest.mark.heavy
@pytest.mark.timeout(400)  # three platforms, whose libraries log everything, and a reader
async def test_words_that_stand_in_a_picture_alone_are_in_the_database_alone_until_they_go(
    place: Place, talkative: str
) -> None:
    port = free_port()
    settings = {"OCR": "on", "MONITORING_PORT": str(port)}
    words = [IN_THE_PICTURE]

    async with place.running(talkative, **settings) as bot:
        async with aiohttp.ClientSession(bot.address, headers=NAMED) as http:
            in_slack, in_discord = await ask_everywhere(place, http)
            held = {it.partition("-wal")[0] for it in await asyncio.to_thread(place.held, words)}
            assert held == {DATABASE}  # the answers that give the text
            for ts in in_slack:
                place.slack.say("<@U0BOT> forget this thread", thread=ts)
            for thread in in_discord:
                place.discord.say("forget this thread", channel=thread)
            async with http.delete("/api/me") as response:
                assert (await response.json())["questions"] == len(QUESTIONS)
        await until(lambda: place.held(words) == set(), timeout_s=60)
        assert IN_THE_PICTURE not in (await metrics_at(port)).lower()

        async with aiohttp.ClientSession(bot.address, headers=NAMED) as http:
            await ask_everywhere(place, http, QUESTIONS[:1])
        assert await asyncio.to_thread(place.held, words) != set()
    assert await asyncio.to_thread(place.held, words) == {DATABASE}

    await asyncio.to_thread(make_old, place.data_dir)
    async with place.running(talkative, **settings):
        await until(lambda: place.held(words) == set(), timeout_s=60)
        assert IN_THE_PICTURE not in (await metrics_at(port)).lower()
    assert await asyncio.to_thread(place.held, words) == set()
    assert IN_THE_PICTURE.decode() not in "".join(place.log).lower()


@pytest.mark.heavy
@pytest.mark.timeout(240)  # three platforms, all of whose libraries log everything
async def test_documents_are_in_the_store_alone_until_they_are_forgotten(
    place: Place, talkative: str
) -> None:
    documents = {
        "zephyrine.pdf": pdf_of(["zephyrine in the contract", "a second page"]),
        "zephyrine.txt": b"zephyrine in the log",
    }
    words = [IN_THE_PICTURE]
    async with place.running(talkative) as bot:
        asked = [
            await place.ask_in_slack("What is on page 1?", data, name)
            for name, data in documents.items()
        ]
        held = {it.partition("-wal")[0] for it in await asyncio.to_thread(place.held, words)}
        assert DATABASE in held
        assert {Path(it).suffix for it in held - {DATABASE}} == {".pdf", ".txt"}
        assert await asyncio.to_thread(readable_by_others, place.data_dir) == []
        for ts in asked:
            place.slack.say("<@U0BOT> forget this thread", thread=ts)
        await until(lambda: place.held(words) == set(), timeout_s=60)
        assert bot.process.returncode is None
    assert await asyncio.to_thread(place.held, words) == set()
    assert await asyncio.to_thread(stored_pictures, place.data_dir) == []
    assert IN_THE_PICTURE.decode() not in "".join(place.log).lower()
