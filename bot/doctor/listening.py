"""What the bot listens on: the playground, health checks, the API, Slack's HTTP mode."""

from __future__ import annotations

from dataclasses import replace

from bot.configuration import Configuration
from bot.doctor.ports import can_listen
from bot.monitoring.settings import MonitoringSettings
from bot.platforms.api.settings import ApiSettings
from bot.platforms.findings import Finding
from bot.platforms.slack.settings import SlackSettings
from bot.platforms.web.settings import PlaygroundSettings, is_loopback


def playground(configuration: Configuration) -> list[Finding]:
    """Its address and port, and who can reach it."""
    settings = configuration.of(PlaygroundSettings)
    found = can_listen(
        "the playground",
        settings.host,
        settings.port,
        settings=settings.prefix,
        configuration=configuration,
    )
    reach = "for this machine only" if is_loopback(settings.host) else "for others, with a password"
    return [replace(found, what=f"{found.what} ({reach})") if found.is_well else found]


def monitoring(configuration: Configuration) -> list[Finding]:
    """Health checks and metrics, where they are switched on."""
    settings = configuration.of(MonitoringSettings)
    if settings.port is None:
        return []
    return [
        can_listen(
            "monitoring",
            settings.host,
            settings.port,
            settings=settings.prefix,
            configuration=configuration,
        )
    ]


def api(configuration: Configuration) -> list[Finding]:
    """The OpenAI-compatible API, where it is switched on."""
    settings = configuration.of(ApiSettings)
    if settings.port is None:
        return []
    return [
        can_listen(
            "the API",
            settings.host,
            settings.port,
            settings=settings.prefix,
            configuration=configuration,
        )
    ]


def slack_http(configuration: Configuration) -> list[Finding]:
    """Slack's HTTP mode, where Socket Mode is not used."""
    settings = configuration.of(SlackSettings)
    if not settings.is_set_up or (settings.app_token and not settings.client_id):
        return []
    return [
        can_listen(
            "Slack's HTTP mode",
            settings.http_host,
            settings.http_port,
            settings=f"{settings.prefix}HTTP_",
            configuration=configuration,
        )
    ]
