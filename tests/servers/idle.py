"""Connections that a client keeps for its next call."""

from __future__ import annotations

from aiohttp import web


def close_idle(runner: web.AppRunner) -> None:
    """Close those over which nothing is being said, as a server does after a while."""
    assert runner.server is not None
    for connection in runner.server.connections:
        connection.close()
