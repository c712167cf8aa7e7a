"""The model hub: asked once, and downloads that report."""

from __future__ import annotations

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from inference.backends.hub import _bar_class, check_reachable, download
from inference.progress import LoadCancelled, LoadProgress, Phase
from inference.serving.load_state import LoadState


class Noted:
    """Implements `Progress`."""

    def __init__(self) -> None:
        self.reports: list[LoadProgress] = []

    def report(self, progress: LoadProgress) -> None:
        self.reports.append(progress)

    def say(self, line: str) -> None: ...


def test_only_the_bar_of_bytes_reports() -> None:
    progress = Noted()
    bar_class = _bar_class(progress, "some/model")
    with (
        bar_class(total=2, desc="Fetching 2 files") as files,
        bar_class(total=0, desc="Reconstructing (incomplete total...)", unit="B") as size,
    ):
        files.update()
        size.total += 100  # as the hub's library adds up its files
        size.update(40)  # here from an earlier try
        size.update(10)
    assert [(it.phase, it.what) for it in progress.reports] == 2 * [
        (Phase.DOWNLOADING, "some/model")
    ]
    assert [(it.done_bytes, it.total_bytes) for it in progress.reports] == [(40, 100), (50, 100)]


def test_a_cancelled_load_ends_a_download_and_any_other_failure_is_left_to_the_loader(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = LoadState()

    def snapshot(_repo: str, *, tqdm_class: type, **_: object) -> None:
        tqdm_class(total=10, unit="B", desc="x").update(5)
        raise OSError("the network is gone")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    download("some/model", ["a"], {}, state, name="some/model")
    assert state.latest.done_bytes == 5
    state.cancel()
    with pytest.raises(LoadCancelled):
        download("some/model", ["a"], {}, state, name="some/model")


def test_a_hub_that_cannot_be_reached_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def unreachable(url: str, **_: object) -> None:
        asked.append(url)
        raise ConnectionRefusedError

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", unreachable)
    with pytest.raises(LocalEntryNotFoundError):
        check_reachable("nobody/has-this-model", {})
    (url,) = asked
    assert url.endswith("nobody/has-this-model/resolve/main/config.json")
