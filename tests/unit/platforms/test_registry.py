"""A platform is one row of `PLATFORMS`: everything else finds it there."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest
from pydantic import SecretStr

from bot import app, cli, composition
from bot.arguments import build_parser
from bot.configuration import load_configuration, variables
from bot.core.access import AllowList
from bot.errors import ConfigurationError
from bot.platforms.entry import Doctor, Manifest, PlatformEntry
from bot.platforms.findings import Finding
from bot.platforms.registry import PLATFORMS
from bot.settings import Ids, SettingsGroup


class PigeonSettings(SettingsGroup):
    """The variables that begin with `PIGEON_`."""

    prefix: ClassVar[str] = "PIGEON_"
    other_arguments: ClassVar[Mapping[str, tuple[str, ...]]] = {"speed": ("--speed",)}
    token: SecretStr | None = None
    lofts: Ids = frozenset()
    speed: int = 60


class Pigeon(SimpleNamespace):
    """An adapter, as far as it is made here."""


async def examine(settings: PigeonSettings, channel: str | None) -> list[Finding]:
    return [Finding(f"a pigeon at {settings.speed} km/h, to {channel}")]


def add_manifest_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--loft")


PIGEON = PlatformEntry(
    name="pigeon",
    title="Pigeon",
    settings=PigeonSettings,
    make=lambda _, settings: Pigeon(speed=settings.speed),
    is_set_up=lambda settings: settings.token is not None,
    allow_list=lambda settings: AllowList(teams=settings.lofts),
    doctor=Doctor(
        examine=examine,
        is_channel=lambda channel: channel.startswith("loft-"),
        channel_form="loft-…",
    ),
    manifest=Manifest(
        add_arguments=add_manifest_arguments,
        make=lambda _, arguments: {"send it to": arguments.loft},
    ),
)


@pytest.fixture(autouse=True)
def with_pigeon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PIGEON_TOKEN", "coo")
    PLATFORMS.append(PIGEON)
    yield
    PLATFORMS.remove(PIGEON)


def test_its_settings_are_read_with_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    pigeon = [name for name in variables() if name.startswith("PIGEON_")]
    assert pigeon == ["PIGEON_TOKEN", "PIGEON_LOFTS", "PIGEON_SPEED"]
    monkeypatch.setenv("PIGEON_LOFTS", "north, south")
    assert load_configuration().of(PigeonSettings).lofts == {"north", "south"}
    monkeypatch.setenv("PIGEON_SPEED", "fast")
    monkeypatch.setenv("QUANTIZE", "int3")
    with pytest.raises(ConfigurationError) as problems:
        load_configuration()
    lines = str(problems.value).splitlines()
    assert [line.split(":")[0] for line in lines] == ["QUANTIZE", "PIGEON_SPEED"]


def test_its_arguments_are_those_of_run_and_win(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = build_parser().parse_args(["run", "--speed", "90"])
    configuration = load_configuration(**cli._settings_in(arguments))
    assert configuration.of(PigeonSettings).speed == 90
    with pytest.raises(SystemExit):
        build_parser().parse_args(["manifest", "owl"])
    assert "pigeon" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        build_parser().parse_args(["doctor", "--help"])
    assert "Pigeon: loft-…" in capsys.readouterr().out


def test_it_is_made_when_it_is_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    services = SimpleNamespace()
    made = app._make_platforms(services, load_configuration(), [PIGEON])  # type: ignore[arg-type]
    assert made == {"Pigeon": Pigeon(speed=60)}
    monkeypatch.delenv("PIGEON_TOKEN")
    assert not app._make_platforms(services, load_configuration(), [PIGEON])  # type: ignore[arg-type]


def test_its_allow_list_is_kept_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIGEON_LOFTS", "north")
    lists = composition._allow_lists(load_configuration())
    assert lists["pigeon"] == AllowList(teams=frozenset({"north"}))


def test_its_doctor_is_given_its_own_channels_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_CLIENT_ID", "DISCORD_BOT_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    assert asyncio.run(cli._doctor(load_configuration(), "loft-1", as_json=False)) == 0
    assert "a pigeon at 60 km/h, to loft-1" in capsys.readouterr().out
    assert asyncio.run(cli._doctor(load_configuration(), "C1", as_json=False)) == 0
    assert "a pigeon at 60 km/h, to None" in capsys.readouterr().out
    monkeypatch.delenv("PIGEON_TOKEN")
    assert asyncio.run(cli._doctor(load_configuration(), None, as_json=False)) == 0
    assert "Pigeon is not set up: README, Pigeon, says how." in capsys.readouterr().out


def test_its_manifest_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = build_parser().parse_args(["manifest", "pigeon", "--loft", "north"])
    cli._print_manifest(arguments, load_configuration())
    assert '"send it to": "north"' in capsys.readouterr().out
