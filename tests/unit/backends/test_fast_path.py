"""The fast path says what `generate()` says, token for token, whatever else is under way.

Tiny random models of each of its families, float32, on the CPU; greedy.
"""

from __future__ import annotations

import io
import json
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
import torch
from transformers import AutoConfig, GenerationConfig

from inference.backends import assemble_batching
from inference.backends.batching import BatchingBackend
from inference.backends.generate import GenerateModel
from inference.backends.load import load_model
from inference.backends.sequential import SequentialBackend
from inference.errors import GenerationFailed
from inference.execution.linears import UnsupportedWeights
from inference.execution.sampling import unsupported_processor
from inference.prompts.pixel_store import MAX_RECENT
from inference.serving.backend import Job, run_inline
from inference.types import (
    Finished,
    FinishReason,
    GenerationRequest,
    Message,
    ModelSpec,
    Queued,
    Role,
    Sampling,
)
from tests.pictures import plain_picture
from tests.stepper import Stepper

FAMILIES = ["llava-1.5", "llava-next", "llava-onevision"]
COLOURS = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (90, 90, 9)]


def greedy(tokens: int = 8) -> Sampling:
    return Sampling(temperature=0.0, max_new_tokens=tokens)


def user(text: str, *colours: tuple[int, int, int]) -> Message:
    return Message(
        role=Role.USER, text=text, pictures=tuple(plain_picture(colour) for colour in colours)
    )


def assistant(text: str) -> Message:
    return Message(role=Role.ASSISTANT, text=text)


def asking(*messages: Message, tokens: int = 8, **options: Any) -> GenerationRequest:
    return GenerationRequest(messages=messages, sampling=greedy(tokens), **options)


@pytest.fixture(scope="module", params=FAMILIES)
def pair(
    request: pytest.FixtureRequest, tiny_checkpoint: Callable[[str], Path]
) -> tuple[BatchingBackend, GenerateModel]:
    """The same checkpoint on both paths."""
    return both_paths(
        tiny_checkpoint(request.param), cache_tokens=5000, context_tokens=4096, max_pictures=4
    )


@pytest.fixture
def bench(pair: tuple[BatchingBackend, GenerateModel]) -> Iterator[Stepper]:
    yield Stepper(pair[0])
    pair[0].clear_caches()


@pytest.fixture
def alone(
    pair: tuple[BatchingBackend, GenerateModel],
) -> Callable[[GenerationRequest], tuple[str, Finished]]:
    """What `generate()` says."""

    return lambda request: answer_of(pair[1], request)


def answer_of(plain: GenerateModel, request: GenerationRequest) -> tuple[str, Finished]:
    parts: list[str] = []
    finished = plain.generate(request, parts.append, lambda: False)
    return "".join(parts), finished


Alone = Callable[[GenerationRequest], tuple[str, Finished]]


def same(bench: Stepper, job: Job, alone: Alone) -> None:
    """Assert that a job was answered as `generate()` answers it."""
    text, finished = alone(job.request)
    assert bench.text(job) == text
    got = bench.finished(job)
    assert (got.prompt_tokens, got.new_tokens) == (finished.prompt_tokens, finished.new_tokens)


def no_page_is_lost(backend: BatchingBackend) -> None:
    scheduler = backend._scheduler
    assert not scheduler.running
    scheduler.shrink()
    assert scheduler._pool.num_free == scheduler._pool.num_usable


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
        assert fast.prompt_of(asking(*messages)).tokens == ids
        assert fast.prompt_tokens(messages) == len(ids)


def test_one_request_is_answered_as_generate_answers_it(bench: Stepper, alone: Alone) -> None:
    job = bench.ask(asking(user("What is this?", COLOURS[0]), tokens=30))
    bench.run()
    same(bench, job, alone)


def test_threads_of_all_lengths_at_once_are_answered_alike(bench: Stepper, alone: Alone) -> None:
    jobs = [bench.ask(asking(user("Why? " * (3 * i + 1)), tokens=5 + 4 * i)) for i in range(6)] + [
        bench.ask(asking(user(f"What {i}?", COLOURS[i]), tokens=12)) for i in range(4)
    ]
    bench.run()
    for job in jobs:
        same(bench, job, alone)


def test_those_who_come_while_others_talk_are_answered_alike(bench: Stepper, alone: Alone) -> None:
    jobs = []
    for i in range(8):
        jobs.append(bench.ask(asking(user(f"Question {i}", COLOURS[i % 4]), tokens=20)))
        bench.step(3)
    bench.run()
    for job in jobs:
        same(bench, job, alone)


