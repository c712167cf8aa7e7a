"""The servers of a model: which one a thread belongs to, and which of them are well."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Sequence

from inference.errors import ServerFailed, Trouble
from inference.remote.options import ServerOptions
from inference.remote.server import Server

log = logging.getLogger(__name__)


class Servers:
    """At least one. Those that failed are asked again until they answer."""

    def __init__(
        self, servers: Sequence[Server], options: ServerOptions, *, on_change: Callable[[], None]
    ) -> None:
        """`on_change`: called when one has failed or is back."""
        self._servers = list(servers)
        self._options = options
        self._on_change = on_change
        self.model = ""
        """What a server must have to be well again; any, while it is not known."""

    @property
    def all(self) -> list[Server]:
        """Every one, as they were given."""
        return list(self._servers)

    @property
    def well(self) -> list[Server]:
        """Those that have answered lately, or have not been asked."""
        return [server for server in self._servers if server.is_well]

    @property
    def capacity(self) -> int:
        """Requests that may run: where all have failed, one after the other tries its luck."""
        return self._options.at_once * max(len(self.well), 1)

    @property
    def context_tokens(self) -> int | None:
        """The shortest context that one of them has; `None`: none has said."""
        served = [server.served for server in self._servers if server.served is not None]
        contexts = [one.context_tokens for one in served if one.context_tokens is not None]
        return min(contexts, default=None)

    def candidates(self, thread: str) -> list[Server]:
        """Where a request may run, the best first.

        A thread stays on one server as long as that is well and has room: its prefix cache is
        there. Rendezvous hashing: when a server goes, only its threads move, and they come back.
        """
        return sorted(
            self._servers,
            key=lambda server: (
                not server.is_well,
                server.num_running >= self._options.at_once,
                -_weight(thread, server.address) if thread else server.num_running,
            ),
        )

    def failed(self, server: Server, why: ServerFailed) -> None:
        """Note that a server has failed: the others come first until it answers again."""
        # An error of its own may be this request's fault alone.
        if why.trouble is not Trouble.BROKEN:
            self.is_away(server, why)

    def is_away(self, server: Server, why: ServerFailed) -> None:
        """Note that a server gives no answers, whatever was asked."""
        if server.is_well:
            server.is_well = False
            log.warning(
                "the model's server at %s: %s; it is asked again every %g s",
                server.address,
                why,
                self._options.probe_every_s,
            )
            self._on_change()

    def answered(self, server: Server) -> None:
        """Note that a server works."""
        if not server.is_well:
            server.is_well = True
            log.info("the model's server at %s is back", server.address)
            self._on_change()

    async def watch(self) -> None:
        """Ask those that failed whether they are back, for ever."""
        while True:
            await asyncio.sleep(self._options.probe_every_s)
            ill = [server for server in self._servers if not server.is_well]
            await asyncio.gather(*map(self._probe, ill))

    async def _probe(self, server: Server) -> None:
        try:
            models = await server.models()
        except ServerFailed:
            return
        if models is None:  # it answers, and that is all that can be asked
            self.answered(server)
            return
        served = next((one for one in models if one.id == self.model), None)
        if served is not None:
            server.served = served
        if served is not None or not self.model:
            self.answered(server)


def _weight(thread: str, address: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{address}\0{thread}".encode()).digest()[:8])
