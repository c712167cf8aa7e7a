"""The fast path generates what `generate()` does, token for token, whatever else is in flight.

Tiny random models of each of its families, float32, on the CPU; greedy.
"""

from __future__ import annotations

import pytest

from inference.backends.batching import BatchingBackend
from inference.backends.generate import GenerateModel
from inference.types import (
    FinishReason,
    GenerationRequest,
    Queued,
    Sampling,
)
from tests.stepper import Stepper
from tests.unit.backends.fast_path import COLOURS, Alone, asking, assistant, same, user


def test_prompts_are_the_processors_own_token_for_token(
    pair: tuple[BatchingBackend, GenerateModel],
) -> None:
    fast, plain = pair
    for messages in [
        (user("Hello"),),
        (user("What is this?", COLOURS[0]),),
        (user("これは何？ 🐶", COLOURS[0], COLOURS[1]),),
        (user("One", COLOURS[2]), assistant("A square."), user("And now?")),
    ]:
        ids = plain._prepare(messages)["input_ids"][0].tolist()
        tokens = fast.prompt_of(asking(*messages)).tokens
        assert tokens == ids
        assert {type(token) for token in tokens} == {int}  # not tensors, which are equal to them
        assert fast.prompt_tokens(messages) == len(ids)


def test_one_request_is_answered_as_generate_answers_it(bench: Stepper, alone: Alone) -> None:
    job = bench.ask(asking(user("What is this?", COLOURS[0]), tokens=30))
    bench.run()
    same(bench, job, alone)


def test_sequences_of_all_lengths_at_once_get_generates_answers(
    bench: Stepper, alone: Alone
) -> None:
    jobs = [bench.ask(asking(user("Why? " * (3 * i + 1)), tokens=5 + 4 * i)) for i in range(6)] + [
        bench.ask(asking(user(f"What {i}?", COLOURS[i]), tokens=12)) for i in range(4)
    ]
    bench.run()
    for job in jobs:
        same(bench, job, alone)


def test_requests_that_arrive_during_decoding_get_generates_answers(
    bench: Stepper, alone: Alone
) -> None:
    jobs = []
    for i in range(8):
        jobs.append(bench.ask(asking(user(f"Question {i}", COLOURS[i % 4]), tokens=20)))
        bench.step(3)
    bench.run()
    for job in jobs:
        same(bench, job, alone)


def test_a_follow_up_prefills_only_its_own_tokens_and_encodes_no_picture_again(
    bench: Stepper, alone: Alone
) -> None:
    first = user("What is this?", COLOURS[1])
    job = bench.ask(asking(first, tokens=20))
    bench.run()
    encoded = bench.backend.vision.encoded
    follow_up = bench.ask(
        asking(first, assistant(bench.text(job)), user("What colour is it?"), tokens=12)
    )
    bench.run()
    before = bench.finished(job)
    assert bench.backend.vision.encoded == encoded
    known = before.prompt_tokens + before.new_tokens - 1
    assert bench.finished(follow_up).cached_tokens > known - 18
    # Its own tokens went in, which a second tokenisation might have spelt otherwise.
    assert bench.prompts[follow_up].tokens[: before.prompt_tokens] == bench.prompts[job].tokens


def test_an_answer_that_looks_like_a_control_token_hits_the_prefix_cache(bench: Stepper) -> None:
    first = user("What do you see?", COLOURS[1])
    prompt = bench.backend.prompt_of(asking(first))
    said = "An <image> of </s> and <|im_end|>."
    bench.backend._prompts.record_answer(prompt, [70, 71, 72], said)
    follow_up = bench.backend.prompt_of(asking(first, assistant(said), user("And now?")))
    assert follow_up.tokens[: len(prompt.tokens) + 3] == [*prompt.tokens, 70, 71, 72]
    assert follow_up.spans == prompt.spans


def test_a_placeholder_in_an_answer_moves_no_picture(bench: Stepper) -> None:
    first = user("What do you see?", COLOURS[1])
    prompt = bench.backend.prompt_of(asking(first))
    placeholder = bench.backend._prompts.placeholder_id
    bench.backend._prompts.record_answer(prompt, [70, placeholder, 72], "a b")
    follow_up = bench.backend.prompt_of(asking(first, assistant("a b"), user("This?", COLOURS[2])))
    old, new = follow_up.spans
    assert old == prompt.spans[0]
    assert new.start > len(prompt.tokens) + 3
    as_before = prompt.tokens[old.start : old.end]
    assert follow_up.tokens[new.start : new.end] == as_before
    assert as_before.count(placeholder) > 1


