"""`llava-bot run` as a process: it starts, drains, survives a kill, and says what is wrong."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import aiohttp
import pytest
from filelock import FileLock

from bot import app
from bot.configuration import Configuration
from bot.errors import EXIT_ENGINE_DEAD, ConfigurationError
from bot.model_server_settings import ModelServerSettings
from bot.platforms.entry import PlatformEntry
from bot.platforms.platform import PlatformUnavailable
from bot.platforms.web.server import Playground
from bot.platforms.web.uploads import Uploads
from bot.settings import Settings
from bot.store import Store, StoreFailed, running_store
from bot.values.limits import PictureLimits
from tests.pictures import plain_picture
from tests.scenario.command import RunningBot, llava_bot, running_bot
from tests.scenario.playground import events

# The fast path is through with a tiny model's longest answer before a signal arrives.
SLOW = {"ENGINE": "transformers"}


@asynccontextmanager
async def asking(
    bot: RunningBot,
    thread: str,
    question: str = "What is it?",
    name: str = "a.png",
    data: bytes = plain_picture().data,
) -> AsyncIterator[AsyncIterator[tuple[str, Any]]]:
    """Ask about a picture and give the events once the answer has begun."""
    form = aiohttp.FormData()
    form.add_field("text", question)
    form.add_field("images", data, filename=name)
    async with (
        aiohttp.ClientSession(bot.address) as http,
        http.post(f"/api/threads/{thread}/messages", data=form) as response,
    ):
        stream = events(response)
        async for event, _ in stream:
            if event in {"delta", "error"}:
                break
        yield stream


async def make_thread(bot: RunningBot) -> str:
    async with (
        aiohttp.ClientSession(bot.address) as http,
        http.post("/api/threads") as response,
    ):
        thread: str = (await response.json())["thread_id"]
        return thread


async def turns(bot: RunningBot, thread: str) -> list[dict[str, Any]]:
    async with (
        aiohttp.ClientSession(bot.address) as http,
        http.get(f"/api/threads/{thread}") as response,
    ):
        shown: list[dict[str, Any]] = (await response.json())["turns"]
        return shown


async def ended_turns(bot: RunningBot, thread: str) -> list[dict[str, Any]]:
    """The thread's turns once none is pending."""
    async with asyncio.timeout(60):
        while True:
            shown = await turns(bot, thread)
            if not any(turn["state"] == "pending" for turn in shown):
                return shown
            await asyncio.sleep(0.05)


@pytest.mark.heavy
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_the_running_answer_end(
    number: signal.Signals, tmp_path: Path, talkative: str
) -> None:
    options = ("--model", talkative, "--temperature", "1", "--max-new-tokens", "200")
    async with running_bot(tmp_path, *options, DRAIN_S="60") as bot:
        await bot.wait_until_ready()
        thread = await make_thread(bot)
        async with asking(bot, thread) as stream:
            bot.process.send_signal(number)
            rest = [event async for event in stream]
        assert rest[-1][0] == "done"
        assert await bot.exit_code() == 0
    assert "Traceback" not in "".join(bot.log)
    async with running_bot(tmp_path, *options) as bot:
        await bot.wait_until_ready()
        assert [turn["state"] for turn in await turns(bot, thread)] == ["answered"]


async def test_a_bot_killed_mid_answer_answers_the_question_once_at_the_next_start(
    tmp_path: Path, talkative: str
) -> None:
    options = ("--model", talkative, "--temperature", "1")
    async with running_bot(tmp_path, *options, "--max-new-tokens", "20000", **SLOW) as bot:
        await bot.wait_until_ready()
        thread = await make_thread(bot)
        with contextlib.suppress(aiohttp.ClientError):
            async with asking(bot, thread) as stream:
                bot.process.kill()
                assert "done" not in [name async for name, _ in stream]
        assert await bot.exit_code() == -signal.SIGKILL
    async with running_bot(tmp_path, *options, "--max-new-tokens", "40", **SLOW) as bot:
        await bot.wait_until_ready()
        (turn,) = await ended_turns(bot, thread)
        assert (turn["state"], len(turn["pictures"])) == ("answered", 1)
        assert turn["answer"]
        async with asking(bot, thread) as stream:  # a follow-up still sees the picture
            rest = [event async for event in stream]
        assert [p["number"] for p in rest[-1][1]["receipt"]["pictures"]] == [1, 2]


