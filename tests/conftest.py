"""Fixtures every test may use. See tests/README.md."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx
from filelock import FileLock

from bot import texts

ROOT = Path(__file__).parents[1]

# Before transformers is imported anywhere: the tests never ask a hub.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# The models are tiny and several tests run at once: more threads only get in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True, scope="session")
def catalogues() -> None:
    """The bot reads its sentences before its first question; so do the tests."""
    texts.load()


@pytest.fixture(autouse=True, scope="session")
def new_databases_are_migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Each test has a store of its own, and the migrations would be half of its start."""
    from tests.migrated import migrating_once

    with migrating_once(tmp_path_factory.mktemp("migrated")):
        yield


@pytest.fixture(autouse=True)
def files_are_as_private_as_before() -> Iterator[None]:
    """A command that a test runs in its own process keeps all files of that private."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture(autouse=True)
def nothing_of_ours_blocks_the_loop() -> Iterator[None]:
    """A file, a lock or a sleep that our code waits for on a loop's thread fails the test."""
    with blockbuster_ctx(scanned_modules=["bot", "inference"]) as blocked:
        for function in blocked.functions.values():
            # The store's loops for PostgreSQL are its own: nobody else waits for them.
            function.can_block_in("asyncpg/connect_utils.py", "_parse_connect_dsn_and_args")
            function.can_block_in("bot/store/database/migrating.py", "upgrade")
        yield


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of a tiny random checkpoint of the named family, built once for all processes."""
    from tests.tiny_models import TINY_MODELS

    own = tmp_path_factory.getbasetemp()
    root = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "tiny_models"
    root.mkdir(exist_ok=True)

    def build(family: str) -> Path:
        folder = root / family.replace(".", "_")
        with FileLock(f"{folder}.lock"):
            if not folder.exists():
                unfinished = Path(tempfile.mkdtemp(dir=root))
                TINY_MODELS[family](unfinished)
                unfinished.rename(folder)
        return folder

    return build


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whichever test comes first puts the pocket model together, and others wait for it."""
    for item in items:
        if "pocket_data_dir" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def pocket_data_dir() -> Path:
    """A data directory where the pocket model is put together once and kept between runs."""
    from inference.pocket.fetch import ensure_pocket
    from inference.progress import StreamProgress

    folder = ROOT / ".cache"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "pocket.lock"):  # several processes run the tests
        ensure_pocket(folder / "models", progress=StreamProgress(sys.stderr))
    return folder
