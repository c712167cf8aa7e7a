"""Where Chromium is, and how it is started."""

from __future__ import annotations

import shutil

# Chromium contacts its makers' hosts unless these are off; tests talk to nobody else.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str:
    """The path of an installed Chromium."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = next((path for name in names if (path := shutil.which(name))), None)
    assert found, "Chromium is missing: run `make browser`"
    return found
