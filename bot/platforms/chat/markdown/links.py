"""Where links lead, beside texts that do not say so. The page has the same rules (`links.js`).

``[bank.test](https://evil.test)`` is shown as a link named bank.test by every chat. A link's host
stands beside its text, unless the text names that host and no other.
"""

from __future__ import annotations

import re

LINK = re.compile(
    r"https?://(?P<host>[a-z0-9_-][a-z0-9_.-]*|\[[0-9a-f:.]+\])(?P<port>:\d{1,5})?(?=[/?#]|\Z)",
    re.IGNORECASE,
)
"""An address whose host every program reads alike: no user, nothing encoded, nothing odd."""
NAMED = re.compile(r"""[^\s/?#@:\\()\[\]{}<>"'`,;|]+(?:[.。．｡][^\s/?#@:\\()\[\]{}<>"'`,;|]+)+""")
"""What looks like the name of a host."""


def is_link(target: str) -> bool:
    """Whether a link may lead there."""
    return LINK.match(target) is not None


def host_beside(text: str, target: str) -> str:
    """The host to show beside a link's text; empty where the text names it."""
    link = LINK.match(target)
    if link is None or text == target:
        return ""
    named = {_bare(name) for name in NAMED.findall(text)}
    return "" if named == {_bare(link["host"])} else link["host"].lower() + (link["port"] or "")


def _bare(host: str) -> str:
    return host.lower().strip(".。!…?").removeprefix("www.")
