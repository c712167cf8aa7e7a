"""A failure to listen names the setting that is wrong, on every platform that listens."""

from __future__ import annotations

import errno
import socket

import pytest
from slack_bolt.async_app import AsyncApp

from bot.platforms.listening import cannot_listen
from bot.platforms.platform import PlatformUnavailable
from bot.platforms.slack.http import HttpServer


@pytest.mark.parametrize(
    ("failure", "remedy"),
    [
        (OSError(errno.EADDRINUSE, "in use"), "set X_PORT to a free port."),
        (OSError(errno.EACCES, "denied"), "set X_PORT to a port that this user may open, from "),
        (OSError(errno.EADDRNOTAVAIL, "not here"), "set X_HOST to an address of this machine."),
        (socket.gaierror(socket.EAI_NONAME, "unknown"), "set X_HOST to an address of this machine"),
    ],
)
def test_each_failure_has_its_remedy(failure: OSError, remedy: str) -> None:
    sentence = str(cannot_listen("It", "h", 80, failure, settings="X_"))
    assert sentence.startswith(f"It cannot listen on h:80 ({failure.strerror}): {remedy}")


@pytest.mark.parametrize(
    ("host", "remedy"),
    [("127.0.0.1", "SLACK_HTTP_PORT to a free port"), ("192.0.2.1", "SLACK_HTTP_HOST to an")],
)
async def test_slacks_http_mode_names_the_setting_that_is_wrong(host: str, remedy: str) -> None:
    app = AsyncApp(signing_secret="x", token="xoxb-1")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = HttpServer(app, host=host, port=port, signing_secret="x", oauth=None)
        with pytest.raises(PlatformUnavailable, match=f"set {remedy}"):
            await server.open()
        await server.close()
