"""The keys of the API: each has a name, which is its user wherever users count."""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import Final

from bot.values.messages import UserKey

PLATFORM: Final = "api"
LEAST_CHARACTERS: Final = 16
MAX_CHARACTERS: Final = 256
FORM: Final = "name=key,name=key"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,29}")
_KEY = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key, and what it is called where it must not be shown."""

    name: str
    key: str = field(repr=False)


def parse_keys(given: str) -> tuple[ApiKey, ...]:
    """Parse `webui=…,home=…`. Raises: ValueError: its message is a rule and quotes no key."""
    keys = tuple(_parse(part) for part in re.split(r"[,\s]+", given.strip(", \t\n")) if part)
    if not keys:
        raise ValueError(f"it has the form {FORM}")
    for what, found in (
        ("names", [key.name for key in keys]),
        ("keys", [key.key for key in keys]),
    ):
        if len(set(found)) < len(found):
            raise ValueError(f"two of its {what} are the same")
    return keys


def _parse(part: str) -> ApiKey:
    name, equals, key = part.partition("=")
    if not equals:
        raise ValueError(f"it has the form {FORM}")
    if _NAME.fullmatch(name.lower()) is None:
        raise ValueError("a name has letters, digits, dots and hyphens, at most 30")
    if not LEAST_CHARACTERS <= len(key) <= MAX_CHARACTERS or _KEY.fullmatch(key) is None:
        raise ValueError(
            f"a key has at least {LEAST_CHARACTERS} characters of ASCII, without commas and spaces"
        )
    return ApiKey(name.lower(), key)


def user_of(name: str) -> UserKey:
    """The user that a key is."""
    return UserKey(platform=PLATFORM, id=name)


class Keys:
    """Finds whose key was given, in a time that says nothing of the keys."""

    def __init__(self, keys: tuple[ApiKey, ...]) -> None:
        self._secret = secrets.token_bytes(32)
        self._digests = [(self.digest_of(key.key), key.name) for key in keys]

    def name_of(self, given: str) -> str | None:
        """The name of a key; `None`: it is none of them."""
        digest, found = self.digest_of(given), None
        for its, name in self._digests:  # all of them, whichever it is
            if hmac.compare_digest(digest, its):
                found = name
        return found

    def digest_of(self, given: str) -> bytes:
        """What tells a key from others, and tells nobody what it is."""
        return hmac.digest(self._secret, given.encode("utf-8", "replace"), "sha256")
