"""Where Slack's own reference lies: a folder that is no part of this project (tests/README.md)."""

from __future__ import annotations

import os
from pathlib import Path

NOT_AT_HAND = (
    "Slack's reference is not at hand. With it (slack-methods/*.json, slack-manifest.schema.json): "
    "SLACK_REFERENCE=FOLDER python -m pytest tests/servers/slack "
    "tests/scenario/slack/test_setting_up.py"
)


def _folder() -> Path | None:
    named = os.environ.get("SLACK_REFERENCE")
    return Path(named) if named else None


REFERENCE = _folder()
