"""What Slack takes of blocks, and how it refuses."""

from __future__ import annotations

from typing import Any

MARKDOWN, BLOCKS = 12_000, 50
BLOCK_TYPES = {
    "actions", "context", "context_actions", "divider", "header", "image", "input", "markdown",
    "section",
}  # fmt: skip


class ApiError(Exception):
    """An answer of ``ok: false``."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.body = {"ok": False, "error": error, **more}


def check_blocks(blocks: list[dict[str, Any]]) -> None:
    """Raises: ApiError."""
    if len(blocks) > BLOCKS:
        raise ApiError("msg_blocks_too_many")
    if sum(len(b["text"]) for b in blocks if b.get("type") == "markdown") > MARKDOWN:
        raise ApiError("msg_too_long")
    for block in blocks:
        if block.get("type") not in BLOCK_TYPES:
            raise ApiError("invalid_blocks", detail=f"type {block.get('type')}")
        if block["type"] == "markdown" and not block["text"]:
            raise ApiError("invalid_blocks", detail="empty markdown")
        elements = block.get("elements", [])
        if len(block.get("block_id", "")) > 255:
            raise ApiError("invalid_blocks", detail="block_id")
        if block["type"] in {"actions", "context", "context_actions"} and not (
            1 <= len(elements) <= (25 if block["type"] == "actions" else 10)
        ):
            raise ApiError("invalid_blocks", detail="elements")
        for element in elements:
            _check_element(block["type"], element)


def _check_element(block_type: str, element: dict[str, Any]) -> None:
    if block_type == "context" and not 1 <= len(element.get("text", "")) <= 3000:
        raise ApiError("invalid_blocks", detail="context")
    if element.get("type") == "button":
        if not 1 <= len(element["text"]["text"]) <= 75 or len(element.get("value", "")) > 2000:
            raise ApiError("invalid_blocks", detail="button")
        if not 1 <= len(element["action_id"]) <= 255:
            raise ApiError("invalid_blocks", detail="action_id")
    if element.get("type") == "static_select":
        _check_menu(element)
    if element.get("type") == "feedback_buttons":
        for side in ("positive_button", "negative_button"):
            if not 1 <= len(element[side]["text"]["text"]) <= 75:
                raise ApiError("invalid_blocks", detail=side)


def _check_menu(element: dict[str, Any]) -> None:
    if not 1 <= len(element["options"]) <= 100 or len(element["placeholder"]["text"]) > 150:
        raise ApiError("invalid_blocks", detail="static_select")
    for option in element["options"]:
        if not 1 <= len(option["text"]["text"]) <= 75 or len(option["value"]) > 150:
            raise ApiError("invalid_blocks", detail="option")
