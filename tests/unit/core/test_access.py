"""Who may ask, and how many questions one user may have in flight."""

from __future__ import annotations

import pytest

from bot.core.access import Access
from bot.errors import Busy
from bot.values.messages import UserKey

ANN = UserKey(platform="slack", id="ann")
BOB = UserKey(platform="slack", id="bob")


def test_one_users_questions_are_bounded_and_counted_down() -> None:
    access = Access(questions_per_user=2)
    with access.admitted(ANN), access.admitted(ANN):
        with pytest.raises(Busy), access.admitted(ANN):
            pass
        with access.admitted(BOB):
            pass
    with access.admitted(ANN):
        pass


def test_users_of_different_platforms_are_counted_apart_even_with_the_same_id() -> None:
    access = Access(questions_per_user=1)
    with access.admitted(ANN), access.admitted(UserKey(platform="discord", id=ANN.id)):
        pass
