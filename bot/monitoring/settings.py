"""The settings of health checks and metrics."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from bot.settings import SettingsGroup


class MonitoringSettings(SettingsGroup):
    """The variables that begin with `MONITORING_`."""

    prefix: ClassVar[str] = "MONITORING_"

    port: int | None = Field(
        None,
        ge=0,
        le=65535,
        examples=["9464"],
        description="Port of `/healthz`, `/readyz` and `/metrics`; without it there are none.",
    )
    host: str = Field(
        "127.0.0.1",
        examples=["10.0.0.5"],
        description="Address that health checks and metrics listen on; they have no password and "
        "hold nobody's words.",
    )
