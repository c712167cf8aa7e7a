"""What the bot listens on: the playground, health checks, the API, Slack's HTTP mode."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

from bot.configuration import Configuration
from bot.doctor.ports import can_listen
from bot.monitoring.settings import MonitoringSettings
from bot.platforms.api.settings import ApiSettings
from bot.platforms.findings import Finding
from bot.platforms.slack.settings import SlackSettings
from bot.platforms.web.settings import PlaygroundSettings, is_loopback

ANY_ADDRESS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, not listened on


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Something of the bot's that listens, if it is switched on."""

    what: str
    """As a sentence calls it."""
    host: str
    port: int | None
    prefix: str
    """Of its settings' names."""

    def found(self, configuration: Configuration) -> list[Finding]:
        """Try it. Returns: nothing where it is switched off."""
        if self.port is None:
            return []
        return [
            can_listen(
                self.what, self.host, self.port, settings=self.prefix, configuration=configuration
            )
        ]

    def is_where(self, other: Listener) -> bool:
        """Whether both cannot listen at once."""
        if not self.port or self.port != other.port:
            return False
        return self.host == other.host or not ANY_ADDRESS.isdisjoint({self.host, other.host})


def playground(configuration: Configuration) -> list[Finding]:
    """Its address and port, and who can reach it."""
    listener = _playground(configuration)
    reach = "for this machine only" if is_loopback(listener.host) else "for others, with a password"
    return [
        replace(found, what=f"{found.what} ({reach})") if found.is_well else found
        for found in listener.found(configuration)
    ]


def monitoring(configuration: Configuration) -> list[Finding]:
    """Health checks and metrics, where they are switched on."""
    return _monitoring(configuration).found(configuration)


def api(configuration: Configuration) -> list[Finding]:
    """The OpenAI-compatible API, where it is switched on."""
    return _api(configuration).found(configuration)


def slack_http(configuration: Configuration) -> list[Finding]:
    """Slack's HTTP mode, where Socket Mode is not used."""
    return _slack_http(configuration).found(configuration)


def same_ports(configuration: Configuration) -> list[Finding]:
    """Two that are to listen on one port: each can alone, and a start would fail."""
    listeners = [one(configuration) for one in (_playground, _monitoring, _api, _slack_http)]
    return [
        Finding(
            f"{one.what} and {other.what} are both set to port {one.port}",
            f"set {other.prefix}PORT to another.",
        )
        for one, other in combinations(listeners, 2)
        if one.is_where(other)
    ]


def _playground(configuration: Configuration) -> Listener:
    it = configuration.of(PlaygroundSettings)
    return Listener(what="the playground", host=it.host, port=it.port, prefix=it.prefix)


def _monitoring(configuration: Configuration) -> Listener:
    it = configuration.of(MonitoringSettings)
    return Listener(what="monitoring", host=it.host, port=it.port, prefix=it.prefix)


def _api(configuration: Configuration) -> Listener:
    it = configuration.of(ApiSettings)
    return Listener(what="the API", host=it.host, port=it.port, prefix=it.prefix)


def _slack_http(configuration: Configuration) -> Listener:
    it = configuration.of(SlackSettings)
    is_used = it.is_set_up and (it.client_id or not it.app_token)
    return Listener(
        what="Slack's HTTP mode",
        host=it.http_host,
        port=it.http_port if is_used else None,
        prefix=f"{it.prefix}HTTP_",
    )
