"""An OpenAI-compatible server on loopback that writes what a test tells it to.

It speaks as vLLM does (`owned_by`, `/metrics`, `/tokenize`, its error sentences), unless the test
makes it another program.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from aiohttp import web

Handler: TypeAlias = Callable[[web.Request, dict[str, Any]], Any]

TOKENS_PER_PICTURE = 576


@dataclass
class Script:
    """What the server does; a test changes it at any time."""

    words: list[str] = field(default_factory=lambda: ["A ", "red ", "square", "."])
    model: str = "tiny"
    further_models: tuple[str, ...] = ()
    is_up: bool = True
    """Whether it tells its models; one that is loading does not."""
    lists_models: bool = True
    owned_by: str = "vllm"
    context: int | None = 2048
    max_pictures: int = 99
    key: str | None = None
    waiting: int | None = 0
    """What its metrics say; `None`: it has none."""
    status: int = 200
    """Of answers; another one than 200 is an error."""
    error: str = "something broke"
    headers: dict[str, str] = field(default_factory=dict)
    fail_times: int | None = None
    """So often the status holds; `None`: always."""
    cut_after: int | None = None
    """Break the connection off after so many words."""
    raw: list[bytes] | None = None
    """Send this instead of events."""
    reasoning: list[str] = field(default_factory=list)
    finish_reason: str = "stop"
    with_usage: bool = True
    hold: asyncio.Event | None = None
    """Set by the test: words behind the first wait for it."""
    hold_first: asyncio.Event | None = None
    """Everything waits for it, as while a request is queued."""


class OpenAIServer:
    """Made by `running_openai`."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[dict[str, Any]] = []
        """Bodies of the answers that were asked for, the probe of a start excepted."""
        self.probed: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.num_running = 0
        self.num_broken_off = 0
        """Answers whose reader went away."""
        self.most_running = 0
        self.address = ""
        self.cleared = 0
        app = web.Application(client_max_size=1 << 28)
        app.add_routes(
            [
                web.get("/v1/models", self._models),
                web.post("/v1/chat/completions", self._chat),
                web.post("/tokenize", self._tokenize),
                web.get("/metrics", self._metrics),
                web.post("/reset_prefix_cache", self._clear),
            ]
        )
        self.app = app

    async def _models(self, request: web.Request) -> web.Response:
        if (refused := self._check_key(request)) is not None:
            return refused
        script = self.script
        if not script.lists_models:
            return _error(404, "Not Found")
        if not script.is_up:
            return _error(503, "loading")
        models = [
            {"id": name, "object": "model", "owned_by": script.owned_by}
            | ({} if script.context is None else {"max_model_len": script.context})
            for name in (script.model, *script.further_models)
            if name
        ]
        return web.json_response({"object": "list", "data": models})

    async def _tokenize(self, request: web.Request) -> web.Response:
        body = await request.json()
        return web.json_response({"count": _num_tokens(body["messages"])})

    async def _metrics(self, request: web.Request) -> web.Response:
        waiting = self.script.waiting
        if waiting is None:
            raise web.HTTPNotFound
        return web.Response(
            text="# TYPE vllm:num_requests_waiting gauge\n"
            f'vllm:num_requests_waiting{{engine="0",model_name="tiny"}} {float(waiting)}\n'
        )

    async def _clear(self, request: web.Request) -> web.Response:
        self.cleared += 1
        return web.Response()

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        if (refused := self._check_key(request)) is not None:
            return refused
        body = await request.json()
        is_probe = body["max_tokens"] == 1
        (self.probed if is_probe else self.asked).append(body)
        if (refused := self._refusal(body, is_probe=is_probe)) is not None:
            return refused
        self.num_running += 1
        self.most_running = max(self.most_running, self.num_running)
        try:
            return await self._stream(request, body, is_probe=is_probe)
        except (ConnectionResetError, asyncio.CancelledError):
            self.num_broken_off += 1
            raise
        finally:
            self.num_running -= 1

    def _refusal(self, body: dict[str, Any], *, is_probe: bool) -> web.Response | None:
        script = self.script
        if script.status != 200 and not is_probe and script.fail_times != 0:
            if script.fail_times is not None:
                script.fail_times -= 1
            return _error(script.status, script.error, script.headers)
        if body["model"] != script.model:
            return _error(404, f"The model `{body['model']}` does not exist.")
        pictures = _pictures(body["messages"])
        if pictures > script.max_pictures:
            if script.max_pictures == 0:
                return _error(400, "tiny is not a multimodal model")
            return _error(
                400, f"At most {script.max_pictures} image(s) may be provided in one prompt."
            )
        tokens = _num_tokens(body["messages"]) + TOKENS_PER_PICTURE * pictures
        if script.context is not None and tokens + body["max_tokens"] > script.context:
            return _error(
                400,
                f"This model's maximum context length is {script.context} tokens. However, you "
                f"requested {body['max_tokens']} output tokens and your prompt contains at least "
                f"{tokens} input tokens, for a total of at least "
                f"{tokens + body['max_tokens']} tokens.",
            )
        return None

    async def _stream(
        self, request: web.Request, body: dict[str, Any], *, is_probe: bool
    ) -> web.StreamResponse:
        script = self.script
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        if script.raw is not None and not is_probe:
            for piece in script.raw:
                await response.write(piece)
            return response
        words = script.words[: body["max_tokens"]]
        begun = ""
        if body.get("continue_final_message"):
            begun = body["messages"][-1]["content"]
            words = _rest(script.words, begun)[: body["max_tokens"]]
        if script.hold_first is not None and not is_probe:
            await script.hold_first.wait()
        await response.write(_event({"role": "assistant", "content": ""}))
        for thought in script.reasoning:
            await response.write(_event({"reasoning_content": thought}))
        for number, word in enumerate(words):
            if number and script.hold is not None and not is_probe:
                await script.hold.wait()
            if number == script.cut_after and not is_probe:
                assert request.transport is not None
                request.transport.abort()
                return response
            await response.write(_event({"content": word}))
        await response.write(_event({}, script.finish_reason))
        if script.with_usage:
            prompt = _num_tokens(body["messages"]) + TOKENS_PER_PICTURE * _pictures(
                body["messages"]
            )
            usage = {
                "prompt_tokens": prompt,
                "completion_tokens": len(words),
                "prompt_tokens_details": {"cached_tokens": 16},
            }
            await response.write(_data({"choices": [], "usage": usage}))
        await response.write(b"data: [DONE]\n\n")
        return response

    def _check_key(self, request: web.Request) -> web.Response | None:
        given = request.headers.get("Authorization")
        self.keys.append(given)
        if self.script.key is not None and given != f"Bearer {self.script.key}":
            return _error(401, "Unauthorized")
        return None


