"""`--url`: a question to a bot that already runs. Nothing is loaded here, nothing is kept there."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from bot.platforms.terminal.remote import connected
from bot.platforms.terminal.running import running_bot
from bot.platforms.web.server import Playground
from tests.engines import ScriptedModel
from tests.pictures import encode, photo
from tests.scenario.command import environment, llava_bot
from tests.scenario.playground import Client, running_playground

NAME = 'a "b" ü.png'
NOTHING: tuple[int, dict[str, list[object]]] = (200, {"threads": []})


@pytest.fixture
def picture(tmp_path: Path) -> str:
    (tmp_path / NAME).write_bytes(encode(photo()))
    return NAME


async def test_ask_answers_at_once_without_torch_and_keeps_nothing(
    tmp_path: Path, picture: str
) -> None:
    (tmp_path / "probe.py").write_text(
        "import atexit, runpy, sys\n"
        "atexit.register(lambda: print('imported:', *sys.modules, file=sys.stderr))\n"
        "sys.argv[0] = 'llava-bot'\n"
        "runpy.run_module('bot', run_name='__main__')\n"
    )
    model = ScriptedModel()
    async with running_playground(tmp_path / "bot", model) as client:
        address = client.playground.address.removeprefix("http://")
        result = await llava_bot(
            *("ask", picture, "-", "What differs?", "--url", address),
            data_dir=tmp_path,
            module="probe",
            stdin=encode(photo()),
        )
        assert (result.code, result.out) == (0, "answer to What differs?\n"), result.err
        said, _, imported = result.err.partition("imported:")
        assert said == ""
        assert not {"torch", "transformers", "sqlalchemy", "prompt_toolkit"} & {*imported.split()}
        assert len(model.requests[-1].messages[-1].pictures) == 2
        assert await client.get("/api/threads") == NOTHING
        as_json = await llava_bot(
            "ask", picture, "What?", "--json", "--url", f"http://{address}", data_dir=tmp_path
        )
    shown = json.loads(as_json.out)
    assert shown["text"] == "answer to What?"
    assert shown["model"] == "scripted"
    assert shown["timings"]["total_s"] >= shown["timings"]["first_token_s"] > 0
    assert shown["receipt"]["pictures"] == [{"number": 1, "name": NAME, "notes": []}]


async def test_chat_reads_questions_from_a_pipe_and_sends_a_picture_once(
    tmp_path: Path, picture: str
) -> None:
    model = ScriptedModel()
    async with running_playground(tmp_path / "bot", model) as client:
        result = await llava_bot(
            *("chat", "--image-file", picture, "--url", client.playground.address),
            data_dir=tmp_path,
            stdin="What is it?\n\n/help\n",
        )
        assert await client.get("/api/threads") == NOTHING
    assert result.code == 0, result.err
    assert result.out == "answer to What is it?\nanswer to /help\n", "a pipe has no commands"
    assert [len(message.pictures) for message in model.requests[-1].messages][::2] == [1, 0]


async def test_ctrl_c_stops_the_answer_there(tmp_path: Path, picture: str) -> None:
    model = ScriptedModel()
    model.hold()
    async with running_playground(tmp_path / "bot", model) as client:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "ask", picture, "Go on and on"),
            *("--url", client.playground.address),
            stdout=PIPE,
            stderr=PIPE,
            env=environment(tmp_path, PYTHONPATH=str(Path.cwd())),
            cwd=tmp_path,
        )
        model.release(2)
        assert process.stdout is not None
        assert (await process.stdout.readexactly(6)) == b"answer"
        process.send_signal(signal.SIGINT)
        _, err = await asyncio.wait_for(process.communicate(), 30)
        assert (process.returncode, err) == (130, b"")
        assert await client.get("/api/threads") == NOTHING
        model.release()
        assert model.steps_taken < 6


async def asked(client: Client | str, folder: Path, *more: str, **settings: str) -> tuple[int, str]:
    address = client if isinstance(client, str) else client.playground.address
    result = await llava_bot(
        "ask", NAME, "What?", "--url", address, *more, data_dir=folder, variables=settings
    )
    assert "Traceback" not in result.err
    return result.code, result.out + result.err


async def test_a_password_comes_from_the_address_or_the_settings(
    tmp_path: Path, picture: str
) -> None:
    async with running_playground(
        tmp_path / "bot", ScriptedModel(), password="pä:ssword"
    ) as client:
        answer = (0, "answer to What?\n")
        port = client.playground.address.rpartition(":")[2]
        assert await asked(f"http://me:p%C3%A4%3Assword@127.0.0.1:{port}", tmp_path) == answer
        assert await asked(client, tmp_path, PLAYGROUND_PASSWORD="pä:ssword") == answer
        code, said = await asked(client, tmp_path, PLAYGROUND_PASSWORD="wrong-one")
        assert code == 1
        assert said.startswith(f"The bot at http://127.0.0.1:{port} wants its password: set")


async def test_the_model_of_a_bot_that_still_loads_is_known_with_its_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Playground._model
    loading = iter([None])
    monkeypatch.setattr(
        Playground, "_model", lambda self, locale: next(loading, known(self, locale))
    )
    async with (
        running_playground(tmp_path, ScriptedModel()) as client,
        connected(client.playground.address, password=None, locale="en", quiet=True) as terminal,
    ):
        assert terminal.model_name == ""
        await terminal.ask("What?", (), None)
        assert terminal.model_name == "scripted"


async def test_what_is_refused_there_is_said_here(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("no picture")
    async with running_playground(tmp_path / "bot", ScriptedModel()) as client:
        code, said = await asked(client, tmp_path, LANG="ja_JP.UTF-8")
        assert code == 1
        assert f"「{NAME}」は使えませんでした" in said
        assert await client.get("/api/threads") == NOTHING


async def test_a_bot_that_runs_is_found_and_nothing_else_is_taken_for_one(tmp_path: Path) -> None:
    async with (
        running_playground(tmp_path / "open", ScriptedModel()) as free,
        running_playground(tmp_path / "closed", ScriptedModel(), password="pw") as closed,
    ):
        for address in (free.playground.address, closed.playground.address):
            port = int(address.rpartition(":")[2])
            assert await asyncio.to_thread(running_bot, "127.0.0.1", port) == address
    assert await asyncio.to_thread(running_bot, "127.0.0.1", port) is None, "it has ended"
    async with serving("[]") as other:
        port = int(other.rpartition(":")[2])
        assert await asyncio.to_thread(running_bot, "127.0.0.1", port) is None


@asynccontextmanager
async def serving(text: str, *, events: str | None = None) -> AsyncIterator[str]:
    """Something that answers everything with the same text, but a question with events."""

    async def page(request: web.Request) -> web.Response:
        is_asked = events is not None and request.path.endswith("/messages")
        return web.Response(text=events if is_asked else text)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", page)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_nothing_that_a_bot_elsewhere_says_steers_this_terminal(tmp_path: Path) -> None:
    hostile = "\x1b]0;owned\x07\x1b[2Jsafe\u202e\x9b31m"
    picture = {"number": 1, "name": hostile, "notes": [hostile]}
    receipt = {"pictures": [picture], "skipped": [hostile], "dropped": [], "notes": []}
    done = {"outcome": "answered", "text": hostile, "receipt": receipt}
    events = [("delta", {"text": piece}) for piece in hostile] + [("done", done)]
    stream = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events)
    info = json.dumps({"limits": {}, "model": {"name": hostile}, "thread_id": "1"})
    async with serving(info, events=stream) as other:
        result = await llava_bot(
            *("ask", "-", "Why?", "--url", other), data_dir=tmp_path, stdin=encode(photo())
        )
    assert result.code == 0, result.err
    assert result.out == "]0;owned[2Jsafe31m\n"
    assert not set("\x1b\x07\x9b\u202e") & set(result.err)


async def test_where_no_bot_answers_a_sentence_says_what_to_do(
    tmp_path: Path, picture: str
) -> None:
    code, said = await asked("http://127.0.0.1:9", tmp_path)
    assert code == 1
    assert said == (
        "No bot can be reached at http://127.0.0.1:9 (Connection refused): "
        "start one with llava-bot run, "
        "or leave out --url.\n"
    )
    code, said = await asked("ftp://host", tmp_path)
    assert said.startswith("--url ftp://host: it is not an address such as")
    code, said = await asked("127.0.0.1:9", tmp_path, "--load-4bit")
    assert said.startswith("--quantize has no effect on a bot that runs: leave it out")
    async with serving("<html>") as other:
        assert await asked(other, tmp_path) == (1, f"What answers at {other} is no llava-bot.\n")
