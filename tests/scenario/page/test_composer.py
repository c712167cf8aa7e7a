"""The composer checks files before they are sent, in the server's own sentences."""

from __future__ import annotations

import asyncio
import struct
import zlib

import pytest
from PIL import Image
from playwright.async_api import Page, expect

from bot.errors import PictureRefused
from bot.images.normalise import normalise
from bot.values.limits import PictureLimits
from tests.engines import ScriptedModel
from tests.hostile_pictures.documents import pdf_of
from tests.pictures import encode
from tests.scenario.page.reader import ask, attach, expect_answer, photo

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

LIMITS = PictureLimits(max_bytes=100_000)


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))


def jpeg_header(width: int, height: int, *, progressive: bool) -> bytes:
    frame = struct.pack(">HBHHB", 17, 8, height, width, 3) + b"\x01\x11\0\x02\x11\0\x03\x11\0"
    marker = b"\xff\xc2" if progressive else b"\xff\xc0"
    return b"\xff\xd8\xff\xe0\x00\x04\0\0" + marker + frame


REFUSED = {
    "empty.png": b"",
    "large.png": bytes(150_000),
    "drawing.svg": b"<?xml version='1.0'?><svg/>",
    "page.html": b"<!doctype html><p>",
    "film.avi": b"RIFF\0\0\0\0AVI LIST",
    "unknown.png": b"\x01\x02\x03\x04 and so on",
    "many-pixels.png": png_header(12_000, 12_000),
    "many-pixels.jpg": jpeg_header(15_000, 15_000, progressive=False),
    "progressive.jpg": jpeg_header(8_000, 8_000, progressive=True),
    "narrow.png": png_header(60, 1),
}
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")


def sentence_of(name: str, data: bytes) -> str:
    with pytest.raises(PictureRefused) as refused:
        normalise(name, data, LIMITS)
    return refused.value.sentence("en")


async def test_what_the_server_would_refuse_is_refused_at_once_in_the_same_words(
    page: Page,
) -> None:
    note = page.locator("#composer-note")
    for name, data in REFUSED.items():
        await attach(page, photo(name, data))
        await expect(note).to_have_text(await asyncio.to_thread(sentence_of, name, data))
        await expect(page.locator("#pending > *")).to_have_count(0)
    # Its name and type say more than its bytes.
    plan = photo("plan.docx", b"PK") | {"mimeType": "application/msword"}
    await attach(page, plan)
    await expect(note).to_contain_text("Please export it as a PDF and send that.")


async def test_a_good_file_beside_a_bad_one_is_kept_and_asked_about(
    page: Page, backend: ScriptedModel
) -> None:
    await attach(page, photo("drawing.svg", REFUSED["drawing.svg"]), photo("good.png"))
    await expect(page.locator("#composer-note")).to_contain_text("Try a screenshot of it.")
    await expect(page.locator("#pending > *")).to_have_count(1)
    await ask(page, "What?")
    await expect_answer(page, "answer to What?")
    assert len(backend.requests[-1].messages[0].pictures) == 1


async def test_a_question_sent_with_a_file_that_is_found_bad_meanwhile_waits_for_its_reader(
    page: Page, backend: ScriptedModel
) -> None:
    await page.evaluate(
        """() => {
            const read = Blob.prototype.arrayBuffer;
            Blob.prototype.arrayBuffer = async function () {
                await new Promise((resolve) => addEventListener("test-go-on", resolve));
                return read.call(this);
            };
        }"""
    )
    await ask(page, "What?", photo("drawing.svg", REFUSED["drawing.svg"]), photo("good.png"))
    await page.evaluate("dispatchEvent(new Event('test-go-on'))")
    await expect(page.locator("#composer-note")).to_contain_text("“drawing.svg” was left out")
    await expect(page.locator("#question")).to_have_value("What?")
    assert backend.requests == []


