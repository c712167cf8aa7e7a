"""The table for a terminal, for machines, and for the documents."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from inference.catalogue.choosing import Card, Fit, Need, fits_on, recommended

HEAD = ("model", "weights", "GB", "tokens/s", "all", "Japanese", "licence", "path")


def as_text(card: Card, need: Need, fits: Sequence[Fit]) -> str:
    """Return the table, and one recommended line."""
    threads = "thread" if need.threads == 1 else "threads"
    tokens = f"{need.thread_tokens:,}"
    lines = [
        f"{_named(card)}: what it holds with {need.threads} {threads} of {tokens} tokens",
        "",
    ]
    if not fits:
        return "\n".join(
            [*lines, "No model of the list fits. The pocket model needs no GPU: MODEL=pocket"]
        )
    rows = [HEAD, *(_row(fit) for fit in fits)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    for row in rows:
        cells = (
            cell.rjust(width) if 2 <= i <= 4 else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join(cells).rstrip())
    lines += [
        "",
        f"tokens/s: of one thread alone and of all together, {_source(card, fits)}.",
        "4 bits: QUANTIZE=nf4, or a checkpoint in AWQ or GPTQ.",
        "path: plain answers one question after another.",
    ]
    if (best := recommended(fits)) is not None:
        lines += ["", f"Recommended: {settings_of(best)}"]
    return "\n".join(lines)


def as_document(card: Card, need: Need, fits: Sequence[Fit]) -> dict[str, Any]:
    """Return the same for ``--json``."""
    best = recommended(fits)
    return {
        "card": {
            "name": card.name,
            "memory_bytes": int(card.memory_bytes),
            "bandwidth_bytes_per_s": int(card.bandwidth),
        },
        "threads": need.threads,
        "thread_tokens": need.thread_tokens,
        "models": [_document(fit) for fit in fits],
        "recommended": None if best is None else _document(best),
    }


def as_markdown(sizes: Sequence[int], need: Need, fast: Collection[str]) -> str:
    """Return the tables of ``docs/models.md`` for cards of these sizes, in GB."""
    parts = []
    for size in sizes:
        card = Card(name=f"{size} GB", memory_bytes=size * 1e9)
        fits = fits_on(card, need, fast=fast)
        head = [f"## {size} GB", ""]
        if (best := recommended(fits)) is not None:
            head += [f"Recommended: `{settings_of(best)}`", ""]
        rows: list[tuple[str, ...]] = [
            HEAD,
            ("---", "---", "--:", "--:", "--:", "---", "---", "---"),
        ]
        rows += [_row(fit) for fit in fits]
        parts.append("\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows)]))
    return "\n\n".join(parts)


def settings_of(fit: Fit) -> str:
    """Return the settings that load a model so."""
    quantize = {"bf16": "", "int8": " QUANTIZE=int8", "4 bits": " QUANTIZE=nf4"}[fit.precision]
    return f"MODEL={fit.model.name}{quantize}"


def _named(card: Card) -> str:
    size = f"{card.memory_bytes / 1e9:.0f} GB"
    return card.name if size in card.name else f"{card.name}, {size}"


def _source(card: Card, fits: Sequence[Fit]) -> str:
    computed = f"computed for a memory that is read at {card.bandwidth / 1e12:.2g} TB/s"
    return f"{computed} (*: measured)" if any(fit.is_measured for fit in fits) else computed


def _row(fit: Fit) -> tuple[str, ...]:
    mark = "*" if fit.is_measured else ""
    return (
        fit.model.name,
        fit.precision,
        f"{fit.needed_bytes / 1e9:.1f}",
        f"{fit.tokens_per_second:,.0f}{mark}" if fit.is_fast else "–",
        f"{fit.all_tokens_per_second:,.0f}{mark}" if fit.is_fast else "–",
        fit.model.japanese,
        fit.model.licence,
        "fast" if fit.is_fast else "plain",
    )


def _document(fit: Fit) -> dict[str, Any]:
    return {
        "model": fit.model.name,
        "weights": fit.precision,
        "settings": settings_of(fit),
        "needed_bytes": int(fit.needed_bytes),
        "weights_bytes": int(fit.weights_bytes),
        "cache_bytes": int(fit.cache_bytes),
        "fast": fit.is_fast,
        "tokens_per_s": round(fit.tokens_per_second, 1) if fit.is_fast else None,
        "all_tokens_per_s": round(fit.all_tokens_per_second, 1) if fit.is_fast else None,
        "measured": fit.is_measured,
        "japanese": fit.model.japanese,
        "licence": fit.model.licence,
        "source": fit.model.source,
    }
