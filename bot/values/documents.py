"""Documents: files whose pages become pictures, as many as a question needs.

Pure; imports nothing of ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

DocumentSuffix = Literal["pdf", "tif", "txt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SentDocument:
    """A document that came with a question."""

    name: str = field(repr=False)
    """The file's, shortened."""
    digest: str
    """SHA-256 of `data`, hexadecimal."""
    data: bytes = field(repr=False)
    """What is kept of it: the file, or the bounded text of a text file."""
    suffix: DocumentSuffix
    num_pages: int = 0
    """0: it is text alone."""
    texts: tuple[str, ...] = field(default=(), repr=False)
    """Of the first pages, the text that the file holds; empty where a page has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDocument:
    """A document of a thread. Its bytes are read with `Store.documents`."""

    id: int
    digest: str
    """Empty: it had to make room for newer files."""
    file: str
    """Where its bytes are, for the store alone."""
    name: str = field(repr=False)
    suffix: str
    num_pages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOf:
    """What page a picture shows."""

    document: str
    """The document's digest."""
    number: int
    """From 1."""
    text: str = field(default="", repr=False)
    """What the file itself says is written there; empty where it does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPage:
    """The same, of a picture in the store."""

    document: int
    """The document's id."""
    number: int
    num_pages: int
    """Of the document."""
    name: str = field(repr=False)
    """The document's."""
    text: str = field(default="", repr=False)
