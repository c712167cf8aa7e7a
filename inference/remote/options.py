"""How servers are talked to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Bounds on what is sent and waited for. The defaults suit a server in the same building."""

    api_key: str | None = field(default=None, repr=False)
    """Of every server that has none of its own."""
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of servers that have one of their own, by address."""
    at_once: int = 64
    """Requests that one server gets at once; more wait here, users in turn."""
    connect_s: float = 5.0
    answer_s: float = 15.0
    """What a server is asked besides generating (its models, its figures) takes so long at most."""
    first_token_s: float = 300.0
    """From sending a request to its first token: reading many pictures takes a while."""
    between_s: float = 60.0
    """From one token to the next."""
    probe_every_s: float = 5.0
    """How often a server that failed is asked whether it is back."""
    figures_every_s: float = 1.0
    """How often its metrics are read while a request waits there."""
    max_retry_after_s: float = 15.0
    """A server that asks for more patience than this is taken for full."""
    max_picture_bytes: int = 4 << 20
    """A larger picture is sent as a JPEG."""

    def key_of(self, address: str) -> str | None:
        """The key that a server gets; no other server sees it."""
        return self.keys.get(address, self.api_key)
