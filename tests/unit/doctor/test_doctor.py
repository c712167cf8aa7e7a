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
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from filelock import FileLock

from bot.configuration import Configuration
from bot.doctor import examination, kept, listening, machine, model, ports
from bot.doctor.examination import Area, examine, is_well
from bot.doctor.model import Gpu
from bot.doctor.report import as_document, as_text
from bot.images.decoding.process import DecodingProcess
from bot.monitoring.settings import MonitoringSettings
from bot.platforms.discord.settings import DiscordSettings
from bot.platforms.findings import Finding, Status
from bot.platforms.slack.settings import SlackSettings
from bot.platforms.web.settings import PlaygroundSettings
from bot.settings import Settings
from inference.backends.survey import Place, size_by_name, weight_bytes_in
from inference.pocket.fetch import pocket_dir
from tests.postgresql import postgresql
from tests.servers.postgresql import PostgresqlServer

__all__ = ["postgresql"]

GB = 1_000_000_000


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(model, "gpus", lambda: ())


def configured(
    tmp_path: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    slack: dict[str, str] | None = None,
    monitoring: dict[str, int] | None = None,
    unknown: Sequence[str] = (),
    problems: Sequence[str] = (),
    **settings: Any,
) -> Configuration:
    groups = [
        Settings.model_validate({"data_dir": tmp_path, **settings}),
        PlaygroundSettings.model_validate({"host": host, "port": port, "password": "a password"}),
        SlackSettings.model_validate(slack or {}),
        DiscordSettings.model_validate({}),
        MonitoringSettings.model_validate(monitoring or {}),
    ]
    return Configuration(groups, unknown=unknown, problems=problems)


def the(findings: Sequence[Finding]) -> Finding:
    (finding,) = findings
    return finding


def of_status(findings: Sequence[Finding], status: Status) -> str:
    return "\n".join(str(finding) for finding in findings if finding.status is status)


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


# -- the model ------------------------------------------------------------------------------------


def has(tmp_path: Path, **settings: Any) -> list[Finding]:
    return model.model(configured(tmp_path, **settings))


def with_memory(
    monkeypatch: pytest.MonkeyPatch, *, disk: int = 99 * GB, ram: int = 99 * GB
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=disk))
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=ram))


def checkpoint(folder: Path, **sizes: int) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    for name, size in sizes.items():
        with (folder / name.replace("_", ".")).open("wb") as file:
            file.truncate(size)
    return folder


def test_the_pocket_is_built_or_will_be_where_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_memory(monkeypatch)
    assert "the first start fetches the model pocket: 1.2 GB" in has(tmp_path)[0].what
    with_memory(monkeypatch, disk=GB, ram=GB)
    room, _, memory = has(tmp_path)
    assert (room.status, "set DATA_DIR" in room.fix) == (Status.WRONG, True)
    assert (memory.status, "close what uses the memory" in memory.fix) == (Status.WRONG, True)
    pocket_dir(tmp_path / "models").mkdir(parents=True)
    assert has(tmp_path)[0] == Finding("the model pocket is built")


def test_a_model_of_the_hub_is_told_with_its_size_and_the_room_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_memory(monkeypatch, disk=5 * GB, ram=20 * GB)
    weights, gpu, memory = has(tmp_path, model="llava-hf/llava-1.5-7b-hf")
    assert "14.0 GB on the disk, where 5.0 GB are free" in weights.what
    assert (weights.status, "HF_HOME" in weights.fix) == (Status.WRONG, True)
    assert (gpu.status, "MODEL=pocket" in gpu.fix) == (Status.WARNING, True)
    assert (memory.status, "30.0 GB" in memory.what) == (Status.WARNING, True)
    unknown = has(tmp_path, model="somebody/nameless")[0]
    assert unknown.status is Status.UNKNOWN


def test_a_model_that_is_here_is_found_whole_or_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_memory(monkeypatch)
    folder = checkpoint(tmp_path / "mine", model_safetensors=3 * GB, pytorch_bin=3 * GB)
    assert has(tmp_path, model=str(folder))[0] == Finding(f"the model {folder} is here (3.0 GB)")
    cached = tmp_path / "hub" / "models--a--b-7b" / "snapshots" / "0f"
    checkpoint(cached, model_safetensors=4 * GB)
    refs = cached.parents[1] / "refs"
    refs.mkdir()
    (refs / "main").write_text("0f")
    assert "fetches the rest of the model a/b-7b: 10.0 GB" in has(tmp_path, model="a/b-7b")[0].what
    os.truncate(cached / "model.safetensors", 14 * GB)
    assert has(tmp_path, model="a/b-7b")[0] == Finding("the model a/b-7b is here (14.0 GB)")


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("poket", "There is no model 'poket'. Did you mean pocket?"),
        ("llava", "There is no model 'llava'."),
        ("./nowhere", "There is no folder './nowhere': check MODEL."),
    ],
)
def test_a_name_that_cannot_be_a_model_is_told(name: str, fix: str, tmp_path: Path) -> None:
    finding = the(has(tmp_path, model=name))
    assert (finding.status, finding.fix[: len(fix)]) == (Status.WRONG, fix)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("llava-hf/llava-1.5-7b-hf", 14 * GB),
        ("Qwen/Qwen2.5-VL-3B-Instruct", 6 * GB),
        ("llava-hf/llava-onevision-qwen2-0.5b-ov-hf", GB),
        ("HuggingFaceTB/SmolVLM-256M-Instruct", None),
        ("somebody/4bit", None),
    ],
)
def test_a_models_size_is_read_from_its_name(name: str, size: int | None) -> None:
    assert size_by_name(name) == size


