"""Whether a request is meant for this playground, and comes from its own page.

A browser sends requests wherever a page of another site tells it to. Its headers say so, and no
page can change them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

LOCAL_NAMES: Final = frozenset({"127.0.0.1", "localhost", "::1"})
DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Hosts:
    """The names under which the playground may be asked: `Host` shows a rebound name."""

    def __init__(self, host: str, *, allowed: Iterable[str], any_other: bool) -> None:
        """`host`: what it listens on. `any_other`: every name will do, unless some are `allowed`.

        A password protects against rebinding as well: a browser gives it to no other name.
        """
        allowed = frozenset(name.lower() for name in allowed)
        self._names = LOCAL_NAMES | {host.lower()} | allowed
        self._any = any_other and not allowed

    def has(self, request: web.Request) -> bool:
        """Whether a request names one of them."""
        return self._any or _host_and_port(request.host, "http")[0] in self._names


def is_cross_site(request: web.Request) -> bool:
    """Whether a browser makes the request on behalf of another site.

    Links from other sites may open the page, and nothing else.
    """
    origin = request.headers.get("Origin")
    if origin is not None and not _is_own(request, origin):
        return True
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    is_link = request.headers.get("Sec-Fetch-Mode") == "navigate" and request.method == "GET"
    return site not in {"same-origin", "none"} and not (is_link and request.path == "/")


def came_by_https(request: web.Request) -> bool:
    """Whether a browser came by https, perhaps to a proxy. Claiming it gains nothing."""
    forwarded = request.headers.get("X-Forwarded-Proto", "").split(",")[0].strip().lower()
    return request.secure or forwarded == "https"


def _is_own(request: web.Request, origin: str) -> bool:
    """Whether scheme, host and port of an origin are those that the request was sent to."""
    scheme, separator, host = origin.partition("://")
    if not separator or scheme not in DEFAULT_PORTS:
        return False
    # A proxy that ends TLS need not say so: without its word, https cannot be told from http.
    if scheme == "http" and came_by_https(request):
        return False
    own = _host_and_port(request.host, scheme)
    return own[0] is not None and own == _host_and_port(host, scheme)


def _host_and_port(host: str, scheme: str) -> tuple[str | None, int | None]:
    """The parts of a `Host` header; `None`: it is none."""
    try:
        parts = urlsplit(f"//{host}")
        port = parts.port
    except ValueError:  # an open bracket, for example
        return None, None
    if parts.netloc != host or "@" in host:
        return None, None
    return parts.hostname, DEFAULT_PORTS[scheme] if port is None else port
