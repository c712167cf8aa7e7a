"""What several models say about the same pictures: as text, as JSON and as a page."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape

from bot.evaluation.questions import Json
from bot.evaluation.tables import table_of
from bot.values.pictures import NormalisedPicture

GB = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A question, its pictures, and what each model's process has returned."""

    question: str = field(repr=False)
    pictures: Sequence[NormalisedPicture]
    results: dict[str, Json] = field(repr=False)


def document(comparison: Comparison) -> Json:
    """Return everything as JSON, without the pictures."""
    return {
        "question": comparison.question,
        "pictures": [picture.name for picture in comparison.pictures],
        "models": comparison.results,
    }


def as_text(comparison: Comparison) -> str:
    """Return a table per picture, and what could not be asked."""
    lines = [comparison.question]
    head = ("model", "weights GB", "memory GB", "loaded s", "first word s", "whole s", "answer")
    for i, picture in enumerate(comparison.pictures):
        rows = [(name, *figures, _one_line(text)) for name, figures, text in _rows(comparison, i)]
        if rows:
            lines += ["", picture.name, *table_of(head, rows)]
    failed = [(name, it["error"]) for name, it in comparison.results.items() if "error" in it]
    if failed:
        lines += ["", *(f"{name}: {error}" for name, error in failed)]
    return "\n".join(lines)


def _rows(
    comparison: Comparison, picture: int
) -> Iterator[tuple[str, tuple[float | None, ...], str]]:
    """For each model that answers: its name, the figures of the table, and what it says."""
    for name, result in comparison.results.items():
        if "error" in result:
            continue
        answer = result["answers"][picture]
        error = answer.get("error")
        times = (None, None) if error else (answer["first_token_s"], answer["total_s"])
        text = f"({error})" if error else answer["text"]
        # Of the card where there is one, else of the process: the most that it has held.
        peak = result["gpu_bytes"] or result["process_bytes"]
        memory = (_gb(result["weights_bytes"]), _gb(peak))
        yield name, (*memory, result["load_s"], *times), text


def _gb(size_bytes: int | None) -> float | None:
    return None if size_bytes is None else size_bytes / GB


def _one_line(text: str) -> str:
    return " ".join(text.split())


# -- The page -----------------------------------------------------------------------------------

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{question}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; }}
body {{ padding: 0 1rem; }}
figure {{ margin: 2rem 0 1rem; }}
img {{ max-width: min(100%, 30rem); max-height: 24rem; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ border-top: 1px solid #8888; padding: .4rem .6rem; }}
th, td {{ text-align: left; vertical-align: top; }}
.number {{ text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }}
.said {{ white-space: pre-wrap; overflow-wrap: anywhere; min-width: 14rem; }}
</style>
</head>
<body>
<h1>{question}</h1>
{parts}
</body>
</html>
"""


def as_html(comparison: Comparison) -> str:
    """Return a page of its own: the pictures are in it, and it fetches nothing."""
    parts = [_part(comparison, i) for i in range(len(comparison.pictures))]
    failed = [
        f"<li><b>{escape(name)}</b>: {escape(it['error'])}</li>"
        for name, it in comparison.results.items()
        if "error" in it
    ]
    if failed:
        parts.append(f"<ul>{''.join(failed)}</ul>")
    return _PAGE.format(question=escape(comparison.question), parts="\n".join(parts))


def _part(comparison: Comparison, index: int) -> str:
    picture = comparison.pictures[index]
    head = "".join(
        f'<th scope="col"{kind}>{name}</th>'
        for name, kind in (
            ("model", ""),
            ("answer", ""),
            ("weights GB", ' class="number"'),
            ("memory GB", ' class="number"'),
            ("loaded s", ' class="number"'),
            ("first word s", ' class="number"'),
            ("whole s", ' class="number"'),
        )
    )
    rows = "\n".join(_row(*row) for row in _rows(comparison, index))
    name = escape(picture.name)
    return (
        f'<figure><img src="{_address(picture)}" alt="{name}"><figcaption>{name}</figcaption>'
        f'</figure>\n<div class="wide"><table>\n<tr>{head}</tr>\n{rows}\n</table></div>'
    )


def _row(name: str, figures: tuple[float | None, ...], text: str) -> str:
    cells = "".join(
        f'<td class="number">{"–" if it is None else f"{it:,.2f}"}</td>' for it in figures
    )
    return (
        f'<tr><th scope="row">{escape(name)}</th><td class="said">{escape(text)}</td>{cells}</tr>'
    )


def _address(picture: NormalisedPicture) -> str:
    data = picture.picture.data
    kind = "png" if data.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
