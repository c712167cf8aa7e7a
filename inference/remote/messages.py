"""A conversation as the servers' protocol has it: pictures as data addresses.

Run it in a thread: a picture of megabytes takes longer than the loop may be held.
"""

from __future__ import annotations

import base64
import io
import json
from typing import Any

from inference.remote.defusing import defused
from inference.remote.kinds import Kind
from inference.types import GenerationRequest, Message, Picture, Role, Sampling

JPEG_QUALITY = 90


def body_of(
    request: GenerationRequest,
    *,
    model: str,
    kind: Kind,
    max_tokens: int,
    thinking: bool,
    max_picture_bytes: int,
    begun: str = "",
) -> bytes:
    """The request's JSON. `begun`: the answer so far, which the model is to continue."""
    messages = messages_of(request.messages, max_picture_bytes=max_picture_bytes)
    sampling = request.sampling
    body: dict[str, Any] = {
        "model": model,
        "messages": messages,
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        **_further(sampling, kind),
    }
    if kind.has_template_switches:
        body["chat_template_kwargs"] = {"enable_thinking": thinking}
    if begun:
        messages.append({"role": "assistant", "content": begun})
        body |= {"continue_final_message": True, "add_generation_prompt": False}
    return json.dumps(body).encode()


def _further(sampling: Sampling, kind: Kind) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if sampling.seed is not None:
        given["seed"] = sampling.seed
    if kind.samples_further:
        if sampling.top_k:
            given["top_k"] = sampling.top_k
        if sampling.ignore_eos:
            given["ignore_eos"] = True
    return given


def messages_of(
    messages: tuple[Message, ...], *, max_picture_bytes: int, with_pictures: bool = True
) -> list[dict[str, Any]]:
    """The messages' JSON. `with_pictures`: false leaves their text alone."""
    return [
        {
            "role": message.role.value,
            "content": _parts(message, max_picture_bytes)
            if with_pictures and message.pictures
            else _text(message),
        }
        for message in messages
    ]


def _text(message: Message) -> str:
    """The system's text is the operator's; all other is, or quotes, what people wrote."""
    return message.text if message.role is Role.SYSTEM else defused(message.text)


def _parts(message: Message, max_picture_bytes: int) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": data_address(picture, max_picture_bytes)}}
        for picture in message.pictures
    ]
    if message.text:
        parts.append({"type": "text", "text": _text(message)})
    return parts


def data_address(picture: Picture, max_bytes: int) -> str:
    """A picture within an address. One that is too large is sent as a JPEG."""
    data = picture.data
    if len(data) > max_bytes:
        data = _as_jpeg(data)
    kind = "png" if data.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _as_jpeg(data: bytes) -> bytes:
    """Smaller bytes of the same pixels; the picture is normalised, so it opens."""
    from PIL import Image

    out = io.BytesIO()
    with Image.open(io.BytesIO(data)) as opened:
        opened.convert("RGB").save(out, "JPEG", quality=JPEG_QUALITY)
    return min(out.getvalue(), data, key=len)
