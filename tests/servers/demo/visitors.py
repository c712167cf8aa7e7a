"""Who opens the page: each browser is a person who has chosen a name."""

from __future__ import annotations

import secrets

from aiohttp import web

COOKIE = "demo_visitor"
LONGEST_NAME = 40


class NameRefused(Exception):
    """Nobody can have this name; the words are for the visitor."""


class Visitors:
    """Who is who, for as long as the demo runs."""

    def __init__(self) -> None:
        self._users: dict[str, str] = {}
        """What a browser's cookie holds → the person."""

    def __len__(self) -> int:
        return len(self._users)

    def user_of(self, request: web.Request) -> str:
        """The person; empty for a browser that has not chosen a name."""
        return self._users.get(request.cookies.get(COOKIE, ""), "")

    def name_from(self, given: str, names: dict[str, str]) -> str:
        """A name that can be taken. `names`: of the people there. Raises: NameRefused."""
        name = " ".join(given.split())
        if not name or len(name) > LONGEST_NAME or not any(it.isalnum() for it in name):
            raise NameRefused(f"Please choose a name of at most {LONGEST_NAME} characters.")
        taken = {names[user].casefold() for user in self._users.values() if user in names}
        if name.casefold() in taken:
            raise NameRefused(
                f"Somebody here is called {name} already. Please choose another name."
            )
        return name

    def welcome(self, response: web.Response, user: str) -> None:
        """Remember the browser that gets this response."""
        token = secrets.token_urlsafe(24)
        self._users[token] = user
        response.set_cookie(COOKIE, token, httponly=True, samesite="Strict")
