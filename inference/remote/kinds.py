"""What is known of the servers that people run: each speaks the protocol with words of its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A server's program."""

    name: str
    continues: bool = False
    """It goes on with an answer that was cut: `continue_final_message`, without a new prompt."""
    has_template_switches: bool = False
    """It takes `chat_template_kwargs`, by which models are told not to think."""
    samples_further: bool = False
    """It takes `top_k` and `ignore_eos`."""
    counts_tokens: bool = False
    """Its `/tokenize` renders a conversation."""
    clear_path: str = ""
    """What empties its prefix cache, where its operator allows it."""


VLLM = Kind(
    name="vLLM",
    continues=True,
    has_template_switches=True,
    samples_further=True,
    counts_tokens=True,
    clear_path="/reset_prefix_cache",
)
SGLANG = Kind(
    name="SGLang",
    continues=True,
    has_template_switches=True,
    samples_further=True,
    clear_path="/flush_cache",
)
LLAMA_CPP = Kind(name="llama.cpp", continues=True, has_template_switches=True, samples_further=True)
OLLAMA = Kind(name="Ollama")
OTHER = Kind(name="OpenAI-compatible")

_BY_OWNER = {"vllm": VLLM, "sglang": SGLANG, "llamacpp": LLAMA_CPP, "library": OLLAMA}


def kind_of(owner: object) -> Kind:
    """The program, by `owned_by` of its models."""
    return _BY_OWNER.get(owner, OTHER) if isinstance(owner, str) else OTHER
