"""Whose request is it: the peer's, unless a trusted proxy says for whom it asks."""

from __future__ import annotations

import logging

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from bot.platforms.listening.senders import Senders, sender_of
from bot.platforms.web.settings import PlaygroundSettings

PROXY = "10.0.0.1"


def sender(peer: str, *forwarded: str, trusted: tuple[str, ...] = (PROXY,)) -> str:
    headers = CIMultiDict(("X-Forwarded-For", value) for value in forwarded)
    request = make_mocked_request("GET", "/", headers=headers)
    return Senders(trusted).of(request.clone(remote=peer))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.7", (), "203.0.113.7"),
        # Anybody can write the header; only a proxy's word counts.
        ("203.0.113.7", ("198.51.100.1",), "203.0.113.7"),
        (PROXY, ("198.51.100.1",), "198.51.100.1"),
        (PROXY, ("1.1.1.1, 198.51.100.1",), "198.51.100.1"),
        (PROXY, (f"1.1.1.1, 198.51.100.1, {PROXY}",), "198.51.100.1"),
        (PROXY, ("198.51.100.1:4711",), "198.51.100.1"),
        (PROXY, ("[2001:db8:1:2:3::4]:4711",), "2001:db8:1::/48"),
        (PROXY, ("::ffff:198.51.100.1",), "198.51.100.1"),
        (PROXY, (), PROXY),
        (PROXY, ("",), PROXY),
        (PROXY, ("unknown",), PROXY),
        (PROXY, ("198.51.100.1, _hidden",), PROXY),
        (PROXY, (f"{PROXY}, {PROXY}",), PROXY),
        (PROXY, (", ".join([PROXY] * 5000 + ["x"]),), PROXY),
        ("::ffff:10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("2001:db8:1:2:aaaa::1", (), "2001:db8:1::/48"),
        ("fe80::1%eth0", (), "fe80::/48"),
        ("", (), ""),
    ],
)
def test_the_last_address_that_no_trusted_proxy_has_is_the_sender(
    peer: str, forwarded: tuple[str, ...], expected: str
) -> None:
    assert sender(peer, *forwarded) == expected


def test_networks_can_be_trusted() -> None:
    assert sender("10.0.0.9", "198.51.100.1", trusted=("10.0.0.0/24", "fd00::/8")) == "198.51.100.1"
    assert sender("fd00::2", "198.51.100.1", trusted=("10.0.0.0/24", "fd00::/8")) == "198.51.100.1"
    assert sender("10.0.1.9", "198.51.100.1", trusted=("10.0.0.0/24", "fd00::/8")) == "10.0.1.9"


def test_a_peer_has_the_sender_that_its_requests_have() -> None:
    for peer in ("203.0.113.7", "2001:db8:1:2:aaaa::1", "::ffff:10.0.0.1"):
        assert sender_of(peer) == sender(peer, trusted=())


def test_a_proxy_that_nobody_named_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    senders = Senders(setting="X_PROXIES")
    request = make_mocked_request("GET", "/", headers={"X-Forwarded-For": "198.51.100.1"})
    with caplog.at_level(logging.WARNING):
        senders.of(request.clone(remote="8.8.8.8"))  # a visitor who wrote it
        assert not caplog.records
        for _ in range(3):
            senders.of(request.clone(remote="127.0.0.1"))
    (record,) = caplog.records
    assert "X_PROXIES" in record.getMessage()
    assert "198.51.100.1" not in record.getMessage()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trusted_proxies", "proxy.example"),
        ("trusted_proxies", "10.0.0.0/99"),
        ("allowed_hosts", "https://bot.example"),
        ("allowed_hosts", "bot.example:443"),
    ],
)
def test_a_setting_that_is_no_name_or_address_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="are given"):
        PlaygroundSettings.model_validate({name: value})


def test_several_are_given_between_commas_or_spaces() -> None:
    settings = PlaygroundSettings.model_validate(
        {"trusted_proxies": "127.0.0.1, 10.0.0.0/8", "allowed_hosts": "a.example ::1"}
    )
    assert settings.trusted_proxies == {"127.0.0.1", "10.0.0.0/8"}
    assert settings.allowed_hosts == {"a.example", "::1"}
