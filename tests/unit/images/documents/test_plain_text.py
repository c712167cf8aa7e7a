"""Text files of any usual encoding are read; what is none is not taken for one."""

from __future__ import annotations

import pytest

from bot.images.documents.plain_text import MAX_CHARS, read_text
from tests.pictures import encode, photo

JAPANESE = "売上高は前年比で 12% 増えました。\nガイドも見てください。"
ENCODED = {
    "utf-8": JAPANESE.encode(),
    "utf-8 with a mark": JAPANESE.encode("utf-8-sig"),
    "utf-16": JAPANESE.encode("utf-16"),
    "utf-16, big end first": b"\xfe\xff" + JAPANESE.encode("utf-16-be"),
    "utf-32": JAPANESE.encode("utf-32"),
    "Shift_JIS": JAPANESE.encode("cp932"),
    "EUC": JAPANESE.encode("euc_jp"),
}


@pytest.mark.parametrize("encoding", ENCODED)
def test_the_encoding_is_found(encoding: str) -> None:
    assert read_text("a.txt", ENCODED[encoding]) == JAPANESE


def test_western_text_from_windows_is_not_taken_for_japanese() -> None:
    text = "Über naïve Cafés: 12 €"
    assert read_text("a.txt", text.encode("cp1252")) == text
    assert read_text("a.log", "plain words".encode("utf-16-le")) == "plain words"


def test_a_long_file_is_cut_between_characters() -> None:
    for encoding in ("utf-8", "utf-16", "cp932"):
        text = read_text("a.txt", ("あいうえお" * 20_000).encode(encoding))
        assert text == "あいうえお" * (MAX_CHARS // 5)


def test_what_nobody_sees_is_left_out_and_lines_stay() -> None:
    data = "\x1b[31mred\x1b[0m \u202etxt\r\nnext\ttab".encode()
    assert read_text("a.log", data) == "red txt\nnext\ttab"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.png", b"not a picture"),
        ("a.pdf", b"not a document"),
        ("photo", encode(photo())),
        ("drawing.svg", b"<svg/>"),
        ("page", b"<!doctype html><p>"),
        ("a.bin", b"\0\1\2"),
        ("a.txt", b"words\0\0\1 and more"),
        ("plan", b"PK\3\4 [Content_Types].xml"),
    ],
)
def test_what_is_no_text_is_not_read_as_text(name: str, data: bytes) -> None:
    assert read_text(name, data) is None


def test_code_with_a_drawing_in_it_is_text() -> None:
    assert read_text("icon.js", b"const icon = '<svg/>';") == "const icon = '<svg/>';"


def test_nothing_to_see_is_empty() -> None:
    assert read_text("a.txt", b" \n\t\xe2\x80\x8b ") == ""
