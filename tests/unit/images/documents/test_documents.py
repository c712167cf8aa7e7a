"""Documents are opened, and their pages drawn, in the decoding processes and under their limits."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import pytest
from PIL import Image

from bot.errors import PictureRefused
from bot.images.containers.tiff_pages import pages_of
from bot.images.decoding.pool import DecodingPool
from bot.images.documents.documents import Documents
from bot.values.documents import SentDocument
from bot.values.limits import PictureLimits
from tests.hostile_pictures.decoding import shared_pool
from tests.hostile_pictures.documents import assembled, locked_pdf, pdf_of, pdf_with, scan_of
from tests.hostile_pictures.files import tiff_of_many_pages
from tests.pictures import encode, photo

PAGES = ["Contents of the report", "Revenue grew by 12 percent", "Risks and outlook (2027)"]
REPORT = pdf_of(PAGES)


@pytest.fixture
def pool() -> DecodingPool:
    return shared_pool(PictureLimits(max_side_px=1000, decode_s=2))


@pytest.fixture
def documents(pool: DecodingPool) -> Documents:
    return Documents(pool)


async def opened(documents: Documents, data: bytes = REPORT) -> SentDocument:
    document = await documents.open("report.pdf", data)
    assert document is not None
    return document


async def test_a_document_says_how_many_pages_it_has_and_what_is_written_there(
    documents: Documents,
) -> None:
    document = await opened(documents)
    assert (document.num_pages, document.texts) == (3, tuple(PAGES))
    assert (document.suffix, document.data) == ("pdf", REPORT)


async def test_a_page_is_a_picture_within_the_bound_with_its_number_and_text(
    documents: Documents,
) -> None:
    page = await documents.page(await opened(documents), 2)
    assert page.name == "report.pdf (p. 2)"
    assert page.page is not None
    assert (page.page.number, page.page.text) == (2, PAGES[1])
    assert 990 <= page.picture.height_px <= 1000
    image = Image.open(io.BytesIO(page.picture.data))
    assert image.mode == "RGB"
    assert image.getpixel((2, 2)) == (255, 255, 255)
    assert min(image.convert("L").tobytes()) < 50, "the letters are drawn"


async def test_what_is_stamped_on_a_scan_is_not_its_text(documents: Documents) -> None:
    document = await opened(documents, scan_of(encode(photo((400, 560)), "JPEG")))
    assert document.texts == ("",)
    page = await documents.page(document, 1)
    assert page.page is not None
    assert page.page.text == ""


async def test_a_picture_is_no_document(documents: Documents) -> None:
    assert await documents.open("photo.pdf", encode(photo())) is None


async def test_something_before_the_beginning_does_no_harm(documents: Documents) -> None:
    document = await opened(documents, b"\r\n\r\n" + REPORT)
    assert document.num_pages == 3


def tiff(*pages: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:], **options)
    return file.getvalue()


@pytest.mark.parametrize("options", [{}, {"compression": "tiff_lzw"}, {"big_tiff": True}])
async def test_a_tiff_of_several_pages_is_a_document(
    documents: Documents, options: dict[str, Any]
) -> None:
    colours = [(255, 0, 0), (0, 0, 255), (0, 255, 0)]
    data = tiff(*(Image.new("RGB", (60, 40), colour) for colour in colours), **options)
    document = await opened(documents, data)
    assert (document.suffix, document.num_pages, document.texts) == ("tif", 3, ())
    for number, colour in enumerate(colours, 1):
        page = await documents.page(document, number)
        assert (page.name, page.notes[:-1]) == (f"report.pdf (p. {number})", ())
        assert Image.open(io.BytesIO(page.picture.data)).getpixel((5, 5)) == colour


async def test_a_tiff_of_one_page_and_its_preview_are_a_picture(documents: Documents) -> None:
    page = photo((60, 40))
    assert await documents.open("a.tif", tiff(page)) is None
    small = photo((30, 20))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    assert await documents.open("a.tif", tiff(page, small)) is None


async def test_a_tiff_whose_pages_go_in_a_circle_or_never_end(documents: Documents) -> None:
    two = bytearray(tiff(photo((60, 40)), photo((60, 40))))
    first = int.from_bytes(two[4:8], "little")
    second_at = pages_of(bytes(two))[1]
    at = second_at + 2 + 12 * int.from_bytes(two[second_at : second_at + 2], "little")
    two[at : at + 4] = first.to_bytes(4, "little")
    assert (await opened(documents, bytes(two))).num_pages == 2
    with pytest.raises(PictureRefused, match="picture_too_many_parts"):
        await documents.open("a.tif", tiff_of_many_pages(20_000))


DEEP = assembled(
    [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 1000000 /Kids [2 0 R 2 0 R] >>",
    ]
)
CASES = {
    "locked": (locked_pdf(), "picture_locked"),
    "cut": (REPORT[:200], "picture_damaged"),
    "a name alone": (b"%PDF-1.7\n", "picture_damaged"),
    "no pages": (pdf_with([]), "picture_damaged"),
    "no catalogue": (assembled([b"<< >>"]), "picture_damaged"),
}


@pytest.mark.parametrize("case", CASES)
async def test_what_cannot_be_opened_is_refused_by_a_sentence(
    documents: Documents, case: str
) -> None:
    data, key = CASES[case]
    with pytest.raises(PictureRefused) as refused:
        await documents.open("report.pdf", data)
    assert refused.value.key == key
    for locale in ("en", "ja"):
        assert "report.pdf" in refused.value.sentence(locale)


HUGE = b"0 0 0 rg " + b" ".join(
    b"%d %d m %d %d l S" % (x % 600, x % 800, x * 7 % 600, x * 11 % 800) for x in range(200)
)
ITSELF = (
    b"<< /Type /XObject /Subtype /Form /BBox [0 0 600 850] /Length 11 "
    b"/Resources << /XObject << /X 6 0 R >> >> >>\nstream\n/X Do /X Do\nendstream"
)
"""A form that is object 6 and draws object 6, twice."""
HOSTILE = {
    "a page as large as a field": pdf_of(["small"], size=(14_400, 14_400)),
    "a page as a thread": pdf_of(["x"], size=(14_400, 1)),
    "a page without size": pdf_of(["x"], size=(0, 0)),
    "pages that hold themselves": DEEP,
    "many strokes": pdf_with([HUGE]),
    "a form that draws itself": pdf_with([b"/X Do"], extra=[ITSELF]),
    "broken content": pdf_with([b"q " * 50_000 + b"\xff\x00 BT (" * 100]),
}


@pytest.mark.parametrize("case", HOSTILE)
async def test_a_hostile_document_becomes_a_bounded_picture_or_a_sentence(
    documents: Documents, case: str
) -> None:
    with contextlib.suppress(PictureRefused):
        page = await documents.page(await opened(documents, HOSTILE[case]), 1)
        assert max(page.picture.width_px, page.picture.height_px) <= 1000


@pytest.mark.heavy
async def test_of_ten_thousand_pages_each_can_be_drawn(documents: Documents) -> None:
    document = await opened(documents, pdf_of(["The same words on each page"] * 10_000))
    assert document.num_pages == 10_000
    assert 0 < len(document.texts) <= 10_000
    assert (await documents.page(document, 9_999)).name == "report.pdf (p. 9999)"


async def test_a_page_that_takes_too_long_is_refused_and_the_next_is_drawn() -> None:
    pool = shared_pool(PictureLimits(max_side_px=1000, decode_s=1))
    # A pattern within a pattern, eight times over.
    form = (
        b"<< /Type /XObject /Subtype /Form /BBox [0 0 600 850] /Length %d %s>>\n"
        b"stream\n%s\nendstream"
    )
    draws = b"/X Do " * 30
    nested = [
        form % (len(draws), b"/Resources << /XObject << /X %d 0 R >> >> " % (9 + level), draws)
        for level in range(8)
    ]
    last = b"0 0 600 850 re f " * 50
    extra = [*nested, form % (len(last), b"", last)]
    data = pdf_with([b"/X Do", b"BT /F 14 Tf 60 700 Td (the next page) Tj ET"], extra=extra)
    # The first page's form is object 8: three, two pages of two, and this one.
    documents = Documents(pool)
    document = SentDocument(name="a.pdf", digest="0" * 64, data=data, suffix="pdf", num_pages=2)
    setbacks: list[bool] = []
    with pytest.raises(PictureRefused, match="picture_takes_too_long"):
        await documents.page(document, 1, on_setback=lambda: setbacks.append(True))
    assert len(setbacks) == 1
    assert (await documents.page(document, 2)).picture.width_px > 100