@pytest.mark.heavy
async def test_an_answer_that_does_not_finish_in_time_is_left_to_the_next_start(
    tmp_path: Path, talkative: str
) -> None:
    options = ("--model", talkative, "--temperature", "1")
    async with running_bot(
        tmp_path, *options, "--max-new-tokens", "20000", DRAIN_S="0.2", **SLOW
    ) as bot:
        await bot.wait_until_ready()
        thread = await make_thread(bot)
        async with asking(bot, thread) as stream:
            bot.process.terminate()
            rest = [event async for event in stream]
        assert "done" not in [name for name, _ in rest]
        assert await bot.exit_code() == 0
    async with running_bot(tmp_path, *options, "--max-new-tokens", "40", **SLOW) as bot:
        await bot.wait_until_ready()
        (turn,) = await ended_turns(bot, thread)
        assert turn["state"] == "answered"


@pytest.mark.parametrize(
    "after_s",
    [pytest.param(0.3, marks=pytest.mark.heavy), 1.5, pytest.param(3.0, marks=pytest.mark.heavy)],
)
async def test_ctrl_c_during_the_start_ends_it_at_once_without_a_traceback(
    after_s: float, tmp_path: Path, talkative: str
) -> None:
    async with running_bot(tmp_path, "--model", talkative) as bot:
        await asyncio.sleep(after_s)
        bot.process.send_signal(signal.SIGINT)
        code = await bot.exit_code()
    # Python itself had not begun to run the command, or the bot was up already, or in between.
    assert code in {-signal.SIGINT, 128 + signal.SIGINT, 0}
    assert not bot.address or code == 0
    assert code == -signal.SIGINT or "Traceback" not in "".join(bot.log)


@pytest.mark.heavy
async def test_a_second_signal_does_not_wait_for_answers(tmp_path: Path, talkative: str) -> None:
    options = ("--model", talkative, "--temperature", "1", "--max-new-tokens", "20000")
    async with running_bot(tmp_path, *options, DRAIN_S="100") as bot:
        await bot.wait_until_ready()
        async with asking(bot, await make_thread(bot)):
            bot.process.terminate()
            await asyncio.sleep(0.3)
            bot.process.terminate()
            assert await bot.exit_code() == 0


@pytest.mark.heavy
async def test_when_the_device_fails_the_user_is_told_and_the_exit_code_says_so(
    tmp_path: Path, talkative: str
) -> None:
    options = ("--model", talkative, "--temperature", "1")
    async with running_bot(tmp_path, *options, module="tests.scenario.failing_bot") as bot:
        await bot.wait_until_ready()
        thread = await make_thread(bot)
        async with asking(bot, thread) as stream:
            with contextlib.suppress(aiohttp.ClientError):
                assert "done" not in [name async for name, _ in stream]
        assert await bot.exit_code() == EXIT_ENGINE_DEAD
    async with running_bot(tmp_path, *options, "--max-new-tokens", "20") as bot:
        await bot.wait_until_ready()
        (told,) = await ended_turns(bot, thread)
        assert told["state"] == "refused"
        async with asking(bot, thread) as stream:
            assert [name async for name, _ in stream][-1] == "done"


