"""Keys tell threads and users apart."""

from __future__ import annotations

from itertools import product

from bot.values.messages import ThreadKey, UserKey

ODD_IDS = ("", "a", "b", "/", "a/", "/b", "a/b", "%2F", "a%2Fb", "猫")


def test_different_threads_have_different_ids() -> None:
    keys = [
        ThreadKey(platform="p", team=team, channel=channel, thread=thread)
        for team, channel, thread in product(ODD_IDS, repeat=3)
    ]
    assert len({key.id_everywhere for key in keys}) == len(keys)


def test_different_users_have_different_ids() -> None:
    keys = [UserKey(platform=platform, id=id_) for platform, id_ in product(ODD_IDS, repeat=2)]
    assert len({key.id_everywhere for key in keys}) == len(keys)
