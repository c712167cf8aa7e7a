"""The messages of a chat completion, as OpenAI's interface has them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from bot.core.completions.asked import AskedMessage, PictureFile
from bot.platforms.api.bodies import Body, decode_base64
from bot.platforms.api.errors import ApiRefusal
from bot.values.cleaning import clean_words
from inference.types import Role

ROLES: Final = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
}
TOOL_ROLES: Final = frozenset({"tool", "function"})
MAX_MESSAGES: Final = 1000


@dataclass(frozen=True, slots=True)
class Link:
    """A picture that has to be fetched."""

    address: str = field(repr=False)
    param: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedMessage:
    """A message whose pictures are files or are still to be fetched."""

    role: Role
    text: str = field(repr=False)
    pictures: tuple[bytes | Link, ...] = field(default=(), repr=False)


def parse_messages(body: Body) -> tuple[ParsedMessage, ...]:
    """The conversation: what instructs the model first, and somebody's question last.

    Raises: ApiRefusal: names the field that is wrong.
    """
    given = body.json.get("messages")
    if not isinstance(given, list) or not 0 < len(given) <= MAX_MESSAGES:
        raise _wrong("messages", "api_messages", limit=MAX_MESSAGES)
    parsed = [_message(one, f"messages[{index}]", body) for index, one in enumerate(given)]
    said = [message for message in parsed if message.role is not Role.SYSTEM]
    if not said or said[-1].role is not Role.USER:
        raise _wrong("messages", "api_last_message")
    if not said[-1].pictures and not clean_words(said[-1].text):
        raise _wrong(f"messages[{len(given) - 1}].content", "api_empty")
    if said[0].role is not Role.USER:  # formats of prompts begin with a question
        said.insert(0, ParsedMessage(role=Role.USER, text=""))
    system = "\n\n".join(message.text for message in parsed if message.role is Role.SYSTEM)
    instructed = [ParsedMessage(role=Role.SYSTEM, text=system)] if clean_words(system) else []
    return (*instructed, *said)


def links_of(messages: Iterable[ParsedMessage]) -> tuple[Link, ...]:
    """What has to be fetched, in order."""
    return tuple(
        picture for message in messages for picture in message.pictures if isinstance(picture, Link)
    )


def asked_messages(
    messages: Iterable[ParsedMessage], fetched: dict[Link, bytes]
) -> tuple[AskedMessage, ...]:
    """The messages with what was fetched for them."""
    return tuple(
        AskedMessage(
            role=message.role,
            text=message.text,
            pictures=tuple(
                PictureFile(fetched[picture] if isinstance(picture, Link) else picture)
                for picture in message.pictures
            ),
        )
        for message in messages
    )


def _message(given: Any, param: str, body: Body) -> ParsedMessage:
    if not isinstance(given, dict):
        raise _wrong(param, "api_field", field=param)
    role = given.get("role")
    if not isinstance(role, str):
        raise _wrong(f"{param}.role", "api_role")
    if role in TOOL_ROLES or given.get("tool_calls") or given.get("function_call"):
        raise _wrong(f"{param}.role", "api_tools")
    if role not in ROLES:
        raise _wrong(f"{param}.role", "api_role")
    content = given.get("content")
    texts: list[str] = []
    pictures: list[bytes | Link] = []
    if isinstance(content, str):
        texts.append(_text(content, f"{param}.content", body))
    elif isinstance(content, list):
        for index, part in enumerate(content):
            _part(part, f"{param}.content[{index}]", body, texts, pictures)
    elif content is not None or ROLES[role] is not Role.ASSISTANT:
        raise _wrong(f"{param}.content", "api_content")
    if pictures and ROLES[role] is not Role.USER:
        raise _wrong(f"{param}.content", "api_whose_picture")
    return ParsedMessage(role=ROLES[role], text="\n".join(texts), pictures=tuple(pictures))


def _part(
    part: Any, param: str, body: Body, texts: list[str], pictures: list[bytes | Link]
) -> None:
    """Add a part of a message's content to its texts or pictures. Raises: ApiRefusal."""
    match part:
        case {"type": "text" | "input_text" | "output_text", "text": str(text)}:
            texts.append(_text(text, f"{param}.text", body))
        case {"type": "image_url" | "input_image", "image_url": {"url": str(address)}}:
            pictures.append(_picture(address, f"{param}.image_url.url", body))
        case {"type": "image_url" | "input_image", "image_url": str(address)}:
            pictures.append(_picture(address, f"{param}.image_url", body))
        case _:
            raise _wrong(param, "api_part")


def _text(text: str, param: str, body: Body) -> str:
    if body.mark in text:
        raise _wrong(param, "api_picture_in_text")
    return text


def _picture(address: str, param: str, body: Body) -> bytes | Link:
    scheme, _, rest = address.partition(":")
    if scheme.lower() in {"http", "https"}:
        return Link(address, param)
    kind, comma, data = rest.partition(",")
    if scheme.lower() != "data" or not comma or not kind.lower().endswith(";base64"):
        raise _wrong(param, "api_address")
    if data in body.pictures:
        return body.pictures[data]
    try:
        return decode_base64(data.encode("ascii"))
    except UnicodeEncodeError:
        raise _wrong(param, "api_base64", code="invalid_image") from None


def _wrong(param: str, key: str, *, code: str | None = None, **values: Any) -> ApiRefusal:
    return ApiRefusal(400, key, param=param, code=code, **values)
