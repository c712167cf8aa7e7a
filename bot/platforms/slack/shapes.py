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
    return isinstance(value, int)


Shapes = dict[str, Callable[[Any], bool]]

ANYWHERE: Shapes = {
    **dict.fromkeys(("attachments", "blocks", "elements", "files", "message_blocks"), _is_list),
    **dict.fromkeys(("accessory", "edited", "message", "metadata", "slack_file"), _is_mapping),
    **dict.fromkeys(("previous_message", "root"), _is_mapping),
    **dict.fromkeys(("deleted_ts", "latest_reply", "thread_ts", "ts"), is_ts),
    **dict.fromkeys(("bot_id", "channel", "channel_type", "subtype", "team"), _is_text),
    **dict.fromkeys(("type", "user", "user_team"), _is_text),
}
MESSAGE: Shapes = ANYWHERE | {"text": _is_text}
"""In a block, a text is a mapping."""
FILE: Shapes = ANYWHERE | {
    **dict.fromkeys(("id", "mimetype", "mode", "name", "title"), _is_text),
    **dict.fromkeys(("url_private", "url_private_download"), _is_text),
    "size": _is_size,
}
OF: Mapping[str, Shapes] = {
    "files": FILE,
    "message": MESSAGE,
    "previous_message": MESSAGE,
    "root": MESSAGE,
    "slack_file": FILE,
}


def well_formed(message: Any) -> dict[str, Any]:
    """A message, or an event about one, in its shape; empty where it is none."""
    return _kept(message, MESSAGE) if _is_mapping(message) else {}


def _kept(value: Mapping[str, Any], shapes: Shapes) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, field in value.items():
        if name in shapes and not shapes[name](field):
            continue
        inner = OF.get(name, ANYWHERE)
        if isinstance(field, Mapping):
            kept[name] = _kept(field, inner)
        elif isinstance(field, list) and shapes.get(name) is _is_list:
            items = [_kept(item, inner) for item in field if _is_mapping(item)]
            kept[name] = [item for item in items if name != "files" or item.get("id")]
        else:
            kept[name] = field
    return kept
