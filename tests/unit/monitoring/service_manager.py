"""What systemd does for a service of `Type=notify`: it hears what the service says."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Self


class ListeningManager:
    """A real datagram socket, as `NOTIFY_SOCKET` names it."""

    def __init__(self, address: Path | str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.address = str(address)
        self._socket.bind(self.address.replace("@", "\0", 1))
        self._socket.setblocking(False)
        self._heard: list[dict[str, str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    @property
    def heard(self) -> list[dict[str, str]]:
        """Every message so far."""
        while True:
            try:
                message = self._socket.recv(4096).decode()
            except BlockingIOError:
                return self._heard
            self._heard.append(dict(line.split("=", 1) for line in message.split("\n")))

    def heard_of(self, name: str) -> list[str]:
        """The values of one state, in order."""
        return [message[name] for message in self.heard if name in message]
