"""Asks a bot that runs: in its own folder, or else at the ports that the settings name.

No password is ever sent: something else may listen at the playground's port.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from bot.configuration import Configuration
from bot.doctor.ports import runs
from bot.monitoring.metrics import PREFIX
from bot.monitoring.settings import MonitoringSettings
from bot.platforms.terminal.running import running_bot
from bot.platforms.web.settings import PlaygroundSettings
from bot.private_files import STATUS

WAIT_S = 10.0
SUMS = {
    "requests_running": "num_requests_running",
    "requests_waiting": "num_requests_waiting",
    "gpu_memory_used_bytes": "gpu_memory_used_bytes",
    "gpu_memory_total_bytes": "gpu_memory_total_bytes",
}
"""What is added up over models and devices: its key here, and the metric."""


def ask(configuration: Configuration) -> dict[str, Any]:
    """Return what the bot says of itself, as `--json` prints it; keys are only ever added.

    `running` is whether there is one, `ready` whether it answers, and `source` who said so:
    `folder`, `monitoring`, `playground`, or `lock` where a bot runs and says no more.
    """
    in_folder = _InFolder(configuration.bot.data_dir / STATUS)
    if (found := _health(in_folder)) is not None:
        return {"running": True, "source": "folder", **found}
    monitoring = configuration.of(MonitoringSettings)
    if monitoring.port:
        at_port = http.client.HTTPConnection(monitoring.host, monitoring.port, timeout=WAIT_S)
        if (found := _health(at_port)) is not None:
            return {"running": True, "source": "monitoring", **found}
    page = configuration.of(PlaygroundSettings)
    if (found := _playground(page)) is not None:
        return {"running": True, "source": "playground", **found}
    held = runs(configuration) or running_bot(page.host, page.port) is not None
    return {"running": held, "ready": False, "source": "lock" if held else None}


class _InFolder(http.client.HTTPConnection):
    """To the socket that the bot makes in its folder."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=WAIT_S)
        self._path = path

    def connect(self) -> None:
        """Raises: OSError: no bot runs there, or it is another user's."""
        if not hasattr(socket, "AF_UNIX"):
            raise OSError("this system has no such sockets")
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _health(bot: http.client.HTTPConnection) -> dict[str, Any] | None:
    try:
        said = json.loads(_get(bot, "/readyz"))
        measured = _measured(_get(bot, "/metrics").decode("utf-8"))
    except (OSError, http.client.HTTPException, ValueError):
        return None
    if not isinstance(said, dict) or "ready" not in said:
        return None  # something else listens there
    return {**said, **measured}


def _measured(exposition: str) -> dict[str, Any]:
    sums: dict[str, float] = {}
    models: list[dict[str, str]] = []
    keys = {f"{PREFIX}{metric}": key for key, metric in SUMS.items()}
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            if (key := keys.get(sample.name)) is not None:
                sums[key] = sums.get(key, 0) + sample.value
            elif sample.name == f"{PREFIX}model_load_seconds":
                models.append({name: sample.labels.get(name, "") for name in ("model", "device")})
    return {**{key: int(value) for key, value in sums.items()}, "models": models}


def _playground(settings: PlaygroundSettings) -> dict[str, Any] | None:
    page = http.client.HTTPConnection(settings.host, settings.port, timeout=WAIT_S)
    try:
        said = json.loads(_get(page, "/api/info"))
        model = said["model"]
        ready = said["state"] == "ready"
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    name = model.get("name") if isinstance(model, Mapping) else None
    device = model.get("device") if isinstance(model, Mapping) else None
    return {
        "ready": ready,
        "model": "loaded" if ready else "loading",
        "models": [{"model": str(name), "device": str(device or "")}] if name else [],
    }


def _get(connection: http.client.HTTPConnection, path: str) -> bytes:
    """Raises: OSError, HTTPException."""
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()
