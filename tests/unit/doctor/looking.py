"""What the doctor's tests look at, and how."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bot.configuration import Configuration
from bot.monitoring.settings import MonitoringSettings
from bot.platforms.api.settings import ApiSettings
from bot.platforms.discord.settings import DiscordSettings
from bot.platforms.findings import Finding, Status
from bot.platforms.slack.settings import SlackSettings
from bot.platforms.web.settings import PlaygroundSettings
from bot.settings import Settings

GB = 1_000_000_000


def configured(
    tmp_path: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    slack: dict[str, str] | None = None,
    monitoring: dict[str, Any] | None = None,
    api: dict[str, Any] | None = None,
    unknown: Sequence[str] = (),
    problems: Sequence[str] = (),
    **settings: Any,
) -> Configuration:
    groups = [
        Settings.model_validate({"data_dir": tmp_path, **settings}),
        PlaygroundSettings.model_validate({"host": host, "port": port, "password": "a password"}),
        SlackSettings.model_validate(slack or {}),
        DiscordSettings.model_validate({}),
        MonitoringSettings.model_validate(monitoring or {}),
        ApiSettings.model_validate(api or {}),
    ]
    return Configuration(groups, unknown=unknown, problems=problems)


def the(findings: Sequence[Finding]) -> Finding:
    (finding,) = findings
    return finding


def of_status(findings: Sequence[Finding], status: Status) -> str:
    return "\n".join(str(finding) for finding in findings if finding.status is status)
