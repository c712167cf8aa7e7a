"""What a chat shows of a long text that was read in pictures."""

from __future__ import annotations

from bot.core.answering.long_text import IN_MESSAGES, WITHOUT_FILE, long_text

ROWS = "\n".join(f"row {number}" for number in range(2000))


def test_what_fits_a_few_messages_is_shown_in_them() -> None:
    assert long_text("x" * IN_MESSAGES, "en") is None


def test_the_file_holds_the_text_without_the_marks_of_code_blocks() -> None:
    text = f"Picture 1:\n````\n```\n{ROWS}\n```\n````\n\nPicture 2:\n```\nend\n```"
    long = long_text(text, "en")
    assert long is not None
    assert long.file.text == f"Picture 1:\n```\n{ROWS}\n```\n\nPicture 2:\nend\n"
    assert long.file.name in long.beside_file


def test_without_a_file_the_beginning_is_a_code_block_that_ends() -> None:
    long = long_text(f"```\n{ROWS}\n```", "ja")
    assert long is not None
    block, _, sentence = long.without_file.rpartition("\n\n")
    assert block.startswith("```\nrow 0\n")
    assert block.endswith("\n```")
    assert len(block) <= WITHOUT_FILE + 4
    assert "最初の 8000 文字" in sentence


def test_what_is_long_for_messages_and_short_enough_without_a_file_is_not_cut() -> None:
    text = f"```\n{ROWS[: IN_MESSAGES + 1]}\n```"
    long = long_text(text, "en")
    assert long is not None
    assert long.without_file == text
