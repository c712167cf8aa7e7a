"""What a file is by its name and media type, before a byte of it is fetched."""

from __future__ import annotations

from pathlib import PurePosixPath

from bot.images.file_names import DOCUMENT_SUFFIXES, OFFICE_SUFFIXES, PICTURE_SUFFIXES

SVG = "image/svg+xml"
VIDEOS = {"video/mp4", "video/quicktime", "video/webm", "video/x-m4v", "video/x-matroska"}
"""Their frames are looked at."""
KINDS = {
    SVG: "what_svg",
    "application/msword": "what_document",
    "application/rtf": "what_document",
    "application/x-7z-compressed": "what_archive",
    "application/x-tar": "what_archive",
    "application/xhtml+xml": "what_html",
    "application/zip": "what_archive",
    "message/rfc822": "what_email",
    "text/html": "what_html",
    "text/rtf": "what_document",
}
FAMILIES = {
    "audio/": "what_audio",
    "video/": "what_video",
    "application/vnd.google-apps.": "what_document",
    "application/vnd.ms-": "what_document",
    "application/vnd.oasis.opendocument.": "what_document",
    "application/vnd.openxmlformats-officedocument.": "what_document",
}
"""By how the media type begins."""


def kind_of(name: str, media_type: str | None) -> str:
    """The text key of a file's kind; empty when it may be a picture or a document.

    Then its bytes decide. Platforms guess media types, so a name that ends as such a file's is
    enough to look at the bytes.
    """
    media_type = (media_type or "").partition(";")[0].strip().lower()
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in PICTURE_SUFFIXES | DOCUMENT_SUFFIXES or media_type in VIDEOS:
        return ""
    if suffix in OFFICE_SUFFIXES:
        return "what_document"
    known = KINDS.get(media_type)
    if known is not None:
        return known
    return next((kind for begin, kind in FAMILIES.items() if media_type.startswith(begin)), "")
