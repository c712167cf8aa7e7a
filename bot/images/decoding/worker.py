"""A decoding process: `python -m bot.images.decoding.worker`, started by the bot."""

from __future__ import annotations

from typing import Any

from bot.errors import PictureRefused
from bot.images.decoding.limits import DecodingLimits
from bot.images.decoding.results import result_of_picture, result_of_refusal
from bot.images.decoding.serving import Work, serve
from bot.images.documents import work as documents
from bot.images.normalise import normalise, prepare


def main() -> None:
    """Decode one picture after the other, until the bot closes its end."""
    serve(Work(prepare=_prepare, limits_of=DecodingLimits.from_json, result_of=_result_of))


def _prepare() -> None:
    prepare()
    documents.prepare()


def _result_of(data: bytes, limits: DecodingLimits) -> tuple[dict[str, Any], bytes]:
    try:
        match limits.task.kind:
            case "survey":
                return documents.survey(data, limits)
            case "page":
                return documents.page(data, limits)
            case _:
                return result_of_picture(normalise("", data, limits.pictures))
    except PictureRefused as refusal:
        return result_of_refusal(refusal), b""
    except MemoryError:
        return result_of_refusal(PictureRefused("picture_too_much_memory", name="")), b""


if __name__ == "__main__":
    main()
