"""What Slack sends, in the shape that the adapter reads; fields of another shape are left out.

A message has many optional fields, and each of its files, attachments and blocks may be of a kind
that is newer than this code. One odd field must not lose the message, or others beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def is_ts(value: Any) -> bool:
    """Whether it is Slack's ``1700000000.000100``: seconds since 1970, made unique."""
    try:
        return isinstance(value, str) and math.isfinite(float(value))
    except ValueError:
        return False


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


Shapes = dict[str, Callable[[Any], bool]]

ANYWHERE: Shapes = {
    **dict.fromkeys(("attachments", "blocks", "elements", "fields", "files"), _is_list),
    "message_blocks": _is_list,
    **dict.fromkeys(("accessory", "edited", "file", "list", "message", "metadata"), _is_mapping),
    **dict.fromkeys(("previous_message", "root", "slack_file"), _is_mapping),
    **dict.fromkeys(("deleted_ts", "latest_reply", "thread_ts", "ts"), is_ts),
    **dict.fromkeys(("bot_id", "channel", "channel_type", "subtype", "team"), _is_text),
    **dict.fromkeys(("type", "user", "user_team"), _is_text),
    "size": _is_size,
}
MESSAGE: Shapes = ANYWHERE | {"text": _is_text}
"""In a block, a text is a mapping."""
FILE: Shapes = ANYWHERE | {
    **dict.fromkeys(("id", "mimetype", "mode", "name", "title"), _is_text),
    **dict.fromkeys(("url_private", "url_private_download"), _is_text),
}
OF: Mapping[str, Shapes] = {
    "file": FILE,
    "files": FILE,
    "list": FILE,
    "message": MESSAGE,
    "previous_message": MESSAGE,
    "root": MESSAGE,
    "slack_file": FILE,
}


def well_formed(message: Any) -> dict[str, Any]:
    """A message, or an event about one, in its shape; empty where it is none."""
    return _kept(message, MESSAGE) if _is_mapping(message) else {}


def well_formed_file(file: Any) -> dict[str, Any]:
    """A file in its shape; empty where it is none."""
    return _kept(file, FILE) if _is_mapping(file) else {}


def _kept(value: Mapping[str, Any], shapes: Shapes) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, field in value.items():
        if name in shapes and not shapes[name](field):
            continue
        inner = OF.get(name, ANYWHERE)
        kept[name] = _within(field, inner)
        if shapes.get(name) is _is_list:
            items = filter(_is_mapping, kept[name])
            kept[name] = [item for item in items if name != "files" or item.get("id")]
    return kept


def _within(field: Any, shapes: Shapes) -> Any:
    """A field, with all mappings in it, however deep in lists, in their shape: rows hold cells."""
    if isinstance(field, Mapping):
        return _kept(field, shapes)
    if isinstance(field, list):
        return [_within(item, shapes) for item in field]
    return field
