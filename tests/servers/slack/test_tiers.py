"""The local Slack's rates are Slack's."""

from __future__ import annotations

import pytest

from tests.servers.slack.tiers import CALLS_PER_MINUTE, TIERS
from tests.servers.slack.web_api import METHODS


def test_every_method_has_a_tier() -> None:
    assert set(METHODS) - set(TIERS) == {"files.delete", "users.conversations"}


@pytest.mark.parametrize("method", TIERS)
def test_the_local_slack_limits_as_slack_does(method: str) -> None:
    if TIERS[method] in CALLS_PER_MINUTE:
        assert METHODS[method].per_minute == CALLS_PER_MINUTE[TIERS[method]]
