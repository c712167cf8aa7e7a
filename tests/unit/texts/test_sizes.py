"""Sizes are said in units that fit, and never hide that a limit was exceeded."""

from __future__ import annotations

import pytest

from bot.texts import LANGUAGES, catalogue, say
from bot.texts.sizes import size


@pytest.mark.parametrize(
    ("num_bytes", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 KB"),
        (1001, "1.1 KB"),
        (100_000, "100 KB"),
        (100_001, "100.1 KB"),
        (999_900, "999.9 KB"),
        (999_901, "1 MB"),
        (1_000_000, "1 MB"),
        (30_000_000, "30 MB"),
        (30_000_001, "30.1 MB"),
        (31_457_280, "31.5 MB"),
        (2_500_000_000, "2.5 GB"),
        (5_000_000_000_000, "5000 GB"),
    ],
)
def test_a_size_has_the_largest_unit_of_which_there_is_one(num_bytes: int, shown: str) -> None:
    assert size(num_bytes) == shown


def test_no_sentence_about_bytes_has_a_unit_of_its_own() -> None:
    for language in LANGUAGES:
        for key, sentence in catalogue(language).items():
            if key.endswith("_too_large"):
                assert ":size}" in sentence, (language, key)
            assert not any(f"}} {unit}" in sentence for unit in ("KB", "MB", "bytes")), key


def test_a_small_limit_is_not_zero_megabytes() -> None:
    assert "100 KB" in say("en", "http_too_large", limit_bytes=100_000)
    assert "100 KB" in say("ja", "http_too_large", limit_bytes=100_000)
