"""Pages and text of a PDF, by pdfium. Slow, and files are hostile: only in a decoding process."""

from __future__ import annotations

import codecs
import contextlib
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pypdfium2
from PIL import Image
from pypdfium2 import raw

from bot.errors import PictureRefused
from bot.images.documents.text_layer import MAX_PAGE_CHARS, is_worth, tidy
from bot.values.limits import PictureLimits

POINTS_PER_INCH = 72
MAX_DPI = 200
"""Pages are drawn at that at most: small print is readable, and more shows nothing new."""
MAX_TEXT_CHARS = 2_000_000
"""Of all pages together."""
SURVEY_SHARE = 0.4
"""Of the processor time of a file, for the text of all its pages; those behind have none."""
FEW_CHARS = 100
"""A page with less text may be a scan with a stamp or a number on it."""
LARGE = 0.5
"""Share of a page from which a picture on it is a scan of it."""
MAX_OBJECTS = 200
"""Of a page, looked at for such a picture."""


def prepare() -> None:
    """Load what any PDF needs, by going through all of it once: a child opens no files.

    pdfium itself begins with the import.
    """
    document = pypdfium2.PdfDocument.new()
    document.init_forms()
    page = document.new_page(8, 8)
    page.render(rev_byteorder=True).to_pil()
    page.get_textpage().get_text_range(count=-1)
    codecs.lookup("utf-16-le")  # of its text: read once there is some
    _is_scan(page)
    document.close()


def survey(data: bytes, limits: PictureLimits) -> tuple[int, list[str]]:
    """How many pages there are, and the text of the first ones, as far as time allows.

    Raises: PictureRefused.
    """
    until = time.process_time() + SURVEY_SHARE * limits.decode_s
    texts: list[str] = []
    with _opened(data) as document:
        num_pages, chars = len(document), 0
        for index in range(num_pages):
            if time.process_time() > until or chars > MAX_TEXT_CHARS:
                break
            texts.append(_text_of(document, index))
            chars += len(texts[-1])
    return num_pages, texts


def render(data: bytes, number: int, limits: PictureLimits) -> tuple[Image.Image, str]:
    """A page as a picture, RGB, and its text.

    Args:
        number: from 1.

    Raises:
        PictureRefused: the page cannot be drawn.
    """
    with _opened(data) as document:
        with contextlib.suppress(pypdfium2.PdfiumError):
            document.init_forms()  # what people have filled in is drawn, too
        try:
            page = document[number - 1]
            width, height = page.get_size()
            scale = _scale(width, height, limits.max_side_px)
            image = page.render(scale=scale, rev_byteorder=True).to_pil()
        except (pypdfium2.PdfiumError, ValueError, IndexError):
            raise PictureRefused("picture_damaged", name="") from None
        return image.convert("RGB"), _text_of(document, number - 1)


@contextmanager
def _opened(data: bytes) -> Iterator[pypdfium2.PdfDocument]:
    """Raises: PictureRefused."""
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as exc:
        is_locked = exc.err_code in {raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY}
        key = "picture_locked" if is_locked else "picture_damaged"
        raise PictureRefused(key, name="") from None
    try:
        if not len(document):
            raise PictureRefused("picture_no_pages", name="")
        yield document
    finally:
        document.close()


def _scale(width: float, height: float, max_side_px: int) -> float:
    """Pixels a point. Raises: ValueError: the page has no size."""
    longest = max(width, height)
    if not 0 < min(width, height) <= longest < float("inf"):
        raise ValueError
    # Sides are rounded up to whole pixels.
    return min(MAX_DPI / POINTS_PER_INCH, (max_side_px - 1) / longest)


def _text_of(document: pypdfium2.PdfDocument, index: int) -> str:
    """A page's text; empty where it has none, or only what is stamped on a scan."""
    try:
        page = document[index]
        text = tidy(page.get_textpage().get_text_range(count=-1))[:MAX_PAGE_CHARS]
        if is_worth(text, FEW_CHARS) or (is_worth(text) and not _is_scan(page)):
            return text
    except pypdfium2.PdfiumError:
        pass
    return ""


def _is_scan(page: pypdfium2.PdfPage) -> bool:
    """Whether a single picture covers most of a page."""
    width, height = page.get_size()
    objects = page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=3)
    for _, found in zip(range(MAX_OBJECTS), objects, strict=False):
        left, bottom, right, top = found.get_bounds()
        covered = max(0.0, min(right, width) - max(left, 0)) * max(
            0.0, min(top, height) - max(bottom, 0)
        )
        if covered >= LARGE * width * height:
            return True
    return False
