"""How long pixels are kept."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest
import torch

from inference.models import GENERIC
from inference.prompts.pixel_store import MAX_HELD, MAX_RECENT, Pixels, PixelStore
from inference.prompts.preprocessing import ImagePreprocessor
from inference.prompts.prompt import Prompt
from inference.types import Picture
from tests.pictures import plain_picture


class CountingPreprocessor(ImagePreprocessor):
    """Makes one pixel per picture, and counts how often."""

    def __init__(self) -> None:
        super().__init__(None, GENERIC, torch.device("cpu"))
        self.count = 0
        self.meanwhile: Callable[[], None] = lambda: None

    def preprocess(self, picture: Picture) -> Pixels:
        self.count += 1
        self.meanwhile()
        return {"pixel_values": torch.tensor([len(picture.data)])}


@pytest.fixture
def preprocessor() -> CountingPreprocessor:
    return CountingPreprocessor()


@pytest.fixture
def store(preprocessor: CountingPreprocessor) -> PixelStore:
    return PixelStore(preprocessor)


def prompt_about(*pictures: Picture) -> Prompt:
    return Prompt("", [], (), pictures)


def picture_of(number: int) -> Picture:
    return plain_picture((number, 7, 200))


def test_a_measured_picture_is_not_decoded_again_for_its_prompt(
    store: PixelStore, preprocessor: CountingPreprocessor
) -> None:
    picture = picture_of(1)
    prompt = prompt_about(picture)
    store.get(picture)
    store.hold(prompt, [picture])
    store.take(prompt, picture)
    assert preprocessor.count == 1


def test_taken_pixels_are_dropped(store: PixelStore) -> None:
    picture = picture_of(1)
    prompt = prompt_about(picture)
    store.hold(prompt, [picture])
    store.take(prompt, picture)
    assert (store.num_held, store.num_recent) == (0, 0)


def test_a_picture_that_is_not_held_is_decoded_when_it_is_taken(
    store: PixelStore, preprocessor: CountingPreprocessor
) -> None:
    picture = picture_of(1)
    assert store.take(prompt_about(picture), picture)
    assert preprocessor.count == 1


def test_each_prompt_holds_its_own_pixels_of_a_shared_picture(store: PixelStore) -> None:
    picture = picture_of(1)
    one, other = prompt_about(picture), prompt_about(picture)
    store.hold(one, [picture])
    store.hold(other, [picture])
    store.release(one)
    assert store.num_held == 1


def test_pixels_of_a_request_that_ends_while_waiting_go_with_its_prompt(
    store: PixelStore,
) -> None:
    prompt = prompt_about(picture_of(1))
    store.hold(prompt, prompt.pictures)
    del prompt
    gc.collect()
    assert store.num_held == 0


def test_waiting_prompts_hold_a_bounded_number_of_pictures(store: PixelStore) -> None:
    prompts = [prompt_about(picture_of(number)) for number in range(MAX_HELD + 3)]
    for prompt in prompts:
        store.hold(prompt, prompt.pictures)
    assert store.num_held == MAX_HELD
    assert store.num_recent == MAX_RECENT
    store.release(prompts[0])
    store.hold(prompts[-1], prompts[-1].pictures)
    assert store.num_held == MAX_HELD


def test_clearing_spares_the_pixels_of_waiting_prompts(store: PixelStore) -> None:
    picture = picture_of(1)
    prompt = prompt_about(picture)
    store.hold(prompt, [picture])
    store.clear()
    assert (store.num_held, store.num_recent) == (1, 0)


def test_a_picture_being_decoded_during_a_clear_is_not_kept(
    store: PixelStore, preprocessor: CountingPreprocessor
) -> None:
    preprocessor.meanwhile = store.clear
    store.get(picture_of(1))
    assert store.num_recent == 0