@pytest.mark.heavy
async def test_even_a_debug_log_holds_nothing_that_users_wrote_or_sent(
    tmp_path: Path, talkative: str
) -> None:
    options = ("--model", talkative, "--temperature", "1", "--max-new-tokens", "40")
    chatty = {"LOG_LEVEL": "DEBUG", "PYTHONWARNINGS": "default"}
    async with running_bot(tmp_path, *options, **chatty) as bot:
        await bot.wait_until_ready()
        thread = await make_thread(bot)
        async with asking(bot, thread, "secret-question", "secret-name.png") as stream:
            assert [name async for name, _ in stream][-1] == "done"
        async with asking(bot, thread, "secret-again", "secret.txt", b"secret") as stream:
            async for _ in stream:
                pass
        form = (
            b"--x\r\nContent-Disposition: form-data; name=images; "
            b"filename*=UTF-8''secret%E7%8C.jpg\r\n\r\nsecret\r\n--x--\r\n"
        )
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        async with (
            aiohttp.ClientSession(bot.address) as http,
            http.post(f"/api/threads/{thread}/messages", data=form, headers=kind) as response,
        ):
            await response.read()
        host, port = bot.address.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET / HTTP/1.1\r\nsecret header\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.2)
        writer.close()
        bot.process.terminate()
        await bot.exit_code()
    assert any("BadContentDispositionParam" in line for line in bot.log)
    assert "secret" not in "".join(bot.log)


async def test_a_second_bot_on_the_same_directory_is_refused_with_a_sentence(
    tmp_path: Path, talkative: str
) -> None:
    held = {"HELD_UNTIL": str(tmp_path / "never")}  # it need not load a model for that
    options = ("--model", talkative)
    async with running_bot(tmp_path, *options, module="tests.scenario.held_bot", **held) as bot:
        await bot.wait_until_listening()
        second = await llava_bot("run", *options, data_dir=tmp_path)
    assert second.code == 1
    assert second.last_sentence.startswith("Another llava-bot runs on ")


