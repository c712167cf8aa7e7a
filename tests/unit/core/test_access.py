"""Who may ask, and who is told that they may not."""

from __future__ import annotations

import pytest

from bot.composition import _allow_lists
from bot.configuration import load_configuration
from bot.core import access
from bot.core.access import Access, AllowList
from bot.values.messages import Author, ThreadKey

ANN = Author(id="U1", team="T1")
STRANGER = Author(id="U2", team="T2")
"""Of another workspace, in a channel that both share."""


def thread(channel: str = "C1", *, team: str = "T1") -> ThreadKey:
    return ThreadKey(platform="slack", team=team, channel=channel, thread="1")


@pytest.mark.parametrize(
    ("allow", "channel", "author", "may"),
    [
        (AllowList(), "C1", STRANGER, True),
        (AllowList(teams=frozenset({"T1"})), "C1", ANN, True),
        (AllowList(teams=frozenset({"T1"})), "C1", STRANGER, False),
        (AllowList(teams=frozenset({"T1", "T2"})), "C1", STRANGER, True),
        (AllowList(teams=frozenset({"T1"})), "C1", Author(id="U3"), True),
        (AllowList(users=frozenset({"U2"})), "C1", STRANGER, True),
        (AllowList(users=frozenset({"U2"})), "C1", ANN, False),
        (AllowList(direct_prefix="D"), "D1", ANN, True),
        (AllowList(direct_prefix="D", direct=False), "D1", ANN, False),
        (AllowList(direct_prefix="D", direct=False), "C1", ANN, True),
        (AllowList(direct_prefix="D", users=frozenset({"U2"})), "D1", ANN, False),
        (AllowList(admins=frozenset({"U1"}), users=frozenset({"U2"})), "C1", ANN, False),
    ],
)
def test_lists_say_who_may_ask_where(
    allow: AllowList, channel: str, author: Author, may: bool
) -> None:
    assert Access({"slack": allow}).allows(thread(channel), author) is may


def test_somebody_is_told_once_an_hour_and_channel_that_they_may_not_ask(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0

    def clock() -> float:
        return now

    monkeypatch.setattr(access, "monotonic", clock)
    who_may = Access({})
    assert [who_may.says_no(thread(), ANN) for _ in range(3)] == [True, False, False]
    assert who_may.says_no(thread("C2"), ANN)
    assert who_may.says_no(thread(), STRANGER)
    now = access.TOLD_S + 1
    assert who_may.says_no(thread(), ANN)


def test_where_refusals_are_silent_nobody_is_told() -> None:
    assert not Access({}, is_silent=True).says_no(thread(), ANN)


def test_admins_are_those_of_their_platform() -> None:
    who_may = Access({"slack": AllowList(admins=frozenset({"U1"}))})
    assert who_may.is_admin("slack", "U1")
    assert not who_may.is_admin("slack", "U2")
    assert not who_may.is_admin("discord", "U1")


def test_settings_make_the_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_ADMINS", "U1,U2")
    monkeypatch.setenv("SLACK_DIRECT_MESSAGES", "false")
    monkeypatch.setenv("DISCORD_ADMINS", "3")
    monkeypatch.setenv("DISCORD_DIRECT_MESSAGES", "false")
    lists = _allow_lists(load_configuration())
    assert lists["slack"] == AllowList(
        admins=frozenset({"U1", "U2"}), direct=False, direct_prefix="D"
    )
    assert lists["discord"] == AllowList(admins=frozenset({"3"}), direct=False)
