"""A conversation at the terminal with a bot that already runs, over the playground's interface."""

from __future__ import annotations

import asyncio
import getpass
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, TextIO
from urllib.parse import unquote

import aiohttp
from yarl import URL

from bot.platforms.terminal.pictures import PictureFile, TerminalError
from bot.platforms.terminal.status_line import StatusLine
from bot.values.cleaning import StreamCleaner, clean, clean_name
from bot.values.messages import Ending, Outcome, Receipt, ReceiptPicture
from inference.safe_messages import safe_message

CONNECT_S = 10
IDLE_S = 60
"""The playground writes every 15 s, even while a question waits."""
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
GOODBYE_S = 3
"""For what is still to be told to the bot when the command ends."""


@asynccontextmanager
async def connected(
    address: str, *, password: str | None, locale: str, quiet: bool
) -> AsyncIterator[RemoteTerminal]:
    """A conversation with the bot at `address`; what it has stored of it is erased on exit.

    `password`: the playground's, where the address (`https://name:password@host`) holds none.

    Raises:
        TerminalError: no bot answers there, or it lets nobody in.
    """
    url, auth = _address(address, password)
    async with aiohttp.ClientSession(
        base_url=url,
        auth=auth,
        headers={"Accept-Language": locale.replace("_", "-"), "User-Agent": "llava-bot"},
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=IDLE_S),
        cookie_jar=aiohttp.CookieJar(unsafe=True),  # of a host without a name, too
        trust_env=url.host not in LOOPBACK,  # no proxy leads to this machine
    ) as http:
        terminal = RemoteTerminal(_Playground(http, url), locale=locale, quiet=quiet)
        await terminal.connect()
        try:
            yield terminal
        finally:
            with suppress(TerminalError, TimeoutError):
                async with asyncio.timeout(GOODBYE_S):
                    await terminal.start_anew()


def _address(address: str, password: str | None) -> tuple[URL, aiohttp.BasicAuth | None]:
    try:
        url = URL(address if "://" in address else f"http://{address}")
    except ValueError:
        url = URL()
    if url.scheme not in {"http", "https"} or not url.host:
        raise TerminalError(f"--url {address}: it is not an address such as http://127.0.0.1:8787.")
    if url.password is not None:
        password = unquote(url.raw_password or "")
    auth = None
    if password is not None:
        auth = aiohttp.BasicAuth(url.user or _login(), password, encoding="utf-8")
    return url.with_user(None).with_path("/").with_query(None).with_fragment(None), auth


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user who stands in no passwd file
        return "terminal"


