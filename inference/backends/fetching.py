"""Fetches a model without loading it."""

from __future__ import annotations

import logging
from pathlib import Path

import huggingface_hub

from inference.backends.checkpoint import weight_files
from inference.backends.hub import check_reachable, download
from inference.backends.load_errors import one_sentence
from inference.errors import ModelUnavailable
from inference.names import POCKET, check_name, is_folder, is_remote, resolve_name
from inference.pocket.fetch import PocketUnavailable, ensure_pocket
from inference.progress import Progress
from inference.types import ModelSpec

SMALL_FILES = ("*.json", "*.jinja", "*.model", "*.txt")
"""Configuration and tokenizer, beside the weights."""


def fetch(spec: ModelSpec, *, cache_dir: Path, progress: Progress) -> None:
    """Bring everything here that a load will need; what is here already is not fetched again.

    A download that breaks off is resumed by the next one.

    Args:
        spec: the model.
        cache_dir: for the pocket model.
        progress: receives the reports.

    Raises:
        ModelUnavailable: its message is one sentence for the operator.
    """
    check_name(spec.name)
    huggingface_hub.logging.set_verbosity(logging.CRITICAL)  # `one_sentence` reports errors
    path = resolve_name(spec.name)
    if is_remote(path) or is_folder(path):
        return
    if path == POCKET:
        try:
            ensure_pocket(cache_dir, progress=progress)
        except PocketUnavailable as exc:
            raise ModelUnavailable(str(exc)) from None
        return
    options = {
        name: value
        for name, value in (("revision", spec.revision), ("token", spec.token))
        if value is not None
    }
    with one_sentence(spec):
        check_reachable(path, options)
        download(path, SMALL_FILES, options, progress, name=spec.name)
        weight_files(path, options, name=spec.name, progress=progress)