def test_a_text_that_ends_an_answer_is_in_no_later_prompt(
    bench: Stepper, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = user("What do you see?", COLOURS[1])
    job = bench.ask(asking(first, tokens=20))
    answer = next(iter(bench.backend._requests.values()))
    bench.step(4)
    answer.text.ended = FinishReason.NEXT_TURN
    bench.run()
    follow_up = bench.backend.prompt_of(
        asking(first, assistant(bench.text(job) or "?"), user("And now?"))
    )
    known = len(bench.prompts[job].tokens)
    assert follow_up.tokens[known : known + len(answer.token_ids)] != answer.token_ids


def test_pictures_of_waiting_requests_stay_decoded_however_many_wait(
    bench: Stepper, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [bench.ask(asking(user("What is this?", (9 * i, 80, 200)), tokens=2)) for i in range(20)]

    monkeypatch.setattr(bench.backend.vision, "max_bytes", 1 << 30)

    def decode_now(*_: object) -> None:
        raise AssertionError("a picture is decoded in a step")

    monkeypatch.setattr(bench.backend._prompts._pixels.preprocessor, "preprocess", decode_now)
    bench.run()
    assert all(bench.finished(job) for job in jobs)
    assert bench.backend._prompts._pixels.num_held == 0


def test_a_follow_up_whose_pages_were_evicted_gets_generates_answer(
    bench: Stepper, alone: Alone
) -> None:
    first = user("What is this?", COLOURS[1])
    thread = (first, assistant("A square."), user("What colour?"))
    bench.ask(asking(first, tokens=10))
    bench.run()
    bench.backend.clear_caches()
    job = bench.ask(asking(*thread, tokens=15))
    bench.run()
    assert bench.finished(job).cached_tokens == 0
    same(bench, job, alone)


def test_threads_about_one_picture_share_it_and_get_generates_answers(
    bench: Stepper, alone: Alone
) -> None:
    before = bench.backend.vision.encoded
    jobs = [
        bench.ask(asking(user(f"Question number {i}?", COLOURS[3]), tokens=10)) for i in range(5)
    ]
    bench.run()
    for job in jobs:
        same(bench, job, alone)
    assert bench.backend.vision.encoded == before + 1


def test_a_picture_is_encoded_once_wherever_it_appears(
    bench: Stepper, alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.backend.vision, "max_bytes", 1 << 20)  # a share of a tiny cache
    before = bench.backend.vision.encoded
    jobs = [
        bench.ask(asking(user("Which?", *colours), tokens=10))
        for colours in (COLOURS[:2], COLOURS[1::-1])
    ]
    bench.run()
    for job in jobs:
        same(bench, job, alone)
    assert bench.backend.vision.encoded == before + 2


def test_one_threads_picture_never_serves_another(bench: Stepper, alone: Alone) -> None:
    question = "The very same words?"
    jobs = [bench.ask(asking(user(question, colour), tokens=16)) for colour in COLOURS]
    bench.run()
    again = [bench.ask(asking(user(question, colour), tokens=16)) for colour in COLOURS[::-1]]
    bench.run()
    for job in jobs + again:
        same(bench, job, alone)


def test_several_pictures_in_one_prompt(bench: Stepper, alone: Alone) -> None:
    jobs = [
        bench.ask(asking(user("These?", *COLOURS[:3]), tokens=10)),
        bench.ask(asking(user("These?", *COLOURS[2::-1]), tokens=10)),
    ]
    bench.run()
    for job in jobs:
        same(bench, job, alone)


def test_a_picture_in_cached_pages_is_held_until_its_prompt_is_prefilled_and_no_longer(
    bench: Stepper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.prompts.pixel_store.MAX_HELD", 1)
    pixels = bench.backend._prompts._pixels
    request = asking(user("What is it?", COLOURS[0]), tokens=20)
    bench.ask(request)
    bench.run()
    bench.backend.vision.clear()  # its pages are cached, its embeddings are not
    follow_up = bench.ask(request)
    assert pixels.num_held == 1
    bench.step(2)
    assert bench.said[follow_up]
    assert pixels.num_held == 0
    bench.ask(asking(user("And this?", COLOURS[1]), tokens=2))
    assert pixels.num_held == 1
    bench.run()


def test_a_waiting_request_gets_its_position(bench: Stepper) -> None:
    most = bench.backend.max_running
    jobs = [bench.ask(asking(user(f"{i}"), tokens=4)) for i in range(most + 2)]
    bench.run()
    places = [[c.position for c in bench.said[job] if isinstance(c, Queued)] for job in jobs]
    assert places[0] == []
    assert all(place and place == sorted(place, reverse=True) for place in places[most:])


def test_a_seed_gives_the_same_answer_whatever_else_runs(bench: Stepper) -> None:
    sampling = Sampling(temperature=1.0, top_p=0.9, top_k=40, max_new_tokens=12, seed=7)
    request = GenerationRequest(messages=(user("Say something"),), sampling=sampling)
    first = bench.ask(request)
    bench.run()
    others = [bench.ask(asking(user(f"Other {i}"), tokens=9)) for i in range(3)]
    bench.step(2)
    second = bench.ask(request)
    bench.run()
    assert bench.text(first) == bench.text(second)
    assert all(bench.finished(job) for job in others)
