"""A store that speaks S3's protocol as far as pictures need it, and checks every signature."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from xml.sax.saxutils import escape

from aiohttp import web
from pydantic import SecretStr

from bot.values.picture_places import PictureBucket
from tests.servers.s3.signature import Refused, Request, check

KEY, SECRET = "AKLOCALKEY", "local/secret+key"
BUCKET, REGION = "team", "eu-test-1"
LISTED_AT_ONCE = 3


@dataclass(slots=True)
class StoredObject:
    """An object."""

    data: bytes
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def etag(self) -> str:
        """Its entity tag."""
        return f'"{hashlib.md5(self.data, usedforsecurity=False).hexdigest()}"'


class S3Server:
    """One bucket. `objects`: by key, for tests to look at."""

    def __init__(self) -> None:
        self.objects: dict[str, StoredObject] = {}
        self.keys = {KEY: SECRET}
        self.token: str | None = None
        """What temporary keys must bring."""
        self.faults: list[tuple[int, str]] = []
        """(HTTP status, S3's code) of the next answers."""
        self.down = False
        self.answers = asyncio.Event()
        """Until it is set, nothing is answered."""
        self.answers.set()
        self.requests: list[str] = []
        """Methods, with the keys that they were for."""
        self.port = 0

    def place(self, prefix: str = "", **changes: str | None) -> PictureBucket:
        """The bucket as a bot is told of it."""
        given = {"access_key_id": KEY, "secret_access_key": SECRET, "session_token": self.token}
        secrets = {name: changes.get(name, value) for name, value in given.items()}
        return PictureBucket(
            bucket=changes.get("bucket") or BUCKET,
            prefix=prefix,
            endpoint=f"http://127.0.0.1:{self.port}",
            region=changes.get("region", REGION),
            **{name: SecretStr(value) if value else None for name, value in secrets.items()},
        )

    def pictures(self) -> list[bytes]:
        """The bytes of every picture that is kept."""
        return [it.data for key, it in self.objects.items() if key.endswith((".png", ".jpg"))]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Check a request, and do it."""
        body = await request.read()
        key = request.match_info.get("key", "")
        self.requests.append(f"{request.method} {key}")
        await self.answers.wait()
        try:
            self._fail()
            check(
                Request(
                    method=request.method,
                    path=request.path,
                    query=tuple((name, value) for name, value in request.query.items()),
                    headers={name.lower(): value for name, value in request.headers.items()},
                    body=body,
                ),
                keys=self.keys,
                region=REGION,
                token=self.token,
                now=datetime.now(UTC),
            )
            return self._done(request, key, body)
        except Refused as exc:
            # A real store quotes what was signed; nothing of that may reach a log.
            text = f"<Error><Code>{exc.code}</Code><StringToSign>{KEY}</StringToSign></Error>"
            return web.Response(status=exc.status, text=text, content_type="application/xml")

    def _fail(self) -> None:
        if self.down:
            raise Refused("ServiceUnavailable", 503)
        if self.faults:
            status, code = self.faults.pop(0)
            raise Refused(code, status)

    def _done(self, request: web.Request, key: str, body: bytes) -> web.Response:
        if request.match_info["bucket"] != BUCKET:
            raise Refused("NoSuchBucket", 404)
        match request.method:
            case "GET" if not key:
                return self._listed(request)
            case "PUT":
                self.objects[key] = StoredObject(body)
                return web.Response(headers={"ETag": self.objects[key].etag})
            case "DELETE":
                self.objects.pop(key, None)
                return web.Response(status=204)
            case "GET" | "HEAD":
                if (found := self.objects.get(key)) is None:
                    raise Refused("NoSuchKey", 404)
                headers = {
                    "ETag": found.etag,
                    "Last-Modified": format_datetime(found.modified, usegmt=True),
                }
                return web.Response(body=found.data, headers=headers)
        raise Refused("MethodNotAllowed", 405)

    def _listed(self, request: web.Request) -> web.Response:
        if request.query.get("list-type") != "2":
            raise Refused("InvalidArgument", 400)
        after = request.query.get("continuation-token", request.query.get("start-after", ""))
        keys = sorted(
            it
            for it in self.objects
            if it.startswith(request.query.get("prefix", "")) and it > after
        )
        page, rest = keys[:LISTED_AT_ONCE], keys[LISTED_AT_ONCE:]
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key>"
            f"<LastModified>{self.objects[key].modified:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
            f"<ETag>{escape(self.objects[key].etag)}</ETag>"
            f"<Size>{len(self.objects[key].data)}</Size></Contents>"
            for key in page
        )
        more = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if rest else ""
        text = (
            f"<ListBucketResult><Name>{BUCKET}</Name><KeyCount>{len(page)}</KeyCount>"
            f"<IsTruncated>{'true' if rest else 'false'}</IsTruncated>{more}{contents}"
            "</ListBucketResult>"
        )
        return web.Response(text=text, content_type="application/xml")

    def age(self, by: timedelta, keys: Sequence[str] | None = None) -> None:
        """Make objects older."""
        for key in self.objects if keys is None else keys:
            self.objects[key].modified -= by


@asynccontextmanager
async def running_s3() -> AsyncIterator[S3Server]:
    """A local store with an empty bucket."""
    server = S3Server()
    application = web.Application(client_max_size=100_000_000)
    application.router.add_route("*", "/{bucket}", server.answer)
    application.router.add_route("*", "/{bucket}/{key:.*}", server.answer)
    runner = web.AppRunner(application, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.port = runner.addresses[0][1]
        yield server
    finally:
        await runner.cleanup()
