"""Pictures with words, made by a recipe from the typefaces of Debian's packages."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from bot.values.readings import CELL_GAP

FONTS: Final = {
    "sans": "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "serif": "/usr/share/fonts/truetype/dejavu/DejaVuSerif.ttf",
    "mono": "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf",
    "gothic": "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "mincho": "/usr/share/fonts/opentype/noto/NotoSerifCJK-Regular.ttc",
}
PACKAGES: Final = "fonts-dejavu-core, fonts-dejavu-extra and fonts-noto-cjk"
SIZES: Final = (12, 14, 16, 20, 24)
LIGHT: Final = ("#1a1a1a", "#ffffff")
DARK: Final = ("#d4d4d4", "#1e1e1e")

ENGLISH: Final = (
    "The meeting moved to Thursday at half past three.",
    "Please bring the signed copy and two photographs.",
    "Connection refused: could not reach db-01 on port 5432.",
    "Your session has expired. Sign in again to continue.",
    "Delivery is free for orders over $50 within the city.",
    "Error 0x80070057: the parameter is incorrect.",
    "Room 214 is closed for repairs until 12 March 2027.",
    "We could not charge your card ending in 4821.",
    "Backup finished: 1,284 files copied, 3 skipped.",
    "Turn left after the bridge and follow the river.",
    "The warranty covers parts and labour for two years.",
    "Press and hold the power button for ten seconds.",
)
JAPANESE: Final = (
    "データベースに接続できませんでした。",
    "しばらくしてからもう一度お試しください。",
    "会議は木曜日の午後三時半に変更になりました。",
    "本日の受付は終了しました。",
    "パスワードの有効期限が切れています。",
    "ご注文の商品は明日発送されます。",
    "この機能は現在ご利用いただけません。",
    "営業時間は午前十時から午後八時までです。",
    "駐車場は建物の裏側にあります。",
    "お手数ですが担当者までご連絡ください。",
    "新しいバージョンが公開されました。",
    "ファイルの保存先を選択してください。",
)
CODE: Final = (
    "def total(items: list[Item]) -> int:",
    "    return sum(item.price for item in items)",
    'raise ValueError("count must be positive")',
    "for index, line in enumerate(lines, start=1):",
    "    if not line.strip() or line.startswith('#'):",
    "        continue",
    "SELECT name, price FROM orders WHERE id = 42;",
    "docker run --rm -p 8080:80 nginx:1.27",
    "export PATH=$HOME/.local/bin:$PATH",
    "git commit --amend --no-edit",
    "const url = new URL('/api/items', base);",
    "assert response.status_code == 200",
)
ITEMS: Final = ("Green tea", "Oat milk", "Brown bread", "Apples", "Butter", "Rice 2 kg", "Coffee")


@dataclass(frozen=True, slots=True)
class Page:
    """A picture and what stands in it."""

    kind: str
    image: Image.Image
    lines: tuple[str, ...]
    question: str = ""
    answer: str = ""


def missing_fonts() -> list[str]:
    """The files that are not there."""
    return [path for path in FONTS.values() if not Path(path).is_file()]


def upright_pages(rng: random.Random, rounds: int) -> Iterator[Page]:
    """Screenshots, tables, receipts and charts, in every size and both themes."""
    for at in range(rounds):
        size = SIZES[at % len(SIZES)]
        colours = DARK if at % 2 else LIGHT
        yield _text(
            "English", rng.sample(ENGLISH, 6), "sans" if at % 4 < 2 else "serif", size, colours
        )
        yield _text("Japanese", rng.sample(JAPANESE, 6), "gothic", size, colours)
        yield _text("code", rng.sample(CODE, 6), "mono", size, colours)
        yield table(rng, size, colours)
        yield receipt(rng, size)
        yield chart(rng, size)


def _text(kind: str, lines: Sequence[str], font: str, size: int, colours: tuple[str, str]) -> Page:
    typeface = ImageFont.truetype(FONTS[font], size)
    width = 60 + max(int(typeface.getlength(line)) for line in lines)
    image = Image.new("RGB", (width, 50 + int(1.7 * size * len(lines))), colours[1])
    draw = ImageDraw.Draw(image)
    for row, line in enumerate(lines):
        draw.text((25, 25 + int(1.7 * size * row)), line, colours[0], font=typeface)
    return Page(f"{kind}, dark" if colours is DARK else kind, image, tuple(map(str.strip, lines)))


def _cells(
    rows: Sequence[Sequence[str]], font: str, size: int, colours: tuple[str, str], ruled: bool
) -> Image.Image:
    typeface = ImageFont.truetype(FONTS[font], size)
    widths = [
        max(int(typeface.getlength(row[at])) for row in rows) + 4 * size
        for at in range(len(rows[0]))
    ]
    height = int(2.1 * size)
    image = Image.new("RGB", (40 + sum(widths), 40 + height * len(rows)), colours[1])
    draw = ImageDraw.Draw(image)
    for row, cells in enumerate(rows):
        left, top = 20, 20 + row * height
        for cell, width in zip(cells, widths, strict=True):
            if ruled:
                draw.rectangle((left, top, left + width, top + height), outline="#999999")
            draw.text((left + size // 2 + 2, top + size // 2), cell, colours[0], font=typeface)
            left += width
    return image


def table(rng: random.Random, size: int, colours: tuple[str, str] = LIGHT) -> Page:
    """Products, prices and stock, ruled."""
    names = rng.sample(ITEMS, 5)
    rows = [("Product", "Price", "Stock")]
    rows += [
        (name, f"${rng.randint(2, 40)}.{rng.randint(10, 99)}", f"{rng.randint(11, 95)} pcs")
        for name in names
    ]
    asked = rng.randrange(1, 6)
    return Page(
        "table",
        _cells(rows, "sans", size, colours, ruled=True),
        tuple(CELL_GAP.join(row) for row in rows),
        f"What is the price of {rows[asked][0].lower()}?",
        rows[asked][1],
    )


def receipt(rng: random.Random, size: int) -> Page:
    """A receipt with a total."""
    prices = [(name, rng.randint(120, 1900)) for name in rng.sample(ITEMS, 4)]
    total = sum(price for _, price in prices)
    rows = [(name, f"{price / 100:.2f}") for name, price in prices]
    rows.append(("TOTAL", f"{total / 100:.2f}"))
    image = _cells(rows, "mono", size, LIGHT, ruled=False)
    lines = tuple(CELL_GAP.join(row) for row in rows)
    return Page("receipt", image, lines, "What is the total?", f"{total / 100:.2f}")


def chart(rng: random.Random, size: int) -> Page:
    """Bars with a title and labels below: each label is a line of its own or a cell."""
    typeface = ImageFont.truetype(FONTS["sans"], size)
    labels = ["North", "South", "East", "West"]
    values = [rng.randint(20, 95) for _ in labels]
    step = 7 * size
    image = Image.new("RGB", (60 + step * len(labels), 18 * size), "white")
    draw = ImageDraw.Draw(image)
    title = "Orders per region, 2026"
    draw.text((30, size // 2), title, "#222222", font=typeface)
    bottom = 15 * size
    draw.line((30, bottom, image.width - 20, bottom), fill="black")
    for at, (label, value) in enumerate(zip(labels, values, strict=True)):
        left = 40 + at * step
        top = bottom - value * size // 9
        draw.rectangle((left, top, left + 3 * size, bottom), fill="#4477aa")
        draw.text((left, top - int(1.4 * size)), str(value), "#222222", font=typeface)
        draw.text((left, bottom + size // 2), label, "#222222", font=typeface)
    best = max(values)
    return Page("chart", image, (title, *map(str, values), CELL_GAP.join(labels)), "", str(best))


def two_columns(rng: random.Random, size: int) -> Page:
    """A page of two columns of running text below a heading."""
    typeface = ImageFont.truetype(FONTS["serif"], size)
    words = " ".join(ENGLISH).split()
    width, gap, rows = 26 * size, 3 * size, rng.randint(9, 16)
    image = Image.new("RGB", (2 * width + gap + 80, 100 + int(1.5 * size) * (rows + 3)), "white")
    draw = ImageDraw.Draw(image)
    heading = "Notes of the quarterly meeting in Osaka"
    draw.text((40, 30), heading, "black", font=ImageFont.truetype(FONTS["sans"], int(1.6 * size)))
    lines = [heading]
    for column in range(2):
        for row in range(rows - column * rng.randint(0, 3)):
            line = ""
            while typeface.getlength(longer := f"{line} {rng.choice(words)}".strip()) < width:
                line = longer
            place = 40 + column * (width + gap), 60 + 2 * size + int(1.5 * size) * row
            draw.text(place, line, "black", font=typeface)
            lines.append(line)
    return Page("two columns", image, tuple(lines))


def photographed(page: Page, rng: random.Random) -> Page:
    """As a phone sees it lying on a desk: at an angle, a little soft, with grain, as a JPEG."""
    scale = 1400 / max(page.image.size)
    sheet = page.image.resize(
        (int(page.image.width * scale), int(page.image.height * scale)), Image.Resampling.LANCZOS
    )
    width, height = sheet.size
    canvas = Image.new("RGB", (width + 400, height + 400), (112, 92, 74))
    moved = [
        (
            200 + x * width + rng.uniform(-0.05, 0.05) * width,
            200 + y * height + rng.uniform(-0.05, 0.05) * height,
        )
        for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))
    ]
    corners = [(0, 0), (width, 0), (width, height), (0, height)]
    how = _perspective(moved, corners)
    laid = sheet.transform(canvas.size, Image.Transform.PERSPECTIVE, how, Image.Resampling.BICUBIC)
    mask = Image.new("L", sheet.size, 255).transform(canvas.size, Image.Transform.PERSPECTIVE, how)
    canvas.paste(laid, mask=mask)
    canvas = canvas.filter(ImageFilter.GaussianBlur(0.7))
    grain = np.random.default_rng(rng.randrange(1 << 30)).normal(0, 7, (*canvas.size[::-1], 3))
    light = np.linspace(1.0, 0.8, canvas.width)[None, :, None]
    shot = np.clip(np.asarray(canvas) * light + grain, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(shot).save(file, "JPEG", quality=70)
    image = Image.open(file)
    image.load()
    return Page(page.kind, image, page.lines, page.question, page.answer)


def _perspective(
    source: Sequence[tuple[float, float]], target: Sequence[tuple[float, float]]
) -> list[float]:
    """Pillow's eight coefficients, from places in the result to places in the sheet."""
    rows, values = [], []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return [float(one) for one in np.linalg.solve(np.array(rows), np.array(values))]


def questions(rng: random.Random, count: int) -> Iterator[Page]:
    """Screenshots with one answer to a question, in the text."""
    for at in range(count):
        size = SIZES[1:][at % 4]
        match at % 4:
            case 0:
                yield receipt(rng, size)
            case 1:
                yield table(rng, size)
            case 2:
                error = rng.choice(
                    ("Disk is full", "Access denied", "Host not found", "Out of memory")
                )
                code = rng.randint(100, 999)
                lines = [
                    "Backup assistant",
                    f"Error {code}: {error}",
                    "Contact your administrator.",
                ]
                page = _text("dialog", lines, "sans", size, LIGHT)
                yield Page("error", page.image, page.lines, "What does the error say?", error)
            case _:
                hour = rng.randint(7, 11)
                lines = ["City library", f"Opens at {hour}:30", "Closed on Mondays"]
                page = _text("sign", lines, "serif", 2 * size, LIGHT)
                yield Page("sign", page.image, page.lines, "When does it open?", f"{hour}:30")
