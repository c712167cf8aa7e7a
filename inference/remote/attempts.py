"""Which server a request is sent to next, and when it is given up."""

from __future__ import annotations

from inference.errors import QueueFull, ServerFailed, Trouble
from inference.remote.answering import Answer
from inference.remote.options import ServerOptions
from inference.remote.refusals import Overloaded
from inference.remote.server import Server
from inference.remote.servers import Servers

MAX_SERVERS = 3
"""A request that so many fail on has something to do with it."""
PAUSE_S = 1.0
"""Until a server that is full, and does not say for how long, is asked again."""


class Attempts:
    """Lives as long as its request."""

    def __init__(self, servers: Servers, answer: Answer, options: ServerOptions) -> None:
        self._servers = servers
        self._answer = answer
        self._max_pause_s = options.max_retry_after_s
        self._tried: list[Server] = []
        self._overloaded: list[Overloaded] = []
        self._has_paused = False
        self.is_done = False
        """Whether nothing is left to ask for."""

    def next(self) -> Server | None:
        """The best server that has not been tried; `None`: all are full, so `pause_s`.

        Raises: ServerFailed: they failed.
        """
        candidates = self._servers.candidates(self._answer.request.thread)
        left = [
            server
            for server in candidates
            if server not in self._tried and (server.kind.continues or not self._answer.has_text)
        ]
        if left and len(self._tried) < MAX_SERVERS:
            self._tried.append(left[0])
            return left[0]
        if not self._overloaded:
            raise self._answer.failure
        return None

    def pause_s(self, *, num_waiting: int) -> float:
        """Begin again after a pause, once. Raises: QueueFull: it would be too long."""
        pause_s = min(PAUSE_S if one.after_s is None else one.after_s for one in self._overloaded)
        if self._has_paused or pause_s > self._max_pause_s:
            raise QueueFull(max(num_waiting, 1))
        self._has_paused = True
        self._tried, self._overloaded = [], []
        return pause_s

    def overloaded(self, refusal: Overloaded) -> None:
        """Note that a server is full."""
        self._overloaded.append(refusal)

    def failed(self, server: Server, failure: ServerFailed) -> None:
        """Note that a server failed. Raises: ServerFailed: nobody can go on with the answer."""
        self._servers.failed(server, failure)
        others = [one for one in self._servers.all if one not in self._tried] or [server]
        continues = any(one.kind.continues for one in others)
        self._answer.broke_off(failure, continues=continues)
        if self._answer.is_lost:
            raise ServerFailed(Trouble.CUT) from None
        self.is_done = self._answer.max_tokens < 1

    def succeeded(self, server: Server) -> None:
        """Note that a server has answered."""
        self._servers.answered(server)
        self.is_done = True
