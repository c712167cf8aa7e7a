"""Names of files: whether they may be pictures', and how they are shown."""

from __future__ import annotations

PICTURE_SUFFIXES = {
    ".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif",
    ".mp4", ".m4v", ".mov", ".webm",
}  # fmt: skip
"""Names of files that may be pictures end in one of these; the bytes decide."""
DOCUMENT_SUFFIXES = {".pdf"}
"""Names of files that may be documents."""

MAX_NAME_LENGTH = 60


def short_name(name: str) -> str:
    """A file's name as it is shown: one line, at most `MAX_NAME_LENGTH` characters."""
    printable = "".join(c if c.isprintable() else " " for c in name).strip() or "picture"
    if len(printable) <= MAX_NAME_LENGTH:
        return printable
    return f"{printable[: MAX_NAME_LENGTH - 12]}…{printable[-11:]}"
