"""The fast path on a GPU: a float32 reference rates every token about as high as the best one.

The model is LLaVA-1.5's architecture with random weights, small, heads of 64; the reference is
the same weights, dequantized, in float32 on the CPU. Every generated token's logit in the reference
must be within `TOLERANCE` of the largest.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import LlavaForConditionalGeneration
from transformers.generation.logits_process import RepetitionPenaltyLogitsProcessor

from inference.backends.batching import BatchingBackend
from inference.bench.workloads import picture_of
from inference.errors import GenerationFailed
from inference.execution import linears
from inference.execution.linears import Head8Bits
from inference.serving.backend import Job
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
"""In standard deviations of the logits; bfloat16 rounds each of a few hundred sums."""


class Client(Stepper):
    """A stepper with a short way to send a request."""

    def asks(self, *messages: Message, tokens: int = 24, **sampling: Any) -> Job:
        options = {"temperature": 0.0, "max_new_tokens": tokens} | sampling
        return self.ask(GenerationRequest(messages=messages, sampling=Sampling(**options)))


def user(text: str, *pictures: int) -> Message:
    return Message(
        role=Role.USER, text=text, pictures=tuple(picture_of(number) for number in pictures)
    )


def float32_reference(weights: Any) -> Any:
    """A float32 copy on the CPU, dequantized."""
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
    reference = float32_reference(weights)
    folder = tmp_path_factory.mktemp("kernels")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linears, "HEAD_BYTES", 0)  # as if the head were large
        return small_backend(weights, processor, spec, folder), reference


@pytest.fixture
def client(both: tuple[BatchingBackend, Any]) -> Client:
    both[0].clear_caches()
    return Client(both[0])


@torch.inference_mode()
def assert_matches_reference(client: Client, both: tuple[BatchingBackend, Any], job: Job) -> None:
    backend, reference = both
    answer = client.tokens[job]
    tokens = client.prompts[job].tokens + answer
    preprocessor = backend._prompts._pixels.preprocessor
    pixels = [
        preprocessor._processed(preprocessor._family.picture_for(picture, preprocessor._processor))
        for picture in client.prompts[job].pictures
    ]
    logits = reference(
        input_ids=torch.tensor([tokens[:-1]]),
        pixel_values=torch.cat(pixels) if pixels else None,
    ).logits[0, len(client.prompts[job].tokens) - 1 :]
    assert len(answer) > 0
    shortfall = logits.max(-1).values - logits[range(len(answer)), answer]
    assert float(shortfall.max()) < TOLERANCE * float(logits.std())


def test_the_device_makes_the_processors_own_pixels(both: Any) -> None:
    preprocessor = both[0]._prompts._pixels.preprocessor
    picture = picture_of(5)
    read = preprocessor.preprocess(picture)["pixel_values"]
    assert read.dtype == torch.uint8
    wanted = preprocessor._processed(
        preprocessor._family.picture_for(picture, preprocessor._processor)
    )
    assert torch.equal(preprocessor.normalise(preprocessor.resize(read.cuda())).cpu(), wanted)


def test_a_large_head_has_8_bits_beside_few_bit_weights_alone(both: Any) -> None:
    backend, _ = both
    decoder = backend._runner._decoder
    assert isinstance(decoder.head, Head8Bits) == (decoder.bits < 16)
    vocabulary, hidden = decoder.vocabulary, decoder.shape.hidden
    of_row = hidden + 4 if decoder.bits < 16 else 2 * hidden  # with its scale
    layers = sum(
        linear.nbytes
        for layer in decoder.layers
        for linear in (layer.qkv_proj, layer.o_proj, layer.gate_up_proj, layer.down_proj)
    )
    assert backend.model.step_bytes == layers + vocabulary * of_row


def compiled() -> int:
    """How many kernels Triton has compiled in this process."""
    from triton.runtime.jit import JITFunction

    kernels = [
        member
        for module in (attention, fused, resize, sampling)
        for member in vars(module).values()
        if isinstance(member, JITFunction)
    ]
    return sum(len(cache[0]) for kernel in kernels for cache in kernel.device_caches.values())


def test_nothing_is_compiled_after_the_start(client: Client, both: Any) -> None:
    before = compiled()
    assert before > 5
    for words in (3, 150, 500):  # alone, and several in one step
        jobs = [client.asks(user("word " * (words + 17 * i), i), tokens=4) for i in range(5)]
        client.run()
        assert all(client.finished(job) for job in jobs)
    large = Message(role=Role.USER, text="and this", pictures=(plain_picture(size=(900, 1001)),))
    client.ask(GenerationRequest(messages=(large,), sampling=Sampling(max_new_tokens=3)))
    client.run()
    assert compiled() == before


def test_sequences_of_all_lengths_match_the_reference(client: Client, both: Any) -> None:
    jobs = [client.asks(user("why " * (1 + 23 * i)), tokens=10 + 3 * i) for i in range(7)]
    jobs += [client.asks(user(f"what {i}", i), tokens=20) for i in range(4)]
    client.run()
    for job in jobs:
        assert_matches_reference(client, both, job)


def test_sequences_about_one_picture_match_the_reference(client: Client, both: Any) -> None:
    jobs = [client.asks(user(f"number {i}" * (1 + i % 3), 7), tokens=40) for i in range(12)]
    client.run()
    assert client.backend.vision.encoded >= 1
    for job in jobs:
        assert_matches_reference(client, both, job)


def test_a_long_prompt_is_prefilled_in_chunks_while_others_decode(
    client: Client, both: Any
) -> None:
    decoding = [client.asks(user(f"talk {i}"), tokens=60) for i in range(3)]
    client.step(4)
    long = client.asks(user("word " * 350, 1), tokens=10)
    client.run()
    for job in [*decoding, long]:
        assert_matches_reference(client, both, job)


def test_two_pictures_in_one_prompt_match_the_reference(client: Client, both: Any) -> None:
    job = client.asks(user("these", 1, 2), tokens=12)
    client.run()
    assert_matches_reference(client, both, job)


def test_follow_ups_prefill_only_their_new_tokens(client: Client, both: Any) -> None:
    first = user("what is this", 3)
    job = client.asks(first, tokens=30)
    client.run()
    encoded = client.backend.vision.encoded
    text = client.backend._prompts._tokenizer.decode(client.tokens[job])
    again = client.asks(first, Message(role=Role.ASSISTANT, text=text.strip()), user("and now"))
    client.run()
    assert_matches_reference(client, both, again)
    assert client.backend.vision.encoded == encoded
    assert client.finished(again).cached_tokens > 600


def test_a_sequence_with_nan_keys_ends_alone(client: Client, both: Any) -> None:
    first, bad, last = (client.asks(user(f"number {i}", i), tokens=30) for i in range(3))
    client.step(8)
    sequence = next(one for one, answer in client.backend._requests.items() if answer.job is bad)
    cache = client.backend._runner.cache
    broken = cache._values if cache._value_scales is None else cache._value_scales
    broken[:, sequence.pages[2:]] = torch.nan
    client.run()
    assert isinstance(client.said[bad][-1], GenerationFailed)
    again = client.asks(user("number 1", 1), tokens=30)
    client.run()
    for job in (first, last, again):
        assert_matches_reference(client, both, job)


def test_aborts_and_preemptions_change_no_other_answer(client: Client, both: Any) -> None:
    pool = client.backend._scheduler._pool
    held = [pool.allocate() for _ in range(pool.num_free - 40)]
    jobs = [client.asks(user(f"tell {i}"), tokens=150) for i in range(6)]
    client.step(20)
    jobs[2].cancelled = True
    client.run()
    for page in held:
        pool.free(page)
    assert client.finished(jobs[2]).reason is FinishReason.ABORTED
    for job in jobs[:2] + jobs[3:]:
        assert_matches_reference(client, both, job)
    client.backend._scheduler.shrink()
    assert pool.num_free == pool.num_usable


def test_the_same_seed_repeats_an_answer_and_another_seed_does_not(client: Client) -> None:
    answers = []
    for seed in (3, 3, 4):
        client.backend.clear_caches()  # other prefill chunks round differently
        job = client.asks(user("say something"), temperature=0.9, top_p=0.8, top_k=50, seed=seed)
        client.run()
        answers.append(client.tokens[job])
    assert answers[0] == answers[1] != answers[2]


@torch.inference_mode()
def test_logits_processors_of_the_generation_config_apply_to_every_answer(tmp_path: Path) -> None:
    spec = ModelSpec(name="small", device="cuda", cache_tokens=20_000)
    weights, processor = small_model(spec)
    weights.generation_config.repetition_penalty = 1.5
    weights.generation_config.suppress_tokens = suppressed = list(range(0, 32_000, 3))
    reference = float32_reference(weights)
    penalty = RepetitionPenaltyLogitsProcessor(1.5)
    client = Client(small_backend(weights, processor, spec, tmp_path))
    jobs = [client.asks(user(f"tell me {i}"), tokens=20) for i in range(3)]
    client.run()
    for job in jobs:
        answer, start = client.tokens[job], len(client.prompts[job].tokens)
        tokens = torch.tensor([client.prompts[job].tokens + answer])
        logits = reference(input_ids=tokens[:, :-1]).logits[0, start - 1 :]
        for index, token in enumerate(answer):
            preferred = penalty(tokens[:, : start + index], logits[index : index + 1])[0]
            preferred[suppressed] = -torch.inf
            assert float(preferred.max() - preferred[token]) < TOLERANCE * float(logits.std())
