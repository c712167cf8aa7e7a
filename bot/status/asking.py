"""Asks a bot that runs: its health checks where they are switched on, or else its playground."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Mapping
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from bot.configuration import Configuration
from bot.doctor.ports import runs
from bot.monitoring.metrics import PREFIX
from bot.monitoring.settings import MonitoringSettings
from bot.platforms.web.settings import PlaygroundSettings
from bot.settings import revealed

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
    `monitoring`, `playground`, or `lock` where a bot holds the folder and is not reached.
    """
    monitoring = configuration.of(MonitoringSettings)
    if monitoring.port and (found := _health(monitoring.host, monitoring.port)) is not None:
        return {"running": True, "source": "monitoring", **found}
    if (found := _playground(configuration.of(PlaygroundSettings))) is not None:
        return {"running": True, "source": "playground", **found}
    held = runs(configuration)
    return {"running": held, "ready": False, "source": "lock" if held else None}


def _health(host: str, port: int) -> dict[str, Any] | None:
    try:
        said = json.loads(_get(host, port, "/readyz"))
        measured = _measured(_get(host, port, "/metrics").decode("utf-8"))
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
    headers = {}
    if (password := revealed(settings.password)) is not None:
        given = base64.b64encode(f"status:{password}".encode()).decode("ascii")
        headers["Authorization"] = f"Basic {given}"
    try:
        said = json.loads(_get(settings.host, settings.port, "/api/info", headers))
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


def _get(host: str, port: int, path: str, headers: Mapping[str, str] | None = None) -> bytes:
    """Raises: OSError, HTTPException."""
    connection = http.client.HTTPConnection(host, port, timeout=WAIT_S)
    try:
        connection.request("GET", path, headers=dict(headers or {}))
        return connection.getresponse().read()
    finally:
        connection.close()
