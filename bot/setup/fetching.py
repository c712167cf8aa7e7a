"""Fetches the models that the settings name, with a line that says how far it is."""

from __future__ import annotations

import contextlib
import sys

from bot.private_files import make_folder
from bot.settings import Settings
from inference.progress import StreamProgress


def fetch_models(settings: Settings) -> None:
    """Bring every model here. Raises: ModelUnavailable: one sentence."""
    from inference.backends.fetching import fetch

    with contextlib.suppress(OSError):  # the download says what is wrong
        make_folder(settings.data_dir)
    progress = StreamProgress(sys.stderr)
    try:
        for spec in settings.model_specs.values():
            fetch(spec, cache_dir=settings.data_dir / "models", progress=progress)
    finally:
        progress.clear()
