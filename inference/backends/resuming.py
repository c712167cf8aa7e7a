"""Downloads large files of the model hub so that a later process goes on where one stopped.

The hub's own library resumes within a call. What a call has of a file when it ends is removed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import huggingface_hub
from filelock import FileLock, Timeout
from huggingface_hub.file_download import http_get, repo_folder_name
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined] # not in its stub

TIMEOUT_S = 10.0
LEAST_BYTES, MOST_BYTES = 1_000_000, 50_000_000_000
"""Smaller and larger files are left to the hub's library; it gets the latter in other ways."""
_SHA256 = re.compile(r"[0-9a-f]{64}")

BarOf = Callable[[int, int], type[Any]]
"""Makes a class of progress bars for one file: the bytes of those before it, of all together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A file that is to be downloaded."""

    address: str
    headers: dict[str, str]
    blob: Path
    """Where the hub's library looks for it."""
    num_bytes: int

    @property
    def partial(self) -> Path:
        """What has come so far."""
        return self.blob.with_name(f"{self.blob.name}.llava-bot-partial")


def fetch_resuming(repo: str, names: Sequence[str], options: dict[str, Any], bar_of: BarOf) -> None:
    """Put large files into the hub's cache, as its library would. Blocking.

    Args:
        repo: a name on the hub.
        names: files of it; small ones and those that are here are passed over.
        options: arguments of `from_pretrained`: revision, token.
        bar_of: makes progress bars.

    Raises:
        OSError: the hub refuses, or the disk is full.
        Exception: the HTTP client's own, when a connection breaks for good.
    """
    files = [file for name in names if (file := _missing(repo, name, options)) is not None]
    total, before = sum(file.num_bytes for file in files), 0
    for file in files:
        file.blob.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(f"{file.partial}.lock", blocking=False):
                _fetch(file, bar_of(before, total))
        except Timeout:
            return  # another process has it in hand: the library will wait for it, or fetch it
        Path(f"{file.partial}.lock").unlink(missing_ok=True)
        before += file.num_bytes


def _missing(repo: str, name: str, options: dict[str, Any]) -> _File | None:
    revision, token = options.get("revision"), options.get("token")
    if huggingface_hub.constants.HF_HUB_OFFLINE:
        return None
    if isinstance(huggingface_hub.try_to_load_from_cache(repo, name, revision=revision), str):
        return None
    url = huggingface_hub.hf_hub_url(repo, name, revision=revision)
    found = huggingface_hub.get_hf_file_metadata(url, token=token, timeout=TIMEOUT_S)
    if found.etag is None or not LEAST_BYTES <= (found.size or 0) <= MOST_BYTES:
        return None
    folder = Path(huggingface_hub.constants.HF_HUB_CACHE)
    blob = folder / repo_folder_name(repo_id=repo, repo_type="model") / "blobs" / found.etag
    if blob.exists():
        return None
    # A token is for the hub, not for the store that it leads to.
    is_the_hub = urlsplit(found.location).netloc == urlsplit(url).netloc
    headers = build_hf_headers(token=token if is_the_hub else False)
    return _File(address=found.location, headers=headers, blob=blob, num_bytes=found.size or 0)


def _fetch(file: _File, bar: type[Any]) -> None:
    with file.partial.open("ab") as partial:
        if partial.tell() > file.num_bytes:
            partial.truncate(0)
        if (done := partial.tell()) < file.num_bytes:
            http_get(
                file.address,
                partial,
                resume_size=done,
                headers=file.headers,
                expected_size=file.num_bytes,
                tqdm_class=bar,
            )
    if _SHA256.fullmatch(file.blob.name) and _sha256_of(file.partial) != file.blob.name:
        file.partial.unlink()
        raise OSError("a file differs from what the hub has announced")
    file.partial.replace(file.blob)


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