class _Playground:
    """Calls of the interface in docs/playground.md; failures are sentences."""

    def __init__(self, http: aiohttp.ClientSession, url: URL) -> None:
        self._http = http
        self._url = str(url).rstrip("/")

    async def json(self, method: str, path: str) -> dict[str, Any]:
        """The answer to a request without a body; empty where it has none."""
        async with self._request(method, path) as response:
            return {} if response.status == 204 else await self._read_json(response)

    async def events(
        self, path: str, form: aiohttp.FormData
    ) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        """The events of a posted form, by name."""
        async with self._request("POST", path, data=form) as response:
            name = ""
            async for raw in response.content:
                field, _, value = raw.decode("utf-8", "replace").rstrip("\r\n").partition(": ")
                if field == "event":
                    name = value
                elif field == "data" and name:
                    yield name, json.loads(value)

    @asynccontextmanager
    async def _request(
        self, method: str, path: str, **options: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self._http.request(method, path, **options) as response:
                if response.status >= 400:
                    raise TerminalError(await self._refusal(response))
                yield response
        except aiohttp.ClientSSLError as exc:
            raise TerminalError(
                f"The certificate of {self._url} is not accepted ({_why(exc)})."
            ) from None
        except aiohttp.ClientConnectorError as exc:
            raise TerminalError(
                f"No bot can be reached at {self._url} ({_why(exc)}): "
                "start one with llava-bot run, or leave out --url."
            ) from None
        except TimeoutError:
            raise TerminalError(f"The bot at {self._url} does not answer.") from None
        except (aiohttp.ClientError, ValueError) as exc:
            raise TerminalError(
                f"The connection to the bot at {self._url} broke ({_why(exc)})."
            ) from None

    async def _refusal(self, response: aiohttp.ClientResponse) -> str:
        if response.status == 401:
            return (
                f"The bot at {self._url} wants its password: set PLAYGROUND_PASSWORD, "
                "or write http://name:password@host."
            )
        told = await self._read_json(response)
        if isinstance(sentence := told.get("error"), str):
            return sentence
        return f"What answers at {self._url} is no llava-bot (status {response.status})."

    async def _read_json(self, response: aiohttp.ClientResponse) -> dict[str, Any]:
        try:
            answer = json.loads(await response.read())
        except ValueError:
            answer = None
        if isinstance(answer, dict):
            return _cleaned(answer)
        if response.status < 400:
            raise TerminalError(f"What answers at {self._url} is no llava-bot.")
        return {}


class RemoteTerminal:
    """Implements `Conversation` over HTTP; nothing of torch is imported for it."""

    def __init__(self, playground: _Playground, *, locale: str, quiet: bool) -> None:
        self._playground = playground
        self._locale = locale
        self._quiet = quiet
        self._thread: str | None = None
        self._model_name = ""
        self.has_pictures = False

    @property
    def model_name(self) -> str:
        """See `Conversation.model_name`."""
        return self._model_name

    async def connect(self) -> None:
        """Ask who is there; a bot that still loads has no model yet. Raises: TerminalError."""
        info = await self._playground.json("GET", "/api/info")
        model = info.get("model")
        if "limits" not in info:
            raise TerminalError("What answers there is no llava-bot.")
        self._model_name = model.get("name", "") if isinstance(model, dict) else ""

    async def ask(
        self, question: str, pictures: tuple[PictureFile, ...], out: TextIO | None
    ) -> Ending:
        """See `Conversation.ask`."""
        if self._thread is None:
            made = await self._playground.json("POST", "/api/threads")
            self._thread = str(made["thread_id"])
        form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
        form.add_field("text", question)
        for picture in pictures:
            form.add_field("images", picture.data, filename=clean_name(picture.name))
        status = StatusLine(self._locale, shown=out is not None and not self._quiet)
        try:
            ending = await self._read_answer(self._thread, form, out, status)
        except BaseException:  # Ctrl-C, or nobody reads: closing the stream would stop nothing
            with suppress(TerminalError, TimeoutError):
                async with asyncio.timeout(GOODBYE_S):
                    await self.stop()
            raise
        finally:
            status.clear()
        self.has_pictures = self.has_pictures or bool(ending.receipt.pictures)
        if not self._model_name:  # it was still loading
            await self.connect()
        if ending.outcome is Outcome.REFUSED:
            raise TerminalError(ending.text)
        return ending

    async def stop(self) -> None:
        """See `Conversation.stop`."""
        if self._thread is not None:
            await self._playground.json("POST", f"/api/threads/{self._thread}/stop")

    async def start_anew(self) -> None:
        """See `Conversation.start_anew`: the bot erases the thread that is left."""
        thread, self._thread, self.has_pictures = self._thread, None, False
        if thread is not None:
            await self._playground.json("DELETE", f"/api/threads/{thread}")

    async def _read_answer(
        self, thread: str, form: aiohttp.FormData, out: TextIO | None, status: StatusLine
    ) -> Ending:
        begun = time.perf_counter()
        cleaner = StreamCleaner()
        timings: dict[str, float] = {}
        path = f"/api/threads/{thread}/messages"
        async with aclosing(self._playground.events(path, form)) as events:
            async for name, data in events:
                if name == "status":
                    status.show(str(data.get("stage")), data.get("position"))
                elif name == "delta":
                    timings.setdefault("first_token_s", time.perf_counter() - begun)
                    status.clear()
                    _print(cleaner.push(str(data["text"])), out)
                elif name in {"done", "error"}:
                    timings["total_s"] = time.perf_counter() - begun
                    if "first_token_s" in timings:
                        _print("\n", out)
                    return _ending(name, _cleaned(data), timings)
        raise TerminalError("The answer broke off: the bot has stopped. Please ask again.")


def _why(exc: Exception) -> str:
    return safe_message(exc) or type(exc).__name__


def _cleaned(said: dict[str, Any]) -> dict[str, Any]:
    """What another bot says: nothing in it steers this terminal."""
    return {key: _cleaned_value(value) for key, value in said.items()}


def _cleaned_value(value: Any) -> Any:
    match value:
        case str():
            return clean(value)
        case list():
            return [_cleaned_value(one) for one in value]
        case dict():
            return _cleaned(value)
    return value


def _print(text: str, out: TextIO | None) -> None:
    if out is not None:
        print(text, end="", file=out, flush=True)


def _ending(name: str, data: dict[str, Any], timings: dict[str, float]) -> Ending:
    receipt = data["receipt"]
    return Ending(
        outcome=Outcome.REFUSED if name == "error" else Outcome(data["outcome"]),
        text=str(data["message" if name == "error" else "text"]),
        # Field by field: a later bot may say more.
        receipt=Receipt(
            pictures=tuple(
                ReceiptPicture(
                    number=picture["number"], name=picture["name"], notes=tuple(picture["notes"])
                )
                for picture in receipt["pictures"]
            ),
            skipped=tuple(receipt["skipped"]),
            dropped=tuple(receipt["dropped"]),
            notes=tuple(receipt["notes"]),
        ),
        timings=timings if name == "done" else {},
    )
