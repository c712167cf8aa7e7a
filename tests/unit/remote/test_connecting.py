"""From a setting to an engine: what is waited for, what is told, and what is never imported."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from bot.composition import devices_of, server_options
from bot.configuration import Configuration
from bot.doctor.model import are_here, model
from bot.errors import ConfigurationError
from bot.model_server_settings import ModelServerSettings
from bot.settings import Settings
from inference.errors import ModelUnavailable
from inference.names import check_name, parse_remote, shown_name
from inference.progress import Phase
from inference.remote.connecting import RemoteModel
from inference.remote.options import ServerOptions
from inference.serving.fleet import Devices
from inference.serving.starting import StartingEngine, starting_engine
from inference.types import ModelSpec
from tests.conftest import ROOT
from tests.pictures import plain_picture
from tests.servers.openai.server import Script, running_openai
from tests.unit.remote.conftest import request
from tests.waiting import until

WITHOUT_TORCH = """
import sys
for heavy in ("torch", "transformers", "bitsandbytes", "numpy"):
    sys.modules[heavy] = None
from bot.__main__ import main
sys.exit(main())
"""


def remote(address: str) -> RemoteModel:
    return RemoteModel(
        spec=ModelSpec(name=f"openai:{address}#tiny"), options=ServerOptions(probe_every_s=0.02)
    )


async def words_of(engine: StartingEngine) -> str:
    events = [event async for event in engine.stream(request())]
    return "".join(getattr(event, "text", "") for event in events)


def test_addresses_and_model_are_taken_apart() -> None:
    name = parse_remote("openai: http://a:8000/v1/ , https://b/v1,http://a:8000/v1#Qwen/Q-3:8b")
    assert name.addresses == ("http://a:8000/v1", "https://b/v1")
    assert name.model == "Qwen/Q-3:8b"
    assert shown_name("openai:http://a:8000/v1#tiny") == "tiny"
    assert shown_name("pocket") == "pocket"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("openai:", "names no server"),
        ("openai:#tiny", "names no server"),
        ("openai:gpu-1:8000/v1#tiny", "has no address"),
        ("openai:http://#tiny", "has no address"),
        ("openai:http://a:99999999/v1", "has no address"),
        ("openai:http://me:secret@a/v1#tiny", "set MODEL_SERVER_API_KEY instead"),
        ("openai:http://a/v1?key=secret#tiny", "set MODEL_SERVER_API_KEY instead"),
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(name: str, said: str) -> None:
    with pytest.raises(ModelUnavailable, match=said) as refused:
        check_name(name)
    assert "secret" not in str(refused.value)


def test_several_models_may_have_several_servers() -> None:
    settings = Settings.model_validate(
        {"models": "quick=pocket, good=openai:http://a/v1,http://b/v1#m:nf4, fine=o/n:nf4"}
    )
    specs = settings.model_specs
    assert specs["good"].name == "openai:http://a/v1,http://b/v1#m:nf4"
    assert (specs["good"].quantize, specs["fine"].quantize) == ("none", "nf4")
    assert list(specs) == ["quick", "good", "fine"]


async def test_a_server_that_is_not_up_yet_is_waited_for_and_the_load_says_so() -> None:
    async with running_openai(Script(is_up=False)) as server:
        devices = Devices([], remote={"": remote(server.address)}, names=[""])
        async with starting_engine(devices, max_waiting=4) as engine:
            await until(
                lambda: (at := engine.load_progress) is not None and at.phase is Phase.CONNECTING,
                timeout_s=30,
            )
            waiting = asyncio.create_task(words_of(engine))
            await until(lambda: len(server.keys) > 2, timeout_s=30)
            assert engine.model is None
            assert not waiting.done()
            server.script.is_up = True
            assert await waiting == "A red square."


async def test_a_server_that_is_down_keeps_no_other_model_waiting() -> None:
    async with running_openai() as server:
        models = {"here": remote(server.address), "away": remote("http://127.0.0.1:9/v1")}
        devices = Devices([], remote=models, names=["away", "here"])
        async with starting_engine(devices, max_waiting=4) as engine:
            assert engine.names == ("away", "here")
            assert await words_of(engine.of("here")) == "A red square."
            assert engine.model is None


async def test_a_model_that_no_server_has_ends_every_wait() -> None:
    async with running_openai(Script(model="another")) as server:
        devices = Devices([], remote={"": remote(server.address)}, names=[""])
        async with starting_engine(devices, max_waiting=4) as engine:
            with pytest.raises(ModelUnavailable, match="has no model 'tiny'"):
                await engine.loaded()


def configured(address: str) -> Configuration:
    groups = [
        Settings.model_validate({"model": f"openai:{address}#tiny"}),
        ModelServerSettings.model_validate({"api_key": "k"}),
    ]
    return Configuration(groups)


async def test_each_server_gets_its_own_key_and_no_other_servers() -> None:
    async with (
        running_openai(Script(key="one")) as first,
        running_openai(Script(key="other")) as second,
    ):
        settings = ModelServerSettings.model_validate(
            {"api_key": "other", "keys": f" {first.address}/=one , http://127.0.0.1:9/v1=x=y"}
        )
        assert settings.keys_by_address["http://127.0.0.1:9/v1"] == "x=y"
        model = RemoteModel(
            spec=ModelSpec(name=f"openai:{first.address},{second.address}#tiny"),
            options=server_options(settings),
        )
        devices = Devices([], remote={"": model}, names=[""])
        async with starting_engine(devices, max_waiting=4) as engine:
            assert await words_of(engine) == "A red square."
            await until(lambda: bool(second.probed), timeout_s=30)
    assert set(first.keys) == {"Bearer one"}
    assert set(second.keys) == {"Bearer other"}


@pytest.mark.parametrize(
    "keys", ["secret", "gpu-1=secret", "http://a/v1=", "http://a=s,http://a/=t"]
)
def test_what_are_no_keys_of_servers_is_refused_without_repeating_it(keys: str) -> None:
    with pytest.raises(ValueError, match=r"it has the form|two keys") as refused:
        ModelServerSettings.model_validate({"keys": keys})
    assert "secret" not in str(refused.value)


def test_a_key_for_an_address_that_no_model_has_is_refused_and_names_the_address() -> None:
    settings = Settings.model_validate({"model": "openai:http://gpu-1:8000/v1#tiny"})
    servers = ModelServerSettings.model_validate(
        {"api_key": "shared", "keys": "http://gpu-1:8000/v1/=a,http://me:pass@gpu-l:8000/v1=secret"}
    )
    with pytest.raises(ConfigurationError, match="no model is at http://gpu-l:8000/v1:") as refused:
        devices_of(settings, servers, quiet=True)
    assert "secret" not in str(refused.value)
    assert "pass" not in str(refused.value)
    (finding,) = model(Configuration([settings, servers]))
    assert "http://gpu-l:8000/v1" in finding.fix
    local = Settings.model_validate({"model": "pocket"})  # no key is sent anywhere
    devices_of(local, servers, quiet=True)


async def test_doctor_asks_the_servers_and_nothing_else() -> None:
    async with running_openai(Script(key="k")) as server:
        both = configured(f"{server.address},http://127.0.0.1:9/v1")
        served, down = await asyncio.to_thread(model, both)
        [alone] = await asyncio.to_thread(model, configured("http://127.0.0.1:9/v1"))
        server.script.key = "another"
        [refused] = await asyncio.to_thread(model, configured(server.address))
    assert served.what.startswith("the model tiny is served by vLLM at http://127.0.0.1:")
    assert served.is_well
    assert down.status == "warning"
    assert alone.status == "wrong"
    assert "refuses the key: set MODEL_SERVER_API_KEY" in refused.fix
    assert are_here(both.bot)


def test_nothing_is_loaded_where_a_server_runs_the_model() -> None:
    settings = configured("http://127.0.0.1:9/v1")
    with devices_of(settings.bot, settings.of(ModelServerSettings), quiet=True) as devices:
        assert devices.all_threads == []


@pytest.mark.heavy
async def test_without_torch_a_question_at_the_terminal_is_answered_by_a_server(
    tmp_path: Path,
) -> None:
    picture = tmp_path / "square.png"
    picture.write_bytes(plain_picture().data)
    async with running_openai() as server:
        asking = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", WITHOUT_TORCH, "ask", picture, "What is this?"),
            *("--data-dir", tmp_path / "data", "--model", f"openai:{server.address}#tiny"),
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=PIPE,
            stderr=PIPE,
        )
        async with asyncio.timeout(100):
            out, err = await asking.communicate()
    assert asking.returncode == 0, err.decode()
    assert out.decode().strip() == "A red square."
    assert len(server.asked) == 1