async def test_a_document_is_a_tile_and_its_pages_are_pictures_once_it_was_asked_about(
    page: Page, backend: ScriptedModel
) -> None:
    await attach(page, photo("report.pdf", pdf_of(["One", "Two"])))
    await expect(page.locator("#pending .file-tile")).to_contain_text("PDF")
    await ask(page, "What is on page 2?")
    receipt = page.locator("[data-role=receipt]")
    await expect(receipt).to_contain_text("report.pdf (p. 2)")
    await expect(receipt).to_contain_text("“report.pdf” has 2 pages; this answer is about page 2.")
    assert len(backend.requests[-1].messages[0].pictures) == 1


async def test_a_text_file_is_a_tile_and_the_receipt_says_that_it_was_given(
    page: Page, backend: ScriptedModel
) -> None:
    await ask(page, "Which port?", photo("app.log", b"<svg listening on 8787"))
    receipt = page.locator("[data-role=receipt]")
    await expect(receipt).to_contain_text("The text of “app.log” was given to the model.")
    assert "> <svg listening on 8787" in backend.requests[-1].messages[0].text


async def test_every_kind_of_picture_passes_the_check(page: Page) -> None:
    image = Image.radial_gradient("L").convert("RGB").resize((90, 60))
    for kind in FORMATS:
        name = f"a.{kind.lower()}"
        await attach(page, photo(name, encode(image, kind)))
        await expect(page.locator("#pending > *")).to_have_count(1)
        await expect(page.locator("#composer-note")).to_be_empty()
        if kind == "TIFF":  # what the browser cannot show says what it is
            await expect(page.locator("#pending .file-tile")).to_contain_text("TIFF")
        else:
            await page.click("#pending .thumbnail")
            await expect(page.locator("#viewer img")).to_be_visible()
            await page.keyboard.press("Escape")
        await page.click("#pending .remove")
        await expect(page.locator("#pending > *")).to_have_count(0)


async def test_an_input_method_that_accepts_a_word_with_enter_sends_nothing(
    page: Page, backend: ScriptedModel
) -> None:
    await page.focus("#question")
    session = await page.context.new_cdp_session(page)
    await session.send(
        "Input.imeSetComposition", {"text": "これは", "selectionStart": 3, "selectionEnd": 3}
    )
    await page.evaluate(
        """() => {
            const key = (options) => document.getElementById("question").dispatchEvent(
                new KeyboardEvent("keydown", {key: "Enter", bubbles: true, ...options}));
            key({isComposing: true});  // Chromium and Firefox, within the composition
            key({keyCode: 229});  // Safari, after it
        }"""
    )
    await session.send("Input.insertText", {"text": "これは"})
    await expect(page.locator("#question")).to_have_value("これは")
    await page.press("#question", "Enter")
    await expect_answer(page, "answer to これは")
    await expect(page.locator("[data-turn]")).to_have_count(1)
    assert len(backend.requests) == 1


async def test_the_box_is_as_high_as_its_text(page: Page) -> None:
    async def height() -> float:
        box = await page.locator("#question").bounding_box()
        assert box
        return box["height"]

    one_line = await height()
    await page.fill("#question", "one\ntwo\nthree")
    three_lines = await height()
    assert three_lines > one_line
    await page.press("#question", "Enter")
    await expect_answer(page, "answer to one\ntwo\nthree")
    assert await height() == one_line
    await page.fill("#question", "one\ntwo\nthree")
    await page.click("#new-thread")
    assert await height() == one_line
    await page.go_back()
    await expect(page.locator("#question")).to_have_value("one\ntwo\nthree")
    assert await height() == three_lines


async def test_a_picture_without_words_offers_presets_and_one_press_asks(
    page: Page, backend: ScriptedModel
) -> None:
    presets = page.locator("#presets")
    await expect(presets).to_be_hidden()
    await attach(page, photo())
    await expect(presets).to_be_visible()
    await page.locator("#question").fill("What is it?")
    await expect(presets).to_be_hidden()
    await page.locator("#question").fill("")
    await presets.get_by_role("button", name="Explain this chart").click()
    await expect_answer(page, "answer to")
    await expect(presets).to_be_hidden()
    assert backend.requests[-1].messages[-1].text.startswith("Explain this chart: what it shows")