async def test_a_port_in_use_gets_a_sentence(tmp_path: Path, talkative: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = await llava_bot("run", "--model", talkative, "--port", port, data_dir=tmp_path)
    assert result.code == 1
    assert f"The playground cannot listen on 127.0.0.1:{port}" in result.err
    assert "PLAYGROUND_PORT" in result.err
    assert "Traceback" not in result.err


@pytest.mark.heavy
async def test_a_start_that_fails_leaves_unfinished_questions_to_the_next(
    tmp_path: Path, talkative: str
) -> None:
    options = ("--model", talkative, "--temperature", "1")
    async with running_bot(tmp_path, *options, "--max-new-tokens", "20000", **SLOW) as bot:
        await bot.wait_until_ready()
        thread = await make_thread(bot)
        with contextlib.suppress(aiohttp.ClientError):
            async with asking(bot, thread):
                bot.process.kill()
        await bot.exit_code()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        failed = await llava_bot("run", *options, "--port", port, data_dir=tmp_path)
    assert failed.code == 1
    async with running_bot(tmp_path, *options, "--max-new-tokens", "40", **SLOW) as bot:
        await bot.wait_until_ready()
        (turn,) = await ended_turns(bot, thread)
        assert turn["state"] == "answered"


@pytest.mark.heavy
async def test_a_model_that_cannot_be_loaded_ends_the_start_with_a_sentence(
    tmp_path: Path,
) -> None:
    result = await llava_bot("run", "--model", "no/such", data_dir=tmp_path)
    assert result.code == 1
    assert result.last_sentence.startswith("The model 'no/such' is neither a folder here")
    assert "Traceback" not in result.err


def test_no_model_is_loaded_without_a_folder_for_temporary_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", mock.Mock(side_effect=FileNotFoundError(2, "none")))
    with pytest.raises(ConfigurationError, match="set TMPDIR"):
        app.run_terminal(SimpleNamespace(), SimpleNamespace())  # type: ignore[arg-type]


def test_a_start_waits_for_who_only_looks_whether_a_bot_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("bot.app.LOCKED_WITHIN_S", 60)
    looking = FileLock(tmp_path / "run.lock", thread_local=False)
    looking.acquire()
    looked = threading.Timer(0.2, looking.release)
    looked.start()
    app._lock_data_dir(tmp_path)
    looked.join()


def test_a_data_directory_without_file_locks_gets_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # As filelock does where the file system answers ENOSYS.
    monkeypatch.setattr("bot.app.FileLock.acquire", mock.Mock(side_effect=NotImplementedError))
    with pytest.raises(ConfigurationError, match="without locks"):
        app._lock_data_dir(tmp_path)


def test_a_store_that_fails_during_the_start_gets_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def fails(*_: object, **__: object) -> int:
        raise StoreFailed(OSError(errno.ENOSPC, "no space left"))

    monkeypatch.setattr(app, "_run", fails)
    for name in ("devices_of", "native_output_withheld"):
        monkeypatch.setattr(app, name, lambda *_: contextlib.nullcontext())
    for name in ("interrupts", "private_files"):
        monkeypatch.setattr(app, name, mock.Mock())
    monkeypatch.setattr(app, "_lock_data_dir", mock.Mock())
    configuration = Configuration(
        [
            Settings.model_validate({"data_dir": tmp_path}),
            ModelServerSettings.model_validate({}),
        ]
    )
    with pytest.raises(ConfigurationError, match=r"its store fails \(ENOSPC.*make room"):
        app.run(configuration, platforms=[])


@pytest.mark.parametrize(
    ("host", "remedy"),
    [
        ("127.0.0.1", "set PLAYGROUND_PORT to a free port."),
        ("192.0.2.1", "set PLAYGROUND_HOST to an address of this machine."),
        ("no-such-host.invalid", "set PLAYGROUND_HOST to an address of this machine."),
    ],
)
async def test_a_failure_to_listen_names_the_wrong_setting(
    host: str, remedy: str, tmp_path: Path
) -> None:
    async with running_store(tmp_path) as store:
        await _cannot_listen(store, host, remedy, tmp_path)


async def _cannot_listen(store: Store, host: str, remedy: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        playground = Playground(
            core=SimpleNamespace(),
            store=store,
            erasure=SimpleNamespace(),  # type: ignore[arg-type]
            uploads=Uploads(tmp_path, PictureLimits(max_bytes=1), max_files=1),
            folder=tmp_path,
            host=host,
            port=taken.getsockname()[1],
            password=None,
        )
        with pytest.raises(PlatformUnavailable) as refused:
            await playground.start()
        await playground.close()
    assert str(refused.value).endswith(remedy)


# -- platforms ------------------------------------------------------------------------------------


class FakePlatform:
    """Starts, or fails to."""

    def __init__(self, name: str, failure: Exception | None = None) -> None:
        self.name = name
        self.failure = failure
        self.started = False

    async def start(self) -> None:
        if self.failure is not None:
            raise self.failure
        self.started = True


def refuse(failure: Exception) -> Callable[[object, object], FakePlatform]:
    def make(_services: object, _settings: object) -> FakePlatform:
        raise failure

    return make


async def test_a_platform_that_cannot_run_leaves_the_others_running_and_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    good = FakePlatform("good")
    makers: dict[str, Any] = {
        "good": lambda *_: good,
        "no-package": refuse(ModuleNotFoundError("No module named 'x'", name="x")),
        "bad-settings": refuse(PlatformUnavailable("The token is no token.")),
        "bad-token": lambda *_: FakePlatform("bad-token", PlatformUnavailable("It was refused.")),
        "surprise": lambda *_: FakePlatform("surprise", RuntimeError("secret")),
    }
    entries = [
        PlatformEntry(name=name, title=name, settings=Settings, make=make)
        for name, make in makers.items()
    ]
    unset = PlatformEntry(
        name="unset",
        title="unset",
        settings=Settings,
        make=refuse(AssertionError("it has no settings")),  # type: ignore[arg-type]
        is_set_up=lambda _: False,
    )
    configuration = Configuration([Settings.model_validate({})])
    with caplog.at_level(logging.INFO):
        made = app._make_platforms(SimpleNamespace(), configuration, [*entries, unset])  # type: ignore[arg-type]
        started = await app._start_platforms(made)
    assert list(started) == ["good"]
    assert good.started
    sentences = [record.getMessage().splitlines()[0] for record in caplog.records]
    assert sentences == [
        "no-package does not run: the package x is missing.",
        "bad-settings does not run: The token is no token.",
        "bad-token does not run: It was refused.",
        "surprise does not run: builtins.RuntimeError",
    ]
    assert "secret" not in caplog.text
