"""The local Slack, checked against Slack's published reference where that is at hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.servers.slack.reference import NOT_AT_HAND, REFERENCE
from tests.servers.slack.tiers import TIERS
from tests.servers.slack.web_api import METHODS

pytestmark = pytest.mark.skipif(REFERENCE is None, reason=NOT_AT_HAND)

# Newer than the reference, or general: the pages of single methods do not list them.
GENERAL_ERRORS = {"invalid_auth", "not_authed", "missing_scope", "invalid_arguments", "ratelimited"}


def reference(method: str) -> dict[str, Any]:
    assert REFERENCE is not None
    file = REFERENCE / "slack-methods" / f"{method}.json"
    if not file.exists():
        pytest.skip(f"{method} is not in the reference")
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("method", METHODS)
def test_it_takes_the_arguments_that_slack_takes(method: str) -> None:
    arguments = reference(method)["args"]
    known = set(arguments["properties"]) - {"token"}
    assert METHODS[method].required | METHODS[method].optional <= known
    required = set(arguments.get("required", ())) - {"token"}
    if method == "chat.appendStream":  # the SDK sends chunks instead, and Slack takes them
        required -= {"markdown_text"}
    assert METHODS[method].required >= required - METHODS[method].optional
    assert required <= METHODS[method].required | METHODS[method].optional


@pytest.mark.parametrize("method", METHODS)
def test_it_needs_the_scopes_that_slack_needs(method: str) -> None:
    scopes = set((reference(method).get("scope") or {}).get("bot", ()))
    if scopes and METHODS[method].scopes:
        assert METHODS[method].scopes <= scopes | {"assistant:write"}


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("chat.update", "streaming_state_conflict"),
        ("chat.update", "message_not_found"),
        ("chat.update", "cant_update_message"),
        ("chat.update", "msg_too_long"),
        ("chat.update", "edit_window_closed"),
        ("chat.startStream", "channel_type_not_supported"),
        ("chat.startStream", "missing_recipient_team_id"),
        ("chat.startStream", "missing_recipient_user_id"),
        ("chat.startStream", "restricted_action"),
        ("chat.appendStream", "message_not_in_streaming_state"),
        ("chat.appendStream", "message_not_found"),
        ("chat.stopStream", "message_not_in_streaming_state"),
        ("chat.postMessage", "not_in_channel"),
        ("chat.postMessage", "is_archived"),
        ("conversations.replies", "thread_not_found"),
        ("files.info", "file_not_found"),
        ("users.info", "user_not_found"),
        ("views.open", "invalid_trigger_id"),
        ("agents.sessions.setStatus", "feature_disabled"),
        ("agents.sessions.setStatus", "thread_ts_required"),
        ("agents.sessions.setStatus", "invalid_status"),
    ],
)
def test_its_errors_are_slacks(method: str, error: str) -> None:
    assert error in set(reference(method)["errors"]) | GENERAL_ERRORS


@pytest.mark.parametrize("method", TIERS)
def test_the_tiers_are_slacks(method: str) -> None:
    assert reference(method)["rate_limits"] == f"t{TIERS[method]}"
