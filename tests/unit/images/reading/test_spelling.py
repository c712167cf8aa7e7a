"""Letters that look alike."""

from __future__ import annotations

import pytest

from bot.images.reading.spelling import cleaned


@pytest.mark.parametrize(
    ("read", "written"),
    [
        ("データべース", "データベース"),
        ("べータ版のレべル", "ベータ版のレベル"),
        ("サーバ一エラー", "サーバーエラー"),
        ("調ベる", "調べる"),
        ("すべて", "すべて"),
        ("一つのテスト", "一つのテスト"),
        ("へアスタイル", "ヘアスタイル"),
        ("  two   words ", "two words"),
    ],
)
def test_a_letters_neighbours_tell_which_of_two_it_is(read: str, written: str) -> None:
    assert cleaned(read) == written
