"""A local model hub: one repository, whose connections can break in the middle of a file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

COMMIT = "c" * 40


@dataclass
class LocalHub:
    """Serves the files of `repo`. As the real one, it knows ranges."""

    repo: str
    files: dict[str, bytes]
    breaks_after: int | None = None
    """Bytes of a large file, after which its connection breaks; and so does every later one."""
    served: dict[str, list[int]] = field(default_factory=dict)
    """File → the first byte of each request."""
    address: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Anything below `/`."""
        path = request.path.removeprefix("/")
        if path.startswith(f"api/models/{self.repo}/tree/"):
            return web.json_response(self._tree())
        if path.startswith(f"api/models/{self.repo}"):
            return web.json_response(
                {
                    "id": self.repo,
                    "sha": COMMIT,
                    "siblings": [
                        {"rfilename": name, "size": len(data)} for name, data in self.files.items()
                    ],
                }
            )
        if found := re.fullmatch(rf"{self.repo}/resolve/[^/]+/(.+)", path):
            return await self._file(request, found[1])
        return web.Response(status=404, headers={"X-Error-Code": "RepoNotFound"})

    def _tree(self) -> list[dict[str, object]]:
        return [
            {"type": "file", "path": name, "size": len(data), "oid": _etag(data)}
            for name, data in self.files.items()
        ]

    async def _file(self, request: web.Request, name: str) -> web.StreamResponse:
        data = self.files.get(name)
        common = {"X-Repo-Commit": COMMIT}
        if data is None:
            return web.Response(status=404, headers={**common, "X-Error-Code": "EntryNotFound"})
        headers = {**common, "ETag": f'"{_etag(data)}"', "Accept-Ranges": "bytes"}
        if request.method == "HEAD":
            return web.Response(headers={**headers, "Content-Length": str(len(data))})
        given = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
        start = int(given[1]) if given else 0
        self.served.setdefault(name, []).append(start)
        headers["Content-Length"] = str(len(data) - start)
        if given:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        response = web.StreamResponse(status=206 if given else 200, headers=headers)
        await response.prepare(request)
        if self.breaks_after is not None and len(data) > self.breaks_after:
            await response.write(data[start : max(start, self.breaks_after)])
            assert request.transport is not None
            request.transport.close()
            return response
        await response.write(data[start:])
        return response


def _etag(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


@asynccontextmanager
async def running_hub(repo: str, files: dict[str, bytes]) -> AsyncIterator[LocalHub]:
    """A hub on a port of its own."""
    hub = LocalHub(repo, files)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", hub.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hub.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield hub
    finally:
        await runner.cleanup()