def _rest(words: list[str], begun: str) -> list[str]:
    """The words that a begun answer lacks."""
    for number in range(len(words) + 1):
        if "".join(words[:number]).rstrip() == begun:
            text = "".join(words[:number])
            return (
                [text[len(begun) :] + words[number], *words[number + 1 :]] if words[number:] else []
            )
    return words


def _num_tokens(messages: list[dict[str, Any]]) -> int:
    texts = [
        message["content"]
        if isinstance(message["content"], str)
        else " ".join(part.get("text", "") for part in message["content"])
        for message in messages
    ]
    return sum(4 + len(text.split()) for text in texts)


def _pictures(messages: list[dict[str, Any]]) -> int:
    return sum(
        part["type"] == "image_url"
        for message in messages
        if isinstance(message["content"], list)
        for part in message["content"]
    )


def _event(delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
    return _data({"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]})


def _data(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response(
        {"error": {"message": message, "type": "Error", "code": status}},
        status=status,
        headers=headers,
    )


@asynccontextmanager
async def running_openai(script: Script | None = None) -> AsyncIterator[OpenAIServer]:
    """A server at `address`, on a port of its own."""
    server = OpenAIServer(script or Script())
    runner = web.AppRunner(server.app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.address = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield server
    finally:
        await runner.cleanup()
