"""The model hub: asked once before a load, and downloads that say how far they are."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import partial
from typing import Any

import huggingface_hub
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from tqdm.auto import tqdm

from inference.backends.resuming import fetch_resuming
from inference.errors import ModelUnavailable
from inference.progress import LoadProgress, Phase, Progress

TIMEOUT_S = 10.0
"""How long the first request may wait for the hub."""

_CONFIG = "config.json"
_COUNTED_TWICE = "Downloading bytes"
"""The bar of what comes over the network, beside the one of what is written to the disk."""


def check_reachable(repo: str, options: dict[str, Any]) -> None:
    """Ask for a model that is not in the download cache, once.

    The libraries that load it ask for many files, and for each of them many times.

    Args:
        repo: a name on the hub.
        options: arguments of `from_pretrained`: revision, token.

    Raises:
        OSError: it does not exist, or the hub cannot be reached.
    """
    revision = options.get("revision")
    cached = huggingface_hub.try_to_load_from_cache(repo, _CONFIG, revision=revision)
    if huggingface_hub.constants.HF_HUB_OFFLINE or isinstance(cached, str):
        return
    url = huggingface_hub.hf_hub_url(repo, _CONFIG, revision=revision)
    try:
        huggingface_hub.get_hf_file_metadata(url, token=options.get("token"), timeout=TIMEOUT_S)
    except (HfHubHTTPError, ModelUnavailable):
        raise
    except Exception as exc:  # noqa: BLE001 - each HTTP client has its own errors
        raise LocalEntryNotFoundError(f"the hub cannot be reached ({type(exc).__name__})") from None


def download(
    repo: str, files: Sequence[str], options: dict[str, Any], progress: Progress, *, name: str
) -> None:
    """Download files that are not in the cache yet; a broken download is resumed.

    What else fails here fails again, and is explained, where the files are opened.

    Raises:
        LoadCancelled.
        ModelUnavailable: the connection broke, and several times again.
    """
    exact = [file for file in files if "*" not in file]
    try:
        fetch_resuming(repo, exact, options, partial(_bar_class, progress, name))
        huggingface_hub.snapshot_download(
            repo,
            allow_patterns=list(files),
            tqdm_class=_bar_class(progress, name),
            **options,
        )
    except ModelUnavailable:  # LoadCancelled is one
        raise
    except OSError:  # a file that does not exist, the hub's other refusals, a full disk
        return
    except Exception as exc:  # noqa: BLE001 - each HTTP client has its own errors
        raise ModelUnavailable(
            f"The download of the model '{name}' broke off ({type(exc).__name__}): "
            "start again, and it goes on where it stopped."
        ) from None


def _bar_class(
    progress: Progress, what: str, before_bytes: int = 0, total_bytes: int | None = None
) -> type[Any]:
    """A progress bar that draws nothing and reports its bytes, as a part of a total if it is one.

    `before_bytes`: of what came before it.
    """

    class Bar(tqdm):  # type: ignore[misc]
        monitor_interval = 0

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "file": io.StringIO(), "mininterval": 3600})
            self._reports = self.unit == "B" and kwargs.get("desc") != _COUNTED_TWICE

        def update(self, n: float | None = 1) -> bool | None:
            updated: bool | None = super().update(n)
            if self._reports and self.total:
                progress.report(
                    LoadProgress(
                        phase=Phase.DOWNLOADING,
                        what=what,
                        done_bytes=before_bytes + int(self.n),
                        total_bytes=total_bytes or int(self.total),
                    )
                )
            return updated

    return Bar