def card(free_gb: int, driver: str = "580.82.07") -> Gpu:
    return Gpu(name="RTX", driver=driver, total_bytes=24 * GB, free_bytes=free_gb * GB)


@pytest.mark.parametrize(
    ("free_gb", "quantize", "fix"),
    [
        (20, "none", None),
        (12, "none", "set QUANTIZE=int8."),
        (8, "none", "set QUANTIZE=nf4."),
        (8, "nf4", None),
        (4, "nf4", "choose a smaller model, or pocket."),
    ],
)
def test_what_fits_the_gpu_is_recommended(
    free_gb: int, quantize: str, fix: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "gpus", lambda: (card(free_gb),))
    monkeypatch.setattr("importlib.metadata.version", lambda _: "2.11.0")
    with_memory(monkeypatch)
    findings = has(tmp_path, model="llava-hf/llava-1.5-7b-hf", quantize=quantize)[1:]
    assert "RTX" in findings[0].what
    assert [finding.fix for finding in findings if finding.fix] == ([] if fix is None else [fix])


def test_a_gpu_that_torch_cannot_use_and_one_that_is_not_there_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _: "2.11.0+cpu")
    missing = has(tmp_path, device="cuda:0")[1]
    assert (missing.status, "DEVICE" in missing.fix) == (Status.WRONG, True)
    monkeypatch.setattr(model, "gpus", lambda: (card(20),))
    assert "torch for CUDA" in of_status(has(tmp_path), Status.WARNING)


@pytest.mark.parametrize(
    ("made_for", "driver", "fix"),
    [
        ("'13.0'", "580.82.07", None),
        ("'13.0'", "570.1", "install driver 580.65 or newer, or torch for an older CUDA."),
        ("'12.8'", "570.1", None),
        ("'12.8'", "470.2", "install driver 525.60 or newer, or torch for an older CUDA."),
        ("None", "470.2", None),
    ],
)
def test_a_driver_that_is_too_old_for_torch_is_told(
    made_for: str,
    driver: str,
    fix: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "version.py").write_text(f"debug = False\ncuda: Optional[str] = {made_for}\n")
    torch = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(model, "find_spec", lambda _: torch)
    monkeypatch.setattr(model, "gpus", lambda: (card(20, driver),))
    monkeypatch.setattr("importlib.metadata.version", lambda _: "2.11.0")
    with_memory(monkeypatch)
    fixes = [it.fix for it in has(tmp_path) if it.status is Status.WRONG]
    assert fixes == ([] if fix is None else [fix])


def test_a_card_whose_driver_does_not_answer_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "PCI", tmp_path)
    for name, vendor, kind in (("a", "0x8086", "0x030000"), ("b", "0x10de", "0x040300")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "vendor").write_text(f"{vendor}\n")
        (tmp_path / name / "class").write_text(f"{kind}\n")
    assert "driver" not in of_status(has(tmp_path), Status.WARNING)
    (tmp_path / "b" / "class").write_text("0x030200\n")
    assert "install NVIDIA's driver" in of_status(has(tmp_path), Status.WARNING)


def test_the_drivers_tool_is_asked_for_the_gpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA L4, 560.35, 23034, 22000'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (found,) = model.gpus()
    assert (found.name, found.driver, found.free_bytes) == ("NVIDIA L4", "560.35", 22000 << 20)
    tool.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'\nexit 9\n")
    assert model.gpus() == ()


def test_a_folders_weights_are_counted_once(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "x", a_safetensors=5, b_safetensors=6, c_bin=100)
    assert weight_bytes_in(folder) == 11
    assert Place.FOLDER in Place


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


def test_the_ports_of_health_checks_and_of_slack_are_tried_where_they_are_used(
    tmp_path: Path,
) -> None:
    unused = configured(tmp_path, slack={"bot_token": "xoxb-1", "app_token": "xapp-1"})
    assert (listening.monitoring(unused), listening.slack_http(unused)) == ([], [])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        http = {"bot_token": "xoxb-1", "signing_secret": "planted", "http_port": str(port)}
        both = configured(tmp_path, slack=http, monitoring={"port": port})
        assert "set MONITORING_PORT to another" in the(listening.monitoring(both)).fix
        assert "set SLACK_HTTP_PORT to another" in the(listening.slack_http(both)).fix
    assert the(listening.monitoring(both)).is_well
    assert the(listening.slack_http(both)).is_well


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
        MonitoringSettings(),
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
