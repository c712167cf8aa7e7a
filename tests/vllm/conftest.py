"""Two vLLM servers for all tests of the folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vllm.server import FOLDER, VllmServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies here: `make test` leaves it out."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.vllm)
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def vllm_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.vllm.model import vllm_llava

    return vllm_llava(tmp_path_factory.mktemp("vllm_model"))


@pytest.fixture(scope="session")
def servers(
    vllm_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[VllmServer]]:
    """Both started, and killed at the end. The last test kills one of them before."""
    if not (FOLDER / ".installed").exists():
        pytest.skip("tests/vllm/install.sh has not been run: make test-vllm does it")
    folder = tmp_path_factory.mktemp("vllm")
    started = [VllmServer(vllm_model, folder / f"{number}.log") for number in range(2)]
    try:
        for server in started:
            server.start()
        for server in started:
            server.wait()
        yield started
    finally:
        for server in started:
            server.kill()


@pytest.fixture
def server(servers: list[VllmServer]) -> VllmServer:
    """One of them."""
    return servers[0]
