"""`doctor` looks at this machine, the model and the playground without any token."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
import socket
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from filelock import FileLock

from bot.configuration import Configuration
from bot.doctor import examination, kept, listening, machine, ports
from bot.doctor.examination import Area, examine, is_well
from bot.doctor.report import as_document, as_text
from bot.images.decoding.process import DecodingProcess
from bot.images.reading import files
from bot.monitoring.settings import MonitoringSettings
from bot.platforms.api.settings import ApiSettings
from bot.platforms.discord.settings import DiscordSettings
from bot.platforms.findings import Finding, Status
from bot.platforms.slack.settings import SlackSettings
from bot.platforms.web.settings import PlaygroundSettings
from bot.settings import Settings
from tests.postgresql import postgresql
from tests.servers.postgresql import PostgresqlServer

__all__ = ["postgresql"]

from tests.unit.doctor.looking import GB, configured, the

# -- this machine ---------------------------------------------------------------------------------


def test_an_old_python_and_a_wrong_clock_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = configured(tmp_path)
    assert the(machine.python(configuration)).is_well
    assert not machine.clock(configuration)
    monkeypatch.setattr(sys, "version_info", (3, 10))
    assert "3.11 or newer" in the(machine.python(configuration)).fix
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert "NTP" in the(machine.clock(configuration)).fix


def test_the_folder_is_looked_at_and_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = tmp_path / "not" / "yet"
    assert the(machine.folder(configured(absent))).is_well
    assert not absent.parent.exists()
    assert list(tmp_path.iterdir()) == []
    with pytest.MonkeyPatch.context() as patch:  # as /proc does, which says that root may write
        patch.setattr("tempfile.mkdtemp", mock.Mock(side_effect=FileNotFoundError))
        refused = the(machine.folder(configured(absent)))
    assert (refused.status, "cannot be made in" in refused.what) == (Status.WRONG, True)
    tmp_path.chmod(0o700)
    assert the(machine.folder(configured(tmp_path))).is_well
    tmp_path.chmod(0o755)
    open_to_others = the(machine.folder(configured(tmp_path)))
    assert (open_to_others.status, "0755" in open_to_others.what) == (Status.WARNING, True)
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    (tmp_path / "file").touch()
    assert "no folder" in the(machine.folder(configured(tmp_path / "file" / "data"))).fix
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    assert the(machine.folder(configured(tmp_path))).status is Status.WRONG


def test_what_decoders_are_kept_from_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = the(machine.decoding(configured(tmp_path)))
    kept_from = "which nothing keeps from" if found.warning else "without files and network"
    assert found.what.startswith(f"pictures are decoded in processes of their own, {kept_from}")
    monkeypatch.setattr(DecodingProcess, "warm_up", lambda _: None)
    found = the(machine.decoding(configured(tmp_path)))
    assert found.warning
    assert "nothing keeps from files and network" in found.what
    monkeypatch.undo()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
    assert "do not start" in the(machine.decoding(configured(tmp_path))).what


def test_what_is_missing_to_read_text_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert machine.reading(configured(tmp_path)) == []
    monkeypatch.setattr(files, "find_spec", lambda _: None)
    found = the(machine.reading(configured(tmp_path)))
    assert found.warning
    assert (found.what, found.fix) == (
        "text in pictures is not read: onnxruntime is missing",
        "install it again, or set OCR=off.",
    )


@pytest.mark.parametrize(
    ("free", "status"), [(GB // 10, Status.WRONG), (GB, Status.WARNING), (9 * GB, Status.OK)]
)
def test_a_disk_that_fills_is_told_before_it_is_full(
    free: int, status: Status, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    finding = the(machine.disk(configured(tmp_path)))
    assert finding.status is status
    assert finding.is_well or "THREAD_DAYS" in finding.fix


# -- the playground -------------------------------------------------------------------------------


def test_a_port_that_is_taken_and_a_host_of_others_are_told(tmp_path: Path) -> None:
    assert the(listening.playground(configured(tmp_path))).is_well
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        finding = the(listening.playground(configured(tmp_path, port=port)))
        assert "set PLAYGROUND_PORT to another" in finding.fix
        lock = FileLock(tmp_path / "run.lock")
        with lock:
            assert (
                "a bot is running here"
                in the(listening.playground(configured(tmp_path, port=port))).what
            )
    elsewhere = the(listening.playground(configured(tmp_path, host="192.0.2.1")))
    assert "set PLAYGROUND_HOST to an address of this machine" in elsewhere.fix


@pytest.mark.parametrize(
    ("failure", "fix"),
    [
        (socket.gaierror(socket.EAI_NONAME, "x"), "PLAYGROUND_HOST"),
        (OSError(errno.EACCES, "x"), "1024 or more"),
        (OSError(errno.EAFNOSUPPORT, "x"), "Address family not supported"),
    ],
)
def test_each_reason_not_to_listen_has_its_own_remedy(failure: OSError, fix: str) -> None:
    assert fix in ports.remedy(failure, "PLAYGROUND_")


def test_the_ports_of_health_checks_the_api_and_slack_are_tried_where_they_are_used(
    tmp_path: Path,
) -> None:
    unused = configured(tmp_path, slack={"bot_token": "xoxb-1", "app_token": "xapp-1"})
    for check in (listening.monitoring, listening.api, listening.slack_http):
        assert check(unused) == []
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        http = {"bot_token": "xoxb-1", "signing_secret": "planted", "http_port": str(port)}
        both = configured(tmp_path, slack=http, monitoring={"port": port}, api={"port": port})
        assert "set MONITORING_PORT to another" in the(listening.monitoring(both)).fix
        assert "set API_PORT to another" in the(listening.api(both)).fix
        assert "set SLACK_HTTP_PORT to another" in the(listening.slack_http(both)).fix
    assert the(listening.monitoring(both)).is_well
    assert the(listening.api(both)).is_well
    assert the(listening.slack_http(both)).is_well


def test_two_on_one_port_are_told(tmp_path: Path) -> None:
    apart = configured(tmp_path, port=8790, monitoring={"port": 9464}, api={"port": 0})
    assert listening.same_ports(apart) == []
    other_addresses = {"host": "127.0.0.2", "port": 8790}
    assert listening.same_ports(configured(tmp_path, port=8790, monitoring=other_addresses)) == []
    everywhere = {"host": "::", "port": 8790}
    finding = the(listening.same_ports(configured(tmp_path, port=8790, monitoring=everywhere)))
    assert finding.what == "the playground and monitoring are both set to port 8790"
    assert finding.fix == "set MONITORING_PORT to another."


# -- the examination ------------------------------------------------------------------------------


async def test_checks_run_side_by_side_and_none_hides_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    met = asyncio.Event()
    loop = asyncio.get_running_loop()

    def waits(_: Configuration) -> list[Finding]:
        asyncio.run_coroutine_threadsafe(met.wait(), loop).result(10)
        return [Finding("both ran at once")]

    def comes(_: Configuration) -> list[Finding]:
        loop.call_soon_threadsafe(met.set)
        return []

    def breaks(_: Configuration) -> list[Finding]:
        raise OSError(errno.EIO, "planted")

    monkeypatch.setattr(examination, "CHECKS", {"Here": (waits, comes, breaks)})
    here, *_ = await examine(configured(tmp_path))
    assert here.findings[0] == Finding("both ran at once")
    assert here.findings[1].status is Status.UNKNOWN
    assert "Input/output error" in here.findings[1].fix
    assert is_well([here])


async def test_a_token_of_the_wrong_shape_is_told_without_asking_anybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination, "CHECKS", {})

    async def asked(*_: object, **__: object) -> Any:
        raise AssertionError

    monkeypatch.setattr("bot.platforms.slack.doctor.examine", asked)
    tokens = {"bot_token": "xapp-planted", "app_token": "xoxb-1"}
    unknown = ("The environment has MODLE, which is no setting: did you mean MODEL?",)
    problems = (".env, line 5: it is not NAME=value; mend it.",)
    areas = await examine(configured(tmp_path, slack=tokens, unknown=unknown, problems=problems))
    text = as_text(areas)
    assert "SLACK_BOT_TOKEN: what it holds belongs in SLACK_APP_TOKEN" in text
    assert "SLACK_APP_TOKEN: what it holds belongs in SLACK_BOT_TOKEN" in text
    assert "WRONG    .env, line 5: it is not NAME=value" in text
    assert "WRONG    The environment has MODLE" in text
    assert "Discord is not set up" in text
    assert text.endswith("4 to fix")
    assert "planted" not in text
    assert not is_well(areas)


async def test_no_secret_is_in_the_report_whatever_goes_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.platforms.slack.api.READ_ATTEMPTS", 1)
    planted = "planted0123456789planted0123456789"
    groups = [
        Settings.model_validate(
            {
                "data_dir": tmp_path,
                "model": "some/model",
                "hf_token": planted,
                "database_url": f"postgresql+asyncpg://bot:{planted}@127.0.0.1:9/bot",
                "pictures_url": f"file://{tmp_path}/pictures",
                "aws_access_key_id": planted,
                "aws_secret_access_key": planted,
            }
        ),
        PlaygroundSettings.model_validate({"port": 0, "password": planted}),
        SlackSettings.model_validate(
            {
                "bot_token": f"xoxb-{planted}",
                "app_token": f"xapp-{planted}",
                "client_secret": planted,
                "signing_secret": planted,
                "api_url": "http://127.0.0.1:9/api/",
            }
        ),
        DiscordSettings.model_validate(
            {"bot_token": f"{planted}.{planted[:6]}.{planted}", "resolve_to": "127.0.0.1:9"}
        ),
        MonitoringSettings.model_validate({}),
        ApiSettings.model_validate({}),
    ]
    areas = await examine(Configuration(groups, given={"HF_TOKEN": planted}), asks_model=True)
    assert "No PostgreSQL server answers" in as_text(areas)
    assert "Slack cannot be reached" in as_text(areas)
    assert "Discord cannot be reached" in as_text(areas)
    assert "planted" not in as_text(areas) + json.dumps(as_document(areas))


def test_the_report_names_areas_and_counts_what_is_to_do() -> None:
    findings = (Finding("a"), Finding("b", "do it.", warning=True), Finding("c", "?", unknown=True))
    area = Area(title="Here", findings=findings)
    assert as_text([area]).splitlines() == [
        "Here",
        "ok       a",
        "warning  b",
        "         → do it.",
        "not seen c",
        "         → ?",
        "",
        "1 to improve",
    ]
    document = json.loads(json.dumps(as_document([area])))
    assert document["ok"] is True
    assert [it["status"] for it in document["findings"]] == ["ok", "warning", "unknown"]
    assert document["findings"][1] == {
        "area": "Here", "status": "warning", "what": "b", "fix": "do it.",
    }  # fmt: skip


def test_a_database_that_cannot_be_used_is_found_with_its_remedy(
    tmp_path: Path, postgresql: PostgresqlServer
) -> None:
    url = postgresql.url("migrated")
    right = configured(tmp_path, database_url=url.render_as_string(hide_password=False))
    assert the(kept.database(right)).is_well
    wrong = url.set(password="not this").render_as_string(hide_password=False)
    found = the(kept.database(configured(tmp_path, database_url=wrong)))
    assert "does not let bot in" in found.what
    assert found.fix == "check the user and the password in DATABASE_URL."
    assert "not this" not in f"{found}{right.bot!r}"
