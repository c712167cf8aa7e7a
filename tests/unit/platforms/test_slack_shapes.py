"""Whatever Slack puts in a message's fields, the pictures beside it are found."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.platforms.slack.pictures.places import attachments_of, file_attachment
from bot.platforms.slack.shapes import well_formed, well_formed_file

NAMES = (
    "accessory", "alt_text", "attachments", "blocks", "child_blocks", "elements", "external_id",
    "fields", "file", "file_id", "filename", "files", "filetype", "from_url", "id", "image_url",
    "is_external", "list", "message", "message_blocks", "mimetype", "mode", "name", "rows", "size",
    "slack_file", "subtype", "text", "thumb_url", "title", "type", "url", "url_private", "value",
    "video_html", "video_url", "unheard_of",
)  # fmt: skip
KINDS = ("image", "video", "file", "link", "mrkdwn", "section", "context", "rich_text", "table")
SINGLE = st.sampled_from([None, True, 3, 0.5, "x", "https://example.org/odd.png", *KINDS])


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    fields = st.dictionaries(st.sampled_from(NAMES), inner, max_size=5)
    typed = st.builds(lambda kind, rest: rest | {"type": kind}, st.sampled_from(KINDS), fields)
    return st.lists(inner, max_size=3) | fields | typed


ANYTHING = st.recursive(SINGLE, _containers, max_leaves=12)
GOOD: dict[str, dict[str, Any]] = {
    "files": {"id": "F1", "name": "f.png", "url_private": "https://files.slack.com/f.png"},
    "attachments": {"image_url": "https://example.org/a.png"},
    "blocks": {"type": "image", "image_url": "https://example.org/b.png"},
}


def names(message: Any) -> set[str]:
    return {found.name for found in attachments_of(well_formed(message), links=True)}


@given(
    st.fixed_dictionaries({field: st.lists(ANYTHING, max_size=3) for field in GOOD}),
    st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=3),
)
def test_good_pictures_are_found_beside_anything(
    odd: dict[str, list[Any]], others: dict[str, Any]
) -> None:
    good = {field: [*odd[field], GOOD[field]] for field in GOOD}
    assert names(others | good) >= {"f.png", "a.png", "b.png"}


@pytest.mark.parametrize("odd", [None, 3, True, "x", [], ["x", None, [3]], {}, {"x": "y"}])
@pytest.mark.parametrize("field", NAMES)
def test_a_field_of_any_shape_is_passed_over_wherever_it_is(field: str, odd: Any) -> None:
    context = {"type": "context", "elements": [odd, GOOD["blocks"] | {field: odd}, GOOD["blocks"]]}
    message = {
        field: odd,
        "files": [odd, GOOD["files"] | {"id": "F2", field: odd}, GOOD["files"]],
        "attachments": [odd, {field: odd}, {"blocks": "x"}, GOOD["attachments"]],
        "blocks": [odd, {"type": "table", "rows": [[{"type": "file", field: odd}]]}, context],
    }
    assert names(message) >= {"f.png", "a.png", "b.png"}


@given(ANYTHING)
def test_a_file_that_was_looked_up_may_have_any_shape(odd: Any) -> None:
    assert isinstance(json.loads(file_attachment(well_formed_file(odd)).ref), dict)
