"""The fast path on a GPU: every token it says is, to a float32 reference, as good as the best.

The model is LLaVA-1.5's architecture with random weights, small, heads of 64; the reference is
the same weights, few bits written out, in float32 on the CPU. A token may only be said when the
reference's logit for it is within `TOLERANCE` of the largest.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import LlavaForConditionalGeneration
from transformers.generation.logits_process import RepetitionPenaltyLogitsProcessor

from inference.backend import Job
from inference.batching import BatchingBackend
from inference.bench.workloads import picture_of
from inference.types import (
    FinishReason,
    GenerationRequest,
    Message,
    ModelSpec,
    Quantization,
    Role,
    Sampling,
)
from tests.gpu.small_models import small_backend, small_model
from tests.pictures import plain_picture
from tests.stepper import Stepper

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]

if torch.cuda.is_available():
    from inference.kernels import attention, fused, resize, sampling

TOLERANCE = 0.15
"""Of logits whose standard deviation is about 1; bfloat16 rounds each of a few hundred sums."""


class Asker(Stepper):
    """Asks with few words."""

    def asks(self, *messages: Message, tokens: int = 24, **sampling: Any) -> Job:
        options = {"temperature": 0.0, "max_new_tokens": tokens} | sampling
        return self.ask(GenerationRequest(messages=messages, sampling=Sampling(**options)))


def user(text: str, *pictures: int) -> Message:
    return Message(
        role=Role.USER, text=text, pictures=tuple(picture_of(number) for number in pictures)
    )


def whole(weights: Any) -> Any:
    """A float32 copy on the CPU, few bits written out."""
    from bitsandbytes.functional import dequantize_4bit

    state = {}
    modules = dict(weights.named_modules())
    for name, parameter in weights.named_parameters():
        module = modules[name.rpartition(".")[0]]
        value: Tensor = parameter.data
        if type(module).__name__ == "Linear4bit":
            value = dequantize_4bit(value, module.weight.quant_state)
        elif type(module).__name__ == "Linear8bitLt":
            value = module.weight.CB.float() * (module.weight.SCB.float() / 127)[:, None]
        state[name] = value.float().cpu()
    reference = LlavaForConditionalGeneration(weights.config).eval()
    missing = reference.load_state_dict(state, strict=False).missing_keys
    assert not [name for name in missing if "rotary" not in name and "position_ids" not in name]
    return reference


@pytest.fixture(scope="module", params=["none", "nf4", "int8"])
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[BatchingBackend, Any]:
    quantize: Quantization = request.param
    spec = ModelSpec(
        name="small", device="cuda", quantize=quantize, cache_tokens=20_000, max_pictures=2
    )
    weights, processor = small_model(spec)
    reference = whole(weights)
    folder = tmp_path_factory.mktemp("kernels")
    return small_backend(weights, processor, spec, folder), reference


@pytest.fixture
def bench(both: tuple[BatchingBackend, Any]) -> Asker:
    both[0].forget()
    return Asker(both[0])


@torch.inference_mode()
def is_right(bench: Asker, both: tuple[BatchingBackend, Any], job: Job) -> None:
    backend, reference = both
    said = bench.tokens[job]
    tokens = job.prepared.tokens + said
    reader = backend._prompts.reader
    pixels = [
        reader._processed(reader._family.picture_for(picture, reader._processor))
        for picture in job.prepared.pictures
    ]
    logits = reference(
        input_ids=torch.tensor([tokens[:-1]]),
        pixel_values=torch.cat(pixels) if pixels else None,
    ).logits[0, len(job.prepared.tokens) - 1 :]
    assert len(said) > 0
    behind = logits.max(-1).values - logits[range(len(said)), said]
    assert float(behind.max()) < TOLERANCE * float(logits.std())


def test_the_processors_pixels_are_made_on_the_device(both: Any) -> None:
    reader = both[0]._prompts.reader
    picture = picture_of(5)
    read = reader.preprocess(picture)["pixel_values"]
    assert read.dtype == torch.uint8
    wanted = reader._processed(reader._family.picture_for(picture, reader._processor))
    assert torch.equal(reader.normalise(reader.resize(read.cuda())).cpu(), wanted)


def compiled() -> int:
    """Kernels that Triton has compiled in this process."""
    from triton.runtime.jit import JITFunction

    kernels = [
        member
        for module in (attention, fused, resize, sampling)
        for member in vars(module).values()
        if isinstance(member, JITFunction)
    ]
    return sum(len(cache[0]) for kernel in kernels for cache in kernel.device_caches.values())


def test_nothing_is_compiled_once_the_engine_has_started(bench: Asker, both: Any) -> None:
    before = compiled()
    assert before > 5
    for words in (3, 150, 500):  # alone, and several in one step
        jobs = [bench.asks(user("word " * (words + 17 * i), i), tokens=4) for i in range(5)]
        bench.run()
        assert all(bench.finished(job) for job in jobs)
    large = Message(role=Role.USER, text="and this", pictures=(plain_picture(size=(900, 1001)),))
    bench.ask(GenerationRequest(messages=(large,), sampling=Sampling(max_new_tokens=3)))
    bench.run()
    assert compiled() == before


def test_threads_of_all_lengths_say_what_the_reference_says(bench: Asker, both: Any) -> None:
    jobs = [bench.asks(user("why " * (1 + 23 * i)), tokens=10 + 3 * i) for i in range(7)]
    jobs += [bench.asks(user(f"what {i}", i), tokens=20) for i in range(4)]
    bench.run()
    for job in jobs:
        is_right(bench, both, job)


def test_threads_about_one_picture_say_what_the_reference_says(bench: Asker, both: Any) -> None:
    jobs = [bench.asks(user(f"number {i}" * (1 + i % 3), 7), tokens=40) for i in range(12)]
    bench.run()
    assert bench.backend.features.encoded >= 1
    for job in jobs:
        is_right(bench, both, job)


def test_a_long_prompt_in_chunks_beside_those_who_talk(bench: Asker, both: Any) -> None:
    talking = [bench.asks(user(f"talk {i}"), tokens=60) for i in range(3)]
    bench.step(4)
    long = bench.asks(user("word " * 350, 1), tokens=10)
    bench.run()
    for job in [*talking, long]:
        is_right(bench, both, job)


def test_two_pictures_in_one_prompt(bench: Asker, both: Any) -> None:
    job = bench.asks(user("these", 1, 2), tokens=12)
    bench.run()
    is_right(bench, both, job)


def test_follow_ups_read_only_what_is_new(bench: Asker, both: Any) -> None:
    first = user("what is this", 3)
    job = bench.asks(first, tokens=30)
    bench.run()
    encoded = bench.backend.features.encoded
    text = bench.backend._tokenizer.decode(bench.tokens[job])
    again = bench.asks(first, Message(role=Role.ASSISTANT, text=text.strip()), user("and now"))
    bench.run()
    is_right(bench, both, again)
    assert bench.backend.features.encoded == encoded
    assert bench.finished(again).cached_tokens > 600


def test_leaving_and_losing_pages_changes_nobody_elses_answer(bench: Asker, both: Any) -> None:
    pool = bench.backend._scheduler._pool
    held = [pool.allocate() for _ in range(pool.num_free - 40)]
    jobs = [bench.asks(user(f"tell {i}"), tokens=150) for i in range(6)]
    bench.step(20)
    jobs[2].cancelled = True
    bench.run()
    for page in held:
        pool.free(page)
    assert bench.finished(jobs[2]).reason is FinishReason.ABORTED
    for job in jobs[:2] + jobs[3:]:
        is_right(bench, both, job)
    bench.backend._scheduler.shrink()
    assert pool.num_free == pool.num_usable


def test_a_seed_gives_the_same_answer_again_and_another_seed_another(bench: Asker) -> None:
    said = []
    for seed in (3, 3, 4):
        bench.backend.forget()  # a prompt that is read in other pieces is rounded otherwise
        job = bench.asks(user("say something"), temperature=0.9, top_p=0.8, top_k=50, seed=seed)
        bench.run()
        said.append(bench.tokens[job])
    assert said[0] == said[1] != said[2]


@torch.inference_mode()
def test_what_a_generation_config_asks_of_every_answer_is_done(tmp_path: Path) -> None:
    spec = ModelSpec(name="small", device="cuda", cache_tokens=20_000)
    weights, processor = small_model(spec)
    weights.generation_config.repetition_penalty = 1.5
    weights.generation_config.suppress_tokens = suppressed = list(range(0, 32_000, 3))
    reference = whole(weights)
    penalty = RepetitionPenaltyLogitsProcessor(1.5)
    asker = Asker(small_backend(weights, processor, spec, tmp_path))
    jobs = [asker.asks(user(f"tell me {i}"), tokens=20) for i in range(3)]
    asker.run()
    for job in jobs:
        said, start = asker.tokens[job], len(job.prepared.tokens)
        tokens = torch.tensor([job.prepared.tokens + said])
        logits = reference(input_ids=tokens[:, :-1]).logits[0, start - 1 :]
        for place, token in enumerate(said):
            likes = penalty(tokens[:, : start + place], logits[place : place + 1])[0]
            likes[suppressed] = -torch.inf
            assert float(likes.max() - likes[token]) < TOLERANCE * float(logits.std())
