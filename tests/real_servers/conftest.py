"""Two servers of each program for all tests of the folder that want them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.llama_cpp.server import LlamaCppServer
from tests.real_servers.process import START_S, ServerProcess
from tests.vllm.server import VllmServer

PROGRAMS: dict[str, type[ServerProcess]] = {"vllm": VllmServer, "llama_cpp": LlamaCppServer}
"""By the marker of their tests."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Their start takes minutes on a busy machine."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(900))


def _model_for(program: type[ServerProcess], folder: Path) -> Path:
    if program is VllmServer:
        from tests.vllm.model import vllm_llava

        return vllm_llava(folder)
    python, writer = program.folder / "bin" / "python", Path(__file__).parents[1] / "llama_cpp"
    subprocess.run([python, writer / "model.py", folder], check=True, timeout=120)
    return folder


@pytest.fixture(
    scope="session",
    params=[pytest.param(name, marks=getattr(pytest.mark, name)) for name in PROGRAMS],
)
def servers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[ServerProcess]]:
    """Both started, and killed at the end. The last test kills one of them before."""
    program = PROGRAMS[request.param]
    if not (program.folder / ".installed").exists():
        pytest.skip(f"{program.program} is not installed: {program.how} does it")
    model = _model_for(program, tmp_path_factory.mktemp(f"{request.param}_model"))
    logs = tmp_path_factory.mktemp(request.param)
    started = [program(model, logs / f"{number}.log") for number in range(2)]
    try:
        for server in started:
            server.start()
        for server in started:
            try:
                server.wait()
            except TimeoutError:
                pytest.skip(f"{program.program} was not up after {START_S} s: the machine is busy")
        yield started
    finally:
        for server in started:
            server.kill()


@pytest.fixture
def server(servers: list[ServerProcess]) -> ServerProcess:
    """One of them."""
    return servers[0]