def test_a_follow_up_reads_nothing_again_and_looks_at_no_picture_again(
    bench: Stepper, alone: Alone
) -> None:
    first = user("What is this?", COLOURS[1])
    job = bench.ask(asking(first, tokens=20))
    bench.run()
    encoded = bench.backend.features.encoded
    follow_up = bench.ask(
        asking(first, assistant(bench.text(job)), user("What colour is it?"), tokens=12)
    )
    bench.run()
    before = bench.finished(job)
    assert bench.backend.features.encoded == encoded
    known = before.prompt_tokens + before.new_tokens - 1
    assert bench.finished(follow_up).cached_tokens > known - 18
    # Its own tokens went in, which a second tokenisation might have spelt otherwise.
    assert bench.prompts[follow_up].tokens[: before.prompt_tokens] == bench.prompts[job].tokens


def test_an_answer_with_what_looks_like_a_control_token_is_known_again(bench: Stepper) -> None:
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
    assert set(follow_up.tokens[new.start : new.end]) == {placeholder}


def test_a_text_that_ends_an_answer_is_in_no_later_prompt(
    bench: Stepper, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = user("What do you see?", COLOURS[1])
    job = bench.ask(asking(first, tokens=20))
    answer = next(iter(bench.backend._live.values()))
    bench.step(4)
    answer.text.ended = FinishReason.STOP
    bench.run()
    follow_up = bench.backend.prompt_of(
        asking(first, assistant(bench.text(job) or "?"), user("And now?"))
    )
    known = len(bench.prompts[job].tokens)
    assert follow_up.tokens[known : known + len(answer.said)] != answer.said


def test_what_was_stopped_and_forgotten_is_kept_nowhere(bench: Stepper) -> None:
    job = bench.ask(asking(user("What is this?", COLOURS[0]), tokens=50))
    bench.step(5)
    job.cancelled = True
    bench.backend.clear_caches(bench)
    assert bench.finished(job).reason is FinishReason.ABORTED
    prompts = bench.backend._prompts
    assert len(prompts.transcripts) == 0
    assert prompts._pixels.num_recent == 0
    assert not bench.backend.features._kept
    no_page_is_lost(bench.backend)


def test_pictures_wait_decoded_for_their_turn_however_many_wait(
    bench: Stepper, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [bench.ask(asking(user("What is this?", (9 * i, 80, 200)), tokens=2)) for i in range(20)]

    monkeypatch.setattr(bench.backend.features, "max_bytes", 1 << 30)

    def decode_now(*_: object) -> None:
        raise AssertionError("a picture is decoded in a step")

    monkeypatch.setattr(bench.backend._prompts._pixels.preprocessor, "preprocess", decode_now)
    bench.run()
    assert all(bench.finished(job) for job in jobs)
    assert bench.backend._prompts._pixels.num_held == 0


def test_a_follow_up_whose_pages_are_gone_is_answered_alike(bench: Stepper, alone: Alone) -> None:
    first = user("What is this?", COLOURS[1])
    thread = (first, assistant("A square."), user("What colour?"))
    bench.ask(asking(first, tokens=10))
    bench.run()
    bench.backend.clear_caches()
    job = bench.ask(asking(*thread, tokens=15))
    bench.run()
    assert bench.finished(job).cached_tokens == 0
    same(bench, job, alone)


def test_threads_about_one_picture_share_it_and_are_answered_alike(
    bench: Stepper, alone: Alone
) -> None:
    before = bench.backend.features.encoded
    jobs = [
        bench.ask(asking(user(f"Question number {i}?", COLOURS[3]), tokens=10)) for i in range(5)
    ]
    bench.run()
    for job in jobs:
        same(bench, job, alone)
    assert bench.backend.features.encoded == before + 1


def test_a_picture_is_looked_at_once_wherever_it_stands(
    bench: Stepper, alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.backend.features, "max_bytes", 1 << 20)  # a share of a tiny cache
    before = bench.backend.features.encoded
    jobs = [
        bench.ask(asking(user("Which?", *colours), tokens=10))
        for colours in (COLOURS[:2], COLOURS[1::-1])
    ]
    bench.run()
    for job in jobs:
        same(bench, job, alone)
    assert bench.backend.features.encoded == before + 2


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


def test_a_neighbour_who_leaves_changes_nothing_and_frees_its_pages(
    bench: Stepper, alone: Alone
) -> None:
    leaving, staying = (
        bench.ask(asking(user(f"Question {i}", COLOURS[i]), tokens=25)) for i in range(2)
    )
    bench.step(6)
    leaving.cancelled = True
    bench.step()
    assert bench.finished(leaving).reason is FinishReason.ABORTED
    assert len(bench.backend._scheduler.running) == 1
    bench.run()
    same(bench, staying, alone)
    no_page_is_lost(bench.backend)


def test_when_pages_run_out_everybody_is_still_answered_alike(
    bench: Stepper, alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = bench.backend._scheduler._pool
    held = [pool.allocate() for _ in range(pool.num_free - 60)]
    jobs = [bench.ask(asking(user(f"Tell me of {i}"), tokens=150)) for i in range(6)]
    bench.run()
    for page in held:
        pool.free(page)
    for job in jobs:
        same(bench, job, alone)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_out_of_memory_is_tried_again_and_then_said(
    bench: Stepper, alone: Alone, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    runner = bench.backend._runner
    start, fails = runner.start, [1]

    def failing(plan: Any) -> Any:
        if fails[0]:
            fails[0] -= 1
            raise error
        return start(plan)

    monkeypatch.setattr(runner, "start", failing)
    kept = bench.backend.features._kept
    bench.ask(asking(user("Before", COLOURS[1]), tokens=2))
    fails[0] = 0
    bench.run()
    assert kept
    fails[0] = 1
    job = bench.ask(asking(user("Once", COLOURS[0]), tokens=10))
    bench.step()
    assert not kept  # caches have given way
    bench.run()
    same(bench, job, alone)
    fails[0] = 3
    job = bench.ask(asking(user("Three times", COLOURS[0]), tokens=10))
    bench.run()
    last = bench.said[job][-1]
    assert isinstance(last, GenerationFailed)
    assert "memory" in str(last)
    no_page_is_lost(bench.backend)


def test_after_running_out_of_memory_less_is_read_at_once(
    bench: Stepper, alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = bench.backend._runner
    start = runner.start
    sizes: list[int] = []

    def too_much(plan: Any) -> Any:
        sizes.append(sum(chunk.count for chunk in plan.chunks))
        if sizes[-1] > 200:
            raise torch.OutOfMemoryError("out of memory")
        return start(plan)

    monkeypatch.setattr(runner, "start", too_much)
    job = bench.ask(asking(user("Why? " * 120), tokens=5))
    bench.run()
    same(bench, job, alone)
    assert sizes[0] > sizes[1] > sizes[2]


def test_who_talks_goes_on_when_what_is_read_beside_makes_a_step_fail(
    bench: Stepper, alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    talking = bench.ask(asking(user("Talking"), tokens=30))
    bench.step(5)
    runner = bench.backend._runner
    start = runner.start

    def failing(plan: Any) -> Any:
        if plan.chunks:
            raise ValueError("what is read cannot be computed")
        return start(plan)

    monkeypatch.setattr(runner, "start", failing)
    read = bench.ask(asking(user("Read", COLOURS[0])))
    bench.run()
    assert isinstance(bench.said[read][-1], GenerationFailed)
    same(bench, talking, alone)


def test_the_caches_are_bounded(bench: Stepper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference.prompts.pixel_store.MAX_HELD", 4)
    vision, pixels = bench.backend.features, bench.backend._prompts._pixels
    monkeypatch.setattr(vision, "max_bytes", 1)
    jobs = [bench.ask(asking(user(f"{i}?", (9 * i, 7, 200)), tokens=2)) for i in range(12)]
    assert pixels.num_recent == MAX_RECENT
    assert pixels.num_held == 4
    bench.run()
    assert all(bench.finished(job) for job in jobs)
    assert len(vision._kept) <= 1


def test_a_picture_in_cached_pages_is_held_until_its_prompt_is_prefilled_and_no_longer(
    bench: Stepper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.prompts.pixel_store.MAX_HELD", 1)
    pixels = bench.backend._prompts._pixels
    request = asking(user("What is it?", COLOURS[0]), tokens=20)
    bench.ask(request)
    bench.run()
    bench.backend.features.clear()  # its pages are cached, its embeddings are not
    follow_up = bench.ask(request)
    assert pixels.num_held == 1
    bench.step(2)
    assert bench.said[follow_up]
    assert pixels.num_held == 0
    bench.ask(asking(user("And this?", COLOURS[1]), tokens=2))
    assert pixels.num_held == 1
    bench.run()


def test_a_step_that_fails_ends_its_own_requests_and_no_others(
    bench: Stepper, alone: Alone, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    runner = bench.backend._runner
    start = runner.start

    words = "secret words of a question"

    def failing(_plan: Any) -> Any:
        raise ValueError(words)

    monkeypatch.setattr(runner, "start", failing)
    lost = bench.ask(asking(user("Lost")))
    bench.step()
    monkeypatch.setattr(runner, "start", start)
    job = bench.ask(asking(user("Next"), tokens=10))
    bench.run()
    assert isinstance(bench.said[lost][-1], GenerationFailed)
    assert "ValueError" in caplog.text
    assert words not in caplog.text
    same(bench, job, alone)


def test_a_thousand_random_arrivals_departures_and_failures_lose_no_page(
    bench: Stepper, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(5)  # noqa: S311
    runner = bench.backend._runner
    start = runner.start

    def sometimes_failing(plan: Any) -> Any:
        if chance.random() < 0.05:
            raise chance.choice([torch.OutOfMemoryError("no"), ValueError("no")])
        return start(plan)

    monkeypatch.setattr(runner, "start", sometimes_failing)
    jobs = []
    for i in range(1000):
        words = chance.choice(["Yes? ", "What is it? "]) * chance.randrange(1, 8)
        jobs.append(bench.ask(asking(user(words), tokens=chance.randrange(1, 12))))
        if chance.random() < 0.3:
            chance.choice(jobs).cancelled = True
        if i % 3 == 0:
            bench.step()
    bench.run()
    for job in jobs:
        assert isinstance(bench.said[job][-1], Finished | GenerationFailed)
    no_page_is_lost(bench.backend)


def test_who_has_to_wait_is_told_the_place(bench: Stepper) -> None:
    most = bench.backend.max_running
    jobs = [bench.ask(asking(user(f"{i}"), tokens=4)) for i in range(most + 2)]
    bench.run()
    places = [[c.position for c in bench.said[job] if isinstance(c, Queued)] for job in jobs]
    assert places[0] == []
    assert all(place and place == sorted(place, reverse=True) for place in places[most:])


def test_a_seed_gives_the_same_answer_whoever_else_is_there(bench: Stepper) -> None:
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


def changed(path: Path, folder: Path, **generation: object) -> Path:
    """A copy of a checkpoint whose generation config says something more."""
    shutil.copytree(path, folder, dirs_exist_ok=True)
    file = folder / "generation_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | generation))
    return folder


def both_paths(path: Path, **options: Any) -> tuple[BatchingBackend, GenerateModel]:
    """The same checkpoint on both paths."""
    spec = ModelSpec(name=str(path), **options)
    fast, plain = (
        load_model(one, cache_dir=path, progress=io.StringIO())
        for one in (spec, replace(spec, engine="transformers"))
    )
    assert isinstance(fast, BatchingBackend)
    assert isinstance(plain, SequentialBackend)
    assert isinstance(plain.wrapped, GenerateModel)
    assert (fast.model.engine, plain.model.engine) == ("fast", "transformers")
    return fast, plain.wrapped


def test_ignore_eos_decodes_to_the_requested_length_on_both_paths(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    request = asking(user("What is this?", COLOURS[0]), tokens=8)
    fast, _ = both_paths(tiny_checkpoint("llava-1.5"))
    stepper = Stepper(fast)
    job = stepper.ask(request)
    stepper.run()
    folder = changed(tiny_checkpoint("llava-1.5"), tmp_path, eos_token_id=stepper.tokens[job][2])
    fast, plain = both_paths(folder)
    stepper = Stepper(fast)
    for ignore_eos, reason in ((False, FinishReason.STOP), (True, FinishReason.LENGTH)):
        sampling = replace(request.sampling, ignore_eos=ignore_eos)
        job = stepper.ask(replace(request, sampling=sampling))
        stepper.run()
        _, finished = answer_of(plain, job.request)
        assert finished.reason is stepper.finished(job).reason is reason
        assert finished.new_tokens == stepper.finished(job).new_tokens
        assert (finished.new_tokens == 8) is ignore_eos


def test_what_a_generation_config_asks_of_every_answer_is_done(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    usual, _ = both_paths(tiny_checkpoint("llava-onevision"))
    stepper = Stepper(usual)
    job = stepper.ask(asking(user("What is this?", COLOURS[0]), tokens=20))
    stepper.run()
    said = stepper.tokens[job]
    path = changed(
        tiny_checkpoint("llava-onevision"),
        tmp_path,
        repetition_penalty=1.4,
        suppress_tokens=sorted(set(said[:3])),
    )
    fast, plain = both_paths(path)
    stepper = Stepper(fast)
    jobs = [stepper.ask(asking(user(f"What is {i}?", COLOURS[i]), tokens=20 + i)) for i in range(3)]
    stepper.run()
    for job in jobs:
        same(stepper, job, lambda request: answer_of(plain, request))
        assert not set(said[:3]) & set(stepper.tokens[job])


def test_what_the_fast_path_does_not_do_for_a_generation_config_takes_the_plain_path(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    path = changed(tiny_checkpoint("llava-1.5"), tmp_path, no_repeat_ngram_size=3)
    backend = load_model(ModelSpec(name=str(path)), cache_dir=path, progress=io.StringIO())
    assert backend.model.engine == "transformers"
    assert backend.model.why_not_fast == "its generation config sets no_repeat_ngram_size"


def test_what_a_generation_config_asks_of_nobody_does_not_matter() -> None:
    for name, value in (("min_length", 1), ("num_beams", 1), ("no_repeat_ngram_size", 0)):
        assert unsupported_processor(GenerationConfig(**{name: value})) is None
    for name, value in (("min_length", 5), ("min_new_tokens", 1), ("num_beams", 2)):
        assert unsupported_processor(GenerationConfig(**{name: value})) == name


def test_where_no_kernel_can_be_compiled_the_plain_path_says_why(
    tiny_checkpoint: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.set_device", lambda _: None)
    monkeypatch.setitem(sys.modules, "triton", None)
    config = AutoConfig.from_pretrained(tiny_checkpoint("llava-1.5"))
    with pytest.raises(UnsupportedWeights, match=r"no kernel can be compiled .*triton"):
        assemble_batching._skinny(config, torch.device("cuda"), tmp_path)


def test_keys_with_biases_are_not_kept_in_8_bits_unless_that_is_asked_for() -> None:
    def dtype(bits: int, bias: object, asked: Literal["auto", "none", "int8"]) -> torch.dtype:
        decoder: Any = SimpleNamespace(
            bits=bits, dtype=torch.bfloat16, layers=[SimpleNamespace(qkv_bias=bias)]
        )
        return assemble_batching._cache_dtype(ModelSpec(name="", quantize_cache=asked), decoder)

    assert dtype(4, None, "auto") == torch.int8
    assert dtype(16, None, "auto") == torch.bfloat16
    assert dtype(4, torch.ones(1), "auto") == torch.bfloat16
    assert dtype(4, torch.ones(1), "int8") == torch.int8
    assert dtype(4, None, "none") == torch.bfloat16


@torch.inference_mode()
def test_a_cache_in_8_bits_says_nothing_that_the_model_would_hardly_say(
    tiny_checkpoint: Callable[[str], Path],
) -> None:
    fast, plain = both_paths(tiny_checkpoint("llava-1.5"), quantize_cache="int8")
    assert fast.model.cache_dtype == "int8"
    stepper = Stepper(fast)
    jobs = [stepper.ask(asking(user(f"What is {i}?", COLOURS[i]), tokens=20)) for i in range(3)]
    stepper.run()
    for job in jobs:
        inputs = dict(plain._prepare(job.request.messages))
        said = stepper.tokens[job]
        inputs["input_ids"] = torch.cat([inputs["input_ids"], torch.tensor([said])], 1)
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        logits = plain._weights(**inputs).logits[0, -len(said) - 1 : -1]
        behind = logits.max(-1).values - logits[range(len(said)), said]
        assert float(behind.max()) < 0.02 * float(logits.std())
    assert fast.token_bytes < 0.4 * both_paths(tiny_checkpoint("llava-1.5"))[0].token_bytes


@pytest.mark.parametrize("family", ["blip-2", "smolvlm", "qwen2.5-vl"])
def test_other_families_take_the_plain_path_and_say_why(
    family: str, tiny_checkpoint: Callable[[str], Path]
) -> None:
    path = tiny_checkpoint(family)
    told = io.StringIO()
    backend = load_model(ModelSpec(name=str(path)), cache_dir=path, progress=told)
    assert backend.model.engine == "transformers"
    assert "its architecture is" in str(backend.model.why_not_fast)
    assert "plain (its architecture is" in told.getvalue()
    assert run_inline(backend, asking(user("What is this?", COLOURS[0])))
