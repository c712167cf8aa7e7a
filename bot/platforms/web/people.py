"""Which person a request comes from.

Without a password there is one, the local person: only this machine can ask. With a password it is
the user name that was given with it, and without a name the browser's session. A name is a claim:
anybody who knows the password can give any name.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum

from aiohttp import web
from aiohttp.typedefs import Middleware

from bot.platforms.web.gate.passwords import basic_credentials
from bot.platforms.web.keys import PLATFORM
from bot.platforms.web.person.sessions import Sessions
from bot.store import Store
from bot.values.cleaning import clean_name


class Kind(StrEnum):
    """What a person is known by."""

    LOCAL = "local"
    NAME = "name"
    SESSION = "session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who makes a request."""

    kind: Kind
    id: str = field(repr=False)
    """As in `Author.id` and as the owner of threads."""
    user_name: str = field(default="", repr=False)
    """As it was given with the password."""


SESSION = "session:"
LOCAL = Person(kind=Kind.LOCAL, id="local")
PERSON = web.RequestKey("person", Person)
NEW_SESSION = web.RequestKey("new_session", bool)


def person_of(request: web.Request) -> Person:
    """The person that `identify` has found."""
    return request[PERSON]


async def name_of(store: Store, person: Person) -> str:
    """A person's name, for others to read; empty: they gave none. Raises: StoreFailed."""
    return person.user_name or await store.people.name(PLATFORM, person.id)


def identify(sessions: Sessions | None) -> Middleware:
    """Find out who makes each request; `sessions`: `None` where everybody is the local person."""

    @web.middleware
    async def middleware(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        request[PERSON] = _person(request, sessions)
        response = await handler(request)
        # A stream, which is prepared here, belongs to a thread, and so to somebody known.
        if sessions is not None and not response.prepared:
            _keep(sessions, request, response)
        return response

    return middleware


def _keep(sessions: Sessions, request: web.Request, response: web.StreamResponse) -> None:
    """Give new visitors their cookie, and prolong it with each visit to the page.

    A name is a person without one. But a browser with a session has known the password: it is not
    shut out when somebody at its address guesses.
    """
    is_page = request.path == "/"
    # Not beside styles and scripts: several new sessions at once would overwrite each other.
    is_new = NEW_SESSION in request and request.path.startswith("/api/")
    if (is_page or is_new) and sessions.cookie not in response.cookies:
        person = request[PERSON]
        if person.kind is Kind.SESSION:
            session = person.id.removeprefix(SESSION)
        else:
            session = sessions.read(request) or sessions.new()
        sessions.set(request, response, session)


def _person(request: web.Request, sessions: Sessions | None) -> Person:
    if sessions is None:
        return LOCAL
    credentials = basic_credentials(request)
    given = clean_name(_decoded(credentials[0])) if credentials else ""
    if given:
        # A phone's keyboard writes a capital letter where a desk's does not.
        return Person(kind=Kind.NAME, id=f"name:{_folded(given)}", user_name=given)
    session = sessions.read(request)
    if session is None:
        session = sessions.new()
        request[NEW_SESSION] = True
    return Person(kind=Kind.SESSION, id=f"{SESSION}{session}")


def _decoded(name: bytes) -> str:
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        return name.decode("latin-1")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
