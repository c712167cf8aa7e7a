"""`llava-bot ask` and `llava-bot chat`: answers on stdout, sentences on stderr, no traceback."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web
from safetensors.torch import load_file, save_file

from tests.pictures import encode, photo, plain_picture
from tests.scenario.command import Result, llava_bot


@pytest.fixture
def picture(tmp_path: Path) -> str:
    path = tmp_path / "photo.png"
    path.write_bytes(encode(photo()))
    return str(path)


@pytest.fixture(scope="session")
def model(tiny_checkpoint: Callable[[str], Path]) -> str:
    return str(tiny_checkpoint("qwen2.5-vl"))


async def test_ask_prints_the_answer_alone(tmp_path: Path, picture: str, model: str) -> None:
    result = await llava_bot(
        *("ask", picture, "What is it?", "--model", model, "--temperature", "0"),
        *("--max-new-tokens", "12"),
        data_dir=tmp_path,
    )
    assert result.code == 0, result.err
    assert result.out.strip()
    assert result.out.endswith("\n")
    assert "Loading the model" not in result.out


@pytest.mark.heavy  # two starts with a model
async def test_json_holds_the_answer_that_is_printed(
    tmp_path: Path, picture: str, model: str
) -> None:
    arguments = ("ask", picture, "What is it?", "--model", model, "--temperature", "0")
    printed = await llava_bot(*arguments, "--max-new-tokens", "12", data_dir=tmp_path)
    as_json = await llava_bot(*arguments, "--max-new-tokens", "12", "--json", data_dir=tmp_path)
    assert json.loads(as_json.out)["text"] == printed.out.strip()


@pytest.mark.heavy
async def test_chat_answers_several_questions_about_one_picture(
    tmp_path: Path, picture: str, model: str
) -> None:
    result = await llava_bot(
        *("chat", "--image-file", picture, "--model-path", model, "--load-4bit"),
        *("--temperature", "0", "--max-new-tokens", "5"),
        data_dir=tmp_path,
        stdin="What is it?\n\nWhat colour is it?\n",
    )
    assert result.code == 0, result.err
    assert result.out.count("\n") >= 2
    assert "USER" not in result.out


@pytest.mark.heavy  # a start with a model
async def test_chat_accepts_any_bytes_and_prints_characters_that_the_encoding_lacks(
    tmp_path: Path, picture: str, foreign: str
) -> None:
    result = await llava_bot(
        *("chat", "--image-file", picture, "--model", foreign),
        *("--temperature", "1", "--max-new-tokens", "40"),
        data_dir=tmp_path,
        stdin=b"caf\xe9?\nnext?\n",
        PYTHONIOENCODING="ascii",
    )
    assert result.code == 0, result.err
    assert "Traceback" not in result.err
    assert (result.out.count("\n"), set(result.out)) == (2, {"?", "\n"})


@pytest.mark.heavy
async def test_a_picture_by_web_address(tmp_path: Path, model: str) -> None:
    app = web.Application()
    data = plain_picture().data

    async def serve(_request: web.Request) -> web.Response:
        return web.Response(body=data, content_type="image/png")

    app.router.add_get("/cat.png", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        arguments = ("--model", model, "--temperature", "0", "--max-new-tokens", "5")
        result = await llava_bot(
            "ask", f"{address}/cat.png?size=1", "What?", *arguments, "--json", data_dir=tmp_path
        )
        assert result.code == 0, result.err
        assert json.loads(result.out)["receipt"]["pictures"][0]["name"] == "cat.png"
        missing = await llava_bot("ask", f"{address}/dog.png", "What?", data_dir=tmp_path)
        assert_one_sentence(missing, f"The picture at {address}/dog.png cannot be fetched: ")
    finally:
        await runner.cleanup()


@pytest.mark.heavy
async def test_pictures_come_from_files_and_standard_input(tmp_path: Path, model: str) -> None:
    (tmp_path / "photo.png").write_bytes(encode(photo()))
    result = await llava_bot(
        *("ask", "photo.png", "-", "What differs?", "--model", model, "--json"),
        *("--max-new-tokens", "5", "--quiet"),
        data_dir=tmp_path,
        stdin=plain_picture().data,
    )
    assert (result.code, result.err) == (0, "")
    shown = json.loads(result.out)
    assert shown["text"]
    assert shown["model"] == model
    assert shown["timings"]["total_s"] >= shown["timings"]["first_token_s"] > 0
    assert shown["receipt"]["pictures"] == [
        {"number": 1, "name": "photo.png", "notes": []},
        {"number": 2, "name": "stdin", "notes": ["it is a single flat colour"]},
    ]


@pytest.mark.parametrize(
    ("words", "stdin", "sentence"),
    [
        (("-", "What?"), "", "“stdin” was left out: the file is empty."),
        (("-", "-", "What?"), "x", "Standard input holds one picture: name - only once."),
        (("photo.png", "-"), " \n", "Standard input holds no question."),
        (("-", "-"), None, "Standard input can be a picture or the question, not both."),
        (("photo.png", "What", "is", "it?"), "", "There is no file “What”. A question of several"),
    ],
)
async def test_what_standard_input_cannot_give_gets_one_sentence(
    words: tuple[str, ...], stdin: str | bytes | None, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "photo.png").write_bytes(plain_picture().data)
    given = plain_picture().data if stdin is None else stdin
    result = await llava_bot("ask", *words, data_dir=tmp_path, stdin=given)
    assert_one_sentence(result, sentence)
    assert result.err.count("\n") == 1


def assert_one_sentence(result: Result, begin: str) -> None:
    assert result.code == 1
    assert result.out == ""
    assert "Traceback" not in result.err
    assert result.last_sentence.startswith(begin), result.err


async def test_a_missing_file_gets_one_sentence(tmp_path: Path) -> None:
    result = await llava_bot("ask", "nofile.png", "What?", data_dir=tmp_path)
    assert_one_sentence(result, "There is no file “nofile.png”.")
    assert result.err.count("\n") == 1


async def test_a_picture_that_cannot_be_used_gets_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("hello")
    result = await llava_bot("ask", "notes.png", "What?", data_dir=tmp_path)
    assert_one_sentence(result, "“notes.png” was left out: I can't read this kind of file")
    (tmp_path / "cut.jpg").write_bytes(plain_jpeg()[:300])
    japanese = await llava_bot("ask", "cut.jpg", "何？", data_dir=tmp_path, LANG="ja_JP.UTF-8")
    assert_one_sentence(japanese, "「cut.jpg」は使えませんでした。")


def plain_jpeg() -> bytes:
    from PIL import Image

    return encode(Image.new("RGB", (300, 300), "red"), "JPEG")


@pytest.mark.heavy
async def test_an_unknown_model_gets_one_sentence(tmp_path: Path, picture: str) -> None:
    result = await llava_bot("ask", picture, "What?", "--model", "no/such", data_dir=tmp_path)
    assert_one_sentence(result, "The model 'no/such' is neither a folder here nor in the download")


@pytest.mark.heavy  # a start with a model
async def test_weights_that_lack_tensors_get_one_sentence(
    tmp_path: Path, picture: str, tiny_checkpoint: Callable[[str], Path]
) -> None:
    folder = tmp_path / "half"
    shutil.copytree(tiny_checkpoint("llava-1.5"), folder)
    weights = load_file(folder / "model.safetensors")
    save_file(
        {name: tensor for name, tensor in weights.items() if "projector" not in name},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    result = await llava_bot("ask", picture, "What?", "--model", str(folder), data_dir=tmp_path)
    assert_one_sentence(result, f"The weights of the model '{folder}' are incomplete: 4 of ")


async def test_a_directory_that_cannot_be_used_gets_one_sentence(
    tmp_path: Path, model: str
) -> None:
    (tmp_path / "file").write_text("")
    result = await llava_bot(
        "run", "--model", model, data_dir=tmp_path, DATA_DIR=str(tmp_path / "file")
    )
    assert_one_sentence(result, f"DATA_DIR: {tmp_path / 'file'} cannot be used (File exists).")


@pytest.mark.heavy
async def test_a_download_that_cannot_be_stored_names_the_folder(
    tmp_path: Path, picture: str
) -> None:
    async def config(_request: web.Request) -> web.Response:
        return web.json_response(
            {"model_type": "llava"}, headers={"ETag": '"1"', "X-Repo-Commit": "a" * 40}
        )

    app = web.Application()
    app.router.add_get("/{file:.*}", config)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hub = {"HF_ENDPOINT": f"http://127.0.0.1:{runner.addresses[0][1]}", "HF_HUB_OFFLINE": "0"}
    try:
        result = await llava_bot(
            *("ask", picture, "What?", "--model", "some/model"),
            data_dir=tmp_path,
            HF_HOME="/dev/null/hub",
            variables=hub,
        )
    finally:
        await runner.cleanup()
    assert_one_sentence(
        result, "The model 'some/model' cannot be read or kept: Not a directory (/dev/null/hub"
    )


async def test_an_unknown_users_home_is_a_missing_file(tmp_path: Path) -> None:
    result = await llava_bot("ask", "~nobody-knows/x.png", "What?", data_dir=tmp_path)
    assert_one_sentence(result, "There is no file “~nobody-knows/x.png”.")


async def test_an_address_without_a_server_gets_one_sentence(tmp_path: Path) -> None:
    result = await llava_bot("ask", "http://127.0.0.1:9/cat.png", "What?", data_dir=tmp_path)
    sentence = "The picture at http://127.0.0.1:9/cat.png cannot be fetched: the server cannot be"
    assert_one_sentence(result, sentence)


async def test_wrong_settings_are_all_named_at_once(tmp_path: Path, picture: str) -> None:
    result = await llava_bot(
        *("ask", picture, "What?"),
        data_dir=tmp_path,
        QUANTIZE="int3",
        TEMPERATURE="hot",
        PLAYGROUND_HOST="192.0.2.1",
    )
    assert result.code == 1
    assert "Traceback" not in result.err
    assert [line.split(":")[0] for line in result.err.strip().splitlines()] == [
        "QUANTIZE",
        "TEMPERATURE",
        "PLAYGROUND_PASSWORD",
    ]


@pytest.mark.heavy
async def test_settings_are_read_from_a_file(tmp_path: Path, picture: str) -> None:
    (tmp_path / ".env").write_text("MODEL=from/the-file\n")
    result = await llava_bot("ask", picture, "What?", data_dir=tmp_path)
    assert_one_sentence(result, "The model 'from/the-file' is neither")


async def test_a_settings_file_that_powershell_wrote_gets_one_sentence(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("MODEL=pocket\r\n".encode("utf-16"))
    result = await llava_bot("manifest", "slack", data_dir=tmp_path)
    assert_one_sentence(result, ".env is UTF-16")
    assert result.err.count("\n") == 1


@pytest.mark.heavy  # two starts with a model
async def test_a_failure_points_to_verbose_which_shows_more(
    tmp_path: Path, picture: str, talkative: str
) -> None:
    arguments = ("ask", picture, "What?", "--model", talkative, "--temperature", "1")
    module = "tests.scenario.failing_bot"
    quiet = await llava_bot(*arguments, module=module, data_dir=tmp_path)
    assert quiet.code == 1
    assert quiet.err.splitlines()[-2:] == [
        "The model has stopped working. Please try again in a minute.",
        "To see where it failed, add --verbose.",
    ]
    verbose = await llava_bot(*arguments, "--verbose", module=module, data_dir=tmp_path)
    assert verbose.code == 1
    assert "ERROR inference" in verbose.err
    assert "AcceleratorError" in verbose.err
    assert "add --verbose" not in verbose.err


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        ("KeyError('secret')", "llava-bot has failed: KeyError."),
        (
            "OSError(28, 'No space left on device', 'models')",
            "llava-bot cannot go on: No space left on device (models).",
        ),
    ],
)
async def test_an_unexpected_exception_is_one_sentence(
    failure: str, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "surprised_bot.py").write_text(
        "import sys\nfrom unittest import mock\nfrom bot.__main__ import main\n"
        f"with mock.patch('bot.cli._doctor', side_effect={failure}):\n"
        "    sys.exit(main())\n"
    )
    result = await llava_bot("doctor", module="surprised_bot", data_dir=tmp_path)
    assert (result.code, result.out) == (1, "")
    assert result.err == f"{sentence}\nTo see where it failed, add --verbose.\n"


@pytest.fixture
def nobody(tmp_path: Path) -> dict[str, str]:
    """The environment of a user who stands in no passwd file; it works for every user."""
    (tmp_path / "sitecustomize.py").write_text(
        "import pwd\ndef unknown(user):\n    raise KeyError(user)\n"
        "pwd.getpwuid = pwd.getpwnam = unknown\n"
    )
    return {"HOME": "", "PYTHONPATH": f"{tmp_path}:{Path.cwd()}"}


@pytest.mark.parametrize(("module", "argument"), [("bot", "doctor"), ("inference.pocket", "fetch")])
async def test_a_user_without_a_home_is_told_what_to_set(
    module: str, argument: str, tmp_path: Path, nobody: dict[str, str]
) -> None:
    result = await llava_bot(
        argument, module=module, data_dir=tmp_path, before="unset HOME DATA_DIR", variables=nobody
    )
    assert_one_sentence(result, "")
    assert "his user has no home directory: set DATA_DIR" in result.last_sentence
    assert result.err.count("\n") == 1


async def test_a_user_without_a_home_has_the_hubs_cache_in_the_data_directory(
    tmp_path: Path, nobody: dict[str, str]
) -> None:
    (tmp_path / "looking_bot.py").write_text(
        "import sys\nfrom unittest import mock\nfrom bot.__main__ import main\n"
        "def look(*_, **__):\n"
        "    from huggingface_hub import constants\n"
        "    print(constants.HF_HOME)\n    return 0\n"
        "with mock.patch('bot.cli._doctor', side_effect=look):\n    sys.exit(main())\n"
    )
    result = await llava_bot(
        "doctor", module="looking_bot", data_dir=tmp_path, before="unset HOME", variables=nobody
    )
    assert (result.code, result.err) == (0, "")
    assert result.out == f"{tmp_path}/.cache/huggingface\n"


async def test_a_current_folder_that_was_deleted_gets_one_sentence(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    result = await llava_bot("doctor", data_dir=tmp_path, cwd=gone, before=f"rmdir {gone}")
    assert_one_sentence(result, "The current folder has been deleted: change to another one.")


async def test_the_doctors_json_is_json_whatever_is_wrong(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text('MODEL="pocket\n')
    result = await llava_bot("doctor", "--json", data_dir=tmp_path, LOG_LEVEL="loud")
    told = json.loads(result.out)["findings"]
    wrong = [it["what"] for it in told if it["area"] == "The settings"]
    assert [what.partition(":")[0] for what in wrong] == [".env, line 1", "LOG_LEVEL"]
    assert {"This machine", "The model"} < {it["area"] for it in told}
    gone = tmp_path / "gone"
    gone.mkdir()
    result = await llava_bot(
        "doctor", "--json", data_dir=tmp_path, cwd=gone, before=f"rmdir {gone}"
    )
    document = json.loads(result.out)
    assert (result.code, document["ok"]) == (1, False)
    (finding,) = document["findings"]
    assert finding["what"] == "The current folder has been deleted: change to another one"
    assert finding["status"] == "wrong"


async def test_a_wrong_command_shows_the_usage(tmp_path: Path) -> None:
    result = await llava_bot("dance", data_dir=tmp_path)
    assert result.code == 2
    assert "usage: llava-bot" in result.err


HEAVY = {"PIL", "aiohttp", "alembic", "discord", "slack_bolt", "slack_sdk", "sqlalchemy", "torch"}
"""What a command imports only once it needs it."""


@pytest.mark.parametrize(
    "arguments", [["--help"], ["run", "--help"], ["manifest", "--help"], ["no-such-command"]]
)
async def test_help_and_wrong_arguments_import_nothing_heavy(
    arguments: list[str], tmp_path: Path
) -> None:
    probe = tmp_path / "probe.py"
    probe.write_text(
        "import atexit, runpy, sys\n"
        "atexit.register(lambda: print('imported:', *sys.modules, file=sys.stderr))\n"
        "sys.argv[0] = 'llava-bot'\n"
        "runpy.run_module('bot', run_name='__main__')\n"
    )
    result = await llava_bot(*arguments, data_dir=tmp_path, module="probe")
    imported = result.err.rpartition("imported:")[2].split()
    assert "bot.cli" in imported
    assert not HEAVY.intersection(imported)
