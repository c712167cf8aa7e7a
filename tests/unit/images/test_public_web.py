"""No link leads a request to anything that is not public, however it is written or resolved."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from aiohttp import AddrInfoType, web
from yarl import URL

from bot.images import public_web
from bot.images.public_addresses import is_public, may_be_asked
from bot.images.public_web import PublicWeb, public_socket

NOT_PUBLIC = {
    "this host": ("0.0.0.0", "0.1.2.3", "::"),  # noqa: S104 - to be refused
    "loopback": ("127.0.0.1", "127.255.255.254", "::1"),
    "private": ("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    "carrier-grade NAT": ("100.64.0.1", "100.127.255.255"),
    "link-local": ("169.254.0.1", "fe80::1", "febf::1"),
    "metadata": (
        "169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254",
        "fd20:ce::254",
    ),
    "documentation": (
        "192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1", "3fff:fff::1",
    ),
    "benchmarks, protocols": ("198.18.0.1", "198.19.255.255", "192.0.0.8", "2001:2::1"),
    "multicast": ("224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"),
    "reserved, broadcast": ("240.0.0.1", "255.255.255.255", "100::1", "5f00::1", "4000::1"),
    "6to4": ("192.88.99.1", "2002:7f00:1::1", "2002:808:808::1"),
    "Teredo": ("2001::1", "2001:0:1:2:3:4:5:6"),
    "NAT64 of what is not public": ("64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::808:808"),
    "mapped": ("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::ffff:0:7f00:1"),
    "compatible": ("::127.0.0.1", "::7f00:1", "::8.8.8.8"),
    "unique-local": ("fc00::1", "fdff::1"),
    "site-local": ("fec0::1", "feff::1"),
    "with a zone": ("fe80::1%eth0", "2606:4700::1%1"),
    "no address": ("", "host", "1.2.3", "0x7f000001", "2130706433", "127.0.0.1 "),
}  # fmt: skip
PUBLIC = (
    "8.8.8.8", "1.1.1.1", "11.0.0.1", "172.15.0.1", "172.32.0.1", "100.63.0.1", "100.128.0.1",
    "192.0.1.1", "192.167.0.1", "223.255.255.255", "2606:4700::1111", "2a00:1450:4001::1",
    "2001:4860:4860::8888", "2400::1", "64:ff9b::808:808",
)  # fmt: skip


@pytest.mark.parametrize("kind", NOT_PUBLIC)
def test_what_is_not_public_is_told(kind: str) -> None:
    assert not [address for address in NOT_PUBLIC[kind] if is_public(address)]


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "http://2130706433/a.png",  # decimal
        "http://0x7f000001/a.png",
        "http://0x7f.1/a.png",
        "http://017700000001/a.png",  # octal
        "http://0177.0.0.1/a.png",
        "http://127.1/a.png",
        "http://0/a.png",
        "http://127.0.0.1./a.png",
        "http://134744072/a.png",  # of a public address, and still no way to write one
        "http://１２７．０．０．１/a.png",
        "http://①②⑦.⓪.⓪.①/a.png",
        "http://127。0。0。1/a.png",
        "http://[::1]/a.png",
        "http://[::ffff:127.0.0.1]/a.png",
        "http://[fe80::1%25eth0]/a.png",
        "http://8.8.8.8@127.0.0.1/a.png",
        "http://user:password@10.0.0.1/a.png",
        "http://8.8.8.8:22/a.png",
        "http://8.8.8.8:25/a.png",
        "https://8.8.8.8:6379/a.png",
        "https://8.8.8.8:11211/a.png",
        "http://8.8.8.8:0/a.png",
        "ftp://8.8.8.8/a.png",
        "file:///etc/passwd",
        "gopher://8.8.8.8/a.png",
        "//8.8.8.8/a.png",
        "http:///a.png",
    ],
)
async def test_an_address_that_is_not_public_in_any_form_is_not_asked(address: str) -> None:
    assert not may_be_asked(URL(address))
    async with fetching() as fetch:
        assert await fetch(address) is None


@pytest.mark.parametrize(
    "address",
    [
        "http://8.8.8.8/a.png", "https://8.8.8.8:443/", "http://8.8.8.8:8080/", "https://h.example/",
        "http://[2606:4700::1111]:8443/", "http://1.example/", "http://例え.jp/", "http://0x.example/",
    ],
)  # fmt: skip
def test_public_addresses_may_be_asked(address: str) -> None:
    assert may_be_asked(URL(address))


@asynccontextmanager
async def fetching(
    private_hosts: frozenset[str] = frozenset(),
) -> AsyncIterator[Callable[[str], Any]]:
    """A function that fetches; `None`: it cannot be had."""
    fetcher = PublicWeb(private_hosts)

    async def fetch(address: str) -> bytes | None:
        try:
            return b"".join([piece async for piece in fetcher.fetch(address)])
        except OSError:
            return None

    try:
        yield fetch
    finally:
        await fetcher.close()


class Inner:
    """A server on this machine that nobody's link may reach."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.location = ""
        self.port = 0
        self.leaving = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        self.headers.append(dict(request.headers))
        if request.path == "/away":
            raise web.HTTPFound(self.location)
        if request.path == "/slow":
            await self.leaving.wait()
        return web.Response(body=b"secret")


