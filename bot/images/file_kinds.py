"""Files that are no pictures, told by how their platform describes them: no byte is fetched."""

from __future__ import annotations

from pathlib import PurePosixPath

from bot.errors import PictureRefused
from bot.images.normalise import PICTURE_SUFFIXES, short_name
from bot.texts import say

SVG = "image/svg+xml"
KINDS = {
    SVG: "what_svg",
    "application/json": "what_text",
    "application/msword": "what_document",
    "application/pdf": "what_pdf",
    "application/rtf": "what_document",
    "application/x-7z-compressed": "what_archive",
    "application/x-tar": "what_archive",
    "application/xhtml+xml": "what_html",
    "application/xml": "what_text",
    "application/zip": "what_archive",
    "message/rfc822": "what_email",
    "text/html": "what_html",
}
FAMILIES = {
    "audio/": "what_audio",
    "video/": "what_video",
    "text/": "what_text",
    "application/vnd.google-apps.": "what_document",
    "application/vnd.ms-": "what_document",
    "application/vnd.oasis.opendocument.": "what_document",
    "application/vnd.openxmlformats-officedocument.": "what_document",
}
"""Media types that begin so."""

SENTENCES = {
    "what_archive": "picture_is_other",
    "what_audio": "picture_is_other",
    "what_sticker": "sticker_unknown",
    "what_video": "picture_is_video",
    "what_voice": "picture_is_other",
}
"""What else is shown on a screen can be sent as a screenshot."""


def kind_of(name: str, media_type: str | None) -> str:
    """The key of the words for what a file is; empty when it may be a picture: its bytes decide.

    Platforms guess the media type: where the name or the type says picture, neither is believed.
    """
    media_type = (media_type or "").partition(";")[0].strip().lower()
    if PurePosixPath(name).suffix.lower() in PICTURE_SUFFIXES:
        return ""
    known = KINDS.get(media_type)
    if known is not None:
        return known
    return next((kind for begin, kind in FAMILIES.items() if media_type.startswith(begin)), "")


class OtherKind(PictureRefused):
    """Something else than a picture; the sentence names what it is, and the way out."""

    def __init__(self, name: str, kind: str) -> None:
        super().__init__(SENTENCES.get(kind, "picture_is_document"), name=short_name(name))
        self.kind = kind

    def sentence(self, locale: str) -> str:
        """In the asker's language, the kind of file too."""
        return say(locale, self.key, **self.values, what=say(locale, self.kind))
