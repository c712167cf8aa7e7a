"""`llava-bot completion`: the scripts, run by the shells that are installed."""

from __future__ import annotations

import asyncio
import shutil
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from bot.arguments import build_parser
from bot.completion import SHELLS, script
from tests.scenario.command import environment, llava_bot

CASES = [
    ("llava-bot be", {"bench"}),
    ("llava-bot as", {"ask"}),
    ("llava-bot run --quantize ", {"none", "int8", "nf4"}),
    ("llava-bot run --slack-app", {"--slack-app-token"}),
    ("llava-bot chat --image-file ph", {"photo.png"}),
    ("llava-bot ask ph", {"photo.png"}),
    ("llava-bot completion z", {"zsh"}),
]


async def run_shell(shell: str, text: str, folder: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        shell, "-c", text, stdout=PIPE, stderr=PIPE, env=environment(folder), cwd=folder
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photo.png").touch()
    for shell in SHELLS:
        (tmp_path / shell).write_text(script(build_parser(), shell))
    return tmp_path


async def test_bash_completes_commands_arguments_values_and_files(folder: Path) -> None:
    for line, expected in CASES:
        words = line.split(" ")
        quoted = " ".join(f"'{word}'" for word in words)
        # What readline sets before it calls the function that `complete` has registered.
        out = await run_shell(
            "bash",
            f"source ./bash; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; "
            f"COMP_LINE='{line}'; COMP_POINT={len(line)}; "
            "name=$(complete -p llava-bot | sed 's/.*-F \\([^ ]*\\).*/\\1/'); "
            f"$name llava-bot '{words[-1]}' '{words[-2]}'; "
            "printf '%s\\n' \"${COMPREPLY[@]}\"",
            folder,
        )
        assert expected <= {completion.strip() for completion in out.splitlines()}, line


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
async def test_fish_completes_commands_arguments_values_and_files(folder: Path) -> None:
    for line, expected in CASES:
        out = await run_shell("fish", f"source ./fish; complete -C '{line}'", folder)
        assert expected <= {completion.split("\t")[0] for completion in out.splitlines()}, line


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
async def test_zsh_takes_the_script(folder: Path) -> None:
    ready = "autoload -U compinit; compinit -u -D"
    by_eval = f'{ready}; eval "$(cat zsh)"; print $_comps[llava-bot]'
    assert (await run_shell("zsh", by_eval, folder)).strip()
    (folder / "zsh").rename(folder / "_llava-bot")
    by_path = f"fpath+=($PWD); {ready}; print $_comps[llava-bot]"
    assert (await run_shell("zsh", by_path, folder)).strip()


@pytest.mark.parametrize("shell", SHELLS)
def test_every_script_knows_every_command_and_argument(shell: str) -> None:
    made = script(build_parser(), shell)
    for word in ("manifest", "slack-bot-token", "image-file", "load-4bit", "no-fetch-links", "url"):
        assert word in made


async def test_a_broken_settings_file_does_not_spoil_it(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("no setting\nQUANTIZE=int3\n")
    result = await llava_bot("completion", "bash", data_dir=tmp_path)
    assert (result.code, result.err) == (0, "")
    assert "complete " in result.out
