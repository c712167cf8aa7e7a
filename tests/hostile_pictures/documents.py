"""Documents that tests make, byte by byte."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image

A4 = (595, 842)


def pdf_of(pages: Sequence[str], *, size: tuple[float, float] = A4, trailer: bytes = b"") -> bytes:
    """A PDF whose pages say these texts, a line each, in 14-point Helvetica."""
    return pdf_with([_content(text) for text in pages], size=size, trailer=trailer)


def pdf_with(
    contents: Sequence[bytes],
    *,
    size: tuple[float, float] = A4,
    trailer: bytes = b"",
    extra: Sequence[bytes] = (),
) -> bytes:
    """A PDF whose pages draw these contents. `extra`: further objects, from 3 + 2 per page on."""
    count = len(contents)
    kids = b" ".join(b"%d 0 R" % (4 + 2 * index) for index in range(count))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count %d /Kids [%s] >>" % (count, kids),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    box = b"%g %g" % size
    for index, content in enumerate(contents):
        objects += [
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %s] /Contents %d 0 R "
            b"/Resources << /Font << /F 3 0 R >> /XObject << /X %d 0 R >> >> >>"
            % (box, 5 + 2 * index, 4 + 2 * count),
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        ]
    return assembled([*objects, *extra], trailer=trailer)


def assembled(objects: Sequence[bytes], *, trailer: bytes = b"") -> bytes:
    """A PDF of these objects, numbered from 1; the first is the catalogue."""
    data = bytearray(b"%PDF-1.7\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    data += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    data += b"trailer\n<< /Size %d /Root 1 0 R %s >>\n" % (len(objects) + 1, trailer)
    return bytes(data) + b"startxref\n%d\n%%%%EOF\n" % start


def scan_of(jpeg: bytes) -> bytes:
    """A PDF with a page that is a picture, and a stamp."""
    width, height = Image.open(io.BytesIO(jpeg)).size
    picture = (
        b"<< /Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceRGB "
        b"/BitsPerComponent 8 /Filter /DCTDecode /Length %d >>\nstream\n%s\nendstream"
        % (width, height, len(jpeg), jpeg)
    )
    draws = b"q 595 0 0 842 0 0 cm /X Do Q BT /F 10 Tf 20 20 Td (Scanned with a phone) Tj ET"
    return pdf_with([draws], extra=[picture])


def locked_pdf() -> bytes:
    """A PDF that opens with a password alone."""
    trailer = (
        b"/ID [<00112233445566778899aabbccddeeff> <00112233445566778899aabbccddeeff>] "
        b"/Encrypt << /Filter /Standard /V 2 /R 3 /Length 128 /P -4 "
        b"/O <%s> /U <%s> >>" % (b"5a" * 32, b"a5" * 32)
    )
    return pdf_of(["secret"], trailer=trailer)


def _content(text: str) -> bytes:
    lines = text.splitlines()
    escaped = [line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)") for line in lines]
    shown = " T* ".join(f"({line}) Tj" for line in escaped)
    return f"BT /F 14 Tf 20 TL 60 760 Td {shown} ET".encode("latin-1")