@pytest.fixture
async def inner() -> AsyncIterator[Inner]:
    inner = Inner()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", inner.answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    inner.port = runner.addresses[0][1]
    yield inner
    inner.leaving.set()
    await runner.cleanup()


@contextmanager
def resolving(monkeypatch: pytest.MonkeyPatch, *answers: str) -> Iterator[list[str]]:
    """Names resolve to these addresses, one after the other; the last one again and again."""
    asked: list[str] = []
    left = list(answers)

    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        address = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        yield asked


async def test_a_name_of_this_machine_is_not_asked(
    inner: Inner, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fetching() as fetch:
        for name in ("localhost", "LOCALHOST.", "localhost.localdomain"):
            assert await fetch(f"http://{name}:{inner.port}/") is None
        for private in ("127.0.0.1", "10.0.0.1", "0.1.2.3"):
            with resolving(monkeypatch, private) as asked:
                assert await fetch(f"http://rebound.example:{inner.port}/") is None
            assert asked
    assert inner.asked == []


async def test_a_name_that_resolves_differently_the_next_time_gains_nothing(
    inner: Inner, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected: list[str] = []

    def recording(found: AddrInfoType) -> socket.socket:
        connected.append(str(found[4][0]))
        raise OSError("recorded")

    monkeypatch.setattr(public_web, "public_socket", recording)
    with resolving(monkeypatch, "8.8.8.8", "127.0.0.1") as asked:
        for _ in range(2):
            async with fetching() as fetch:
                assert await fetch(f"http://rebound.example:{inner.port}/") is None
    assert connected == ["8.8.8.8"]
    assert len(asked) == 2


async def test_the_address_that_is_connected_to_is_checked_not_the_one_that_was_resolved(
    inner: Inner, monkeypatch: pytest.MonkeyPatch
) -> None:
    for address in ("127.0.0.1", "::1", "10.0.0.1"):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with pytest.raises(OSError, match="not a public host"):
            public_socket((family, socket.SOCK_STREAM, 6, "", (address, inner.port)))
    # As if the resolver were fooled.
    monkeypatch.setattr(public_web, "is_public", lambda _: True)
    with resolving(monkeypatch, "127.0.0.1"):
        monkeypatch.setattr(public_web, "public_socket", _refusing)
        async with fetching() as fetch:
            assert await fetch(f"http://rebound.example:{inner.port}/") is None
    assert inner.asked == []


def _refusing(_: object) -> socket.socket:
    raise OSError("not a public host")


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{other}/secret",
        "http://localhost:{other}/secret",
        "http://2130706433:{other}/secret",
        "http://[::ffff:127.0.0.1]:{other}/secret",
        "http://169.254.169.254/latest/meta-data/",
        "//127.0.0.1:{other}/secret",
        "http://user@127.0.0.1:{other}/secret",
        "file:///etc/passwd",
        "http://[",
        "",
    ],
)
async def test_no_redirect_leads_to_what_is_not_public(inner: Inner, location: str) -> None:
    async with listening_also(inner) as other:
        inner.location = location.format(other=other)
        async with fetching(frozenset({f"127.0.0.1:{inner.port}"})) as fetch:
            assert await fetch(f"http://127.0.0.1:{inner.port}/away") is None
    assert set(inner.asked) == {"/away"}


@asynccontextmanager
async def listening_also(inner: Inner) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", inner.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def test_an_address_that_leads_on_without_end_is_given_up(inner: Inner) -> None:
    inner.location = "/away"
    async with fetching(frozenset({f"127.0.0.1:{inner.port}"})) as fetch:
        assert await fetch(f"http://127.0.0.1:{inner.port}/away") is None
    assert len(inner.asked) == public_web.MAX_REDIRECTS + 1


async def test_all_addresses_on_the_way_share_one_deadline(
    inner: Inner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public_web, "TIMEOUT_S", 2)
    inner.location = "/slow"
    async with fetching(frozenset({f"127.0.0.1:{inner.port}"})) as fetch:
        assert await fetch(f"http://127.0.0.1:{inner.port}/away") is None
    assert inner.asked == ["/away", "/slow"]


async def test_a_name_and_a_password_in_a_link_are_sent_to_nobody(inner: Inner) -> None:
    async with fetching(frozenset({f"127.0.0.1:{inner.port}"})) as fetch:
        assert await fetch(f"http://ann:secret@127.0.0.1:{inner.port}/a.png") == b"secret"
    (headers,) = inner.headers
    assert "Authorization" not in headers
    assert "Cookie" not in headers


async def test_a_proxy_of_the_environment_is_no_way_around(
    inner: Inner, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{inner.port}")
    async with fetching() as fetch:
        with resolving(monkeypatch, "127.0.0.1"):
            for address in ("http://10.0.0.1/a.png", "http://inside.example/a.png"):
                assert await fetch(address) is None
    assert inner.asked == []
