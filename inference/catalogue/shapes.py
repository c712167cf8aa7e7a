"""Models that people run, in their true shapes; a test compares them with those of the bench."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueModel:
    """One released checkpoint."""

    name: str
    """On the hub."""
    model_type: str
    text_type: str
    """``model_type`` of the decoder's config."""
    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head: int
    vocabulary: int
    tied: bool = False
    """The head is the embedding."""
    tower: float
    """Parameters of vision tower and projector."""
    japanese: str
    """How well; figures are Heron (a model judges) / JMMMU of llm-jp-eval-mm."""
    licence: str
    source: str
    """Where these sizes are quoted in public."""

    @property
    def in_layers(self) -> int:
        """Parameters of the decoder's matrices, which quantization reaches."""
        attention = self.hidden * self.head * (2 * self.heads + 2 * self.kv_heads)
        return self.layers * (attention + 3 * self.hidden * self.intermediate)

    @property
    def embedding(self) -> int:
        """Parameters of the embedding; those of the head are as many."""
        return self.vocabulary * self.hidden

    @property
    def parameters(self) -> float:
        """Of the whole model, without its norms and biases."""
        return self.in_layers + self.embedding * (1 if self.tied else 2) + self.tower

    @property
    def suits_int8_keys(self) -> bool:
        """Whether keys keep enough in 8 bits: without biases, and without norms of their own."""
        return self.text_type in {"llama", "mistral", "ministral3"}


def _llava(name: str, hidden: int, intermediate: int, layers: int, heads: int) -> CatalogueModel:
    return CatalogueModel(
        name=name,
        model_type="llava",
        text_type="llama",
        hidden=hidden,
        intermediate=intermediate,
        layers=layers,
        heads=heads,
        kv_heads=heads,
        head=128,
        vocabulary=32_064,
        tower=304e6 + 1024 * hidden + hidden * hidden,
        japanese="a little (43 / 30)" if hidden == 4096 else "a little",
        licence="Llama 2",
        source="Vicuna-1.5's config.json",
    )


def _qwen(
    name: str,
    series: str,
    sizes: tuple[int, int, int, int, int],
    tower: float,
    *,
    vocabulary: int = 151_936,
    tied: bool = False,
    japanese: str = "yes",
    licence: str = "Apache-2.0",
    source: str = "its config.json, in public code",
) -> CatalogueModel:
    hidden, intermediate, layers, heads, kv_heads = sizes
    return CatalogueModel(
        name=f"Qwen/{name}",
        model_type=series,
        text_type=f"{series}_text",
        hidden=hidden,
        intermediate=intermediate,
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        head=128,
        vocabulary=vocabulary,
        tied=tied,
        tower=tower,
        japanese=japanese,
        licence=licence,
        source=source,
    )


def _other(
    name: str,
    types: tuple[str, str],
    sizes: tuple[int, int, int, int, int, int],
    vocabulary: int,
    tower: float,
    *,
    japanese: str,
    source: str,
    licence: str = "Apache-2.0",
    tied: bool = False,
) -> CatalogueModel:
    hidden, intermediate, layers, heads, kv_heads, head = sizes
    return CatalogueModel(
        name=name,
        model_type=types[0],
        text_type=types[1],
        hidden=hidden,
        intermediate=intermediate,
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        head=head,
        vocabulary=vocabulary,
        tied=tied,
        tower=tower,
        japanese=japanese,
        licence=licence,
        source=source,
    )


MISTRAL = ("mistral3", "ministral3")
GEMMA = ("gemma3", "gemma3_text")
SMOL = ("smolvlm", "llama")
INTERN = ("internvl", "qwen3")
GLM = ("glm46v", "glm4v_text")
QWEN3_8B = "Qwen3-8B's config.json, in public code, and the model card's number of parameters"
QWEN3_4B = "Qwen3-4B's config.json, in public code, and the model card's number of parameters"
GGUF = "its config.json, in public code, and the sizes of its files in GGUF"

# The best answers first: the first that fits is recommended.
# Licence and languages are the model cards', the figures for Japanese those of llm-jp-eval-mm.
MODELS = (
    _qwen("Qwen3-VL-32B-Instruct", "qwen3_vl", (5120, 25_600, 64, 64, 8), 596e6),
    _qwen("Qwen3-VL-8B-Instruct", "qwen3_vl", (4096, 12_288, 36, 32, 8), 576e6),
    _qwen("Qwen3-VL-4B-Instruct", "qwen3_vl", (2560, 9728, 36, 32, 8), 415e6, tied=True),
    _qwen("Qwen3-VL-2B-Instruct", "qwen3_vl", (2048, 6144, 28, 16, 8), 407e6, tied=True),
    _qwen(
        "Qwen2.5-VL-32B-Instruct",
        "qwen2_5_vl",
        (5120, 27_648, 64, 40, 8),
        690e6,
        vocabulary=152_064,
        source="Qwen2.5-32B's config.json, in public code",
    ),
    _qwen(
        "Qwen2.5-VL-7B-Instruct",
        "qwen2_5_vl",
        (3584, 18_944, 28, 28, 4),
        676e6,
        vocabulary=152_064,
        japanese="yes (70 / 48)",
    ),
    _qwen(
        "Qwen2.5-VL-3B-Instruct",
        "qwen2_5_vl",
        (2048, 11_008, 36, 16, 2),
        668e6,
        tied=True,
        licence="Qwen Research",
    ),
    _other(
        "OpenGVLab/InternVL3_5-8B-HF",
        INTERN,
        (4096, 12_288, 36, 32, 8, 128),
        151_936,
        338e6,
        japanese="some",
        source=QWEN3_8B,
    ),
    _other(
        "OpenGVLab/InternVL3_5-4B-HF",
        INTERN,
        (2560, 9728, 36, 32, 8, 128),
        151_936,
        321e6,
        japanese="some",
        source=QWEN3_4B,
    ),
    _other(
        "zai-org/GLM-4.6V-Flash",
        GLM,
        (4096, 13_696, 40, 32, 2, 128),
        151_552,
        892e6,
        japanese="not stated",
        licence="MIT",
        source="its config.json, in public code",
    ),
    _other(
        "mistralai/Ministral-3-14B-Instruct-2512-BF16",
        MISTRAL,
        (5120, 16_384, 40, 32, 8, 128),
        131_072,
        439e6,
        japanese="yes",
        source="apxml.com/models/ministral-3-14b",
    ),
    _other(
        "mistralai/Ministral-3-8B-Instruct-2512-BF16",
        MISTRAL,
        (4096, 14_336, 34, 32, 8, 128),
        131_072,
        429e6,
        japanese="yes",
        source="the defaults of transformers' Ministral3Config",
    ),
    _other(
        "mistralai/Ministral-3-3B-Instruct-2512-BF16",
        MISTRAL,
        (3072, 9216, 26, 32, 8, 128),
        131_072,
        420e6,
        japanese="yes",
        source="its config.json, in public code",
        tied=True,
    ),
    _other(
        "google/gemma-3-27b-it",
        GEMMA,
        (5376, 21_504, 62, 32, 16, 128),
        262_208,
        418e6,
        japanese="yes",
        source="its config.json, in public code",
        licence="Gemma",
        tied=True,
    ),
    _other(
        "google/gemma-3-12b-it",
        GEMMA,
        (3840, 15_360, 48, 16, 8, 256),
        262_208,
        417e6,
        japanese="yes (72 / 48)",
        source="its config.json, in public code",
        licence="Gemma",
        tied=True,
    ),
    _other(
        "google/gemma-3-4b-it",
        GEMMA,
        (2560, 10_240, 34, 8, 4, 256),
        262_208,
        416e6,
        japanese="yes",
        source="its config.json, in public code",
        licence="Gemma",
        tied=True,
    ),
    _llava("llava-hf/llava-1.5-13b-hf", 5120, 13_824, 40, 40),
    _llava("llava-hf/llava-1.5-7b-hf", 4096, 11_008, 32, 32),
    _other(
        "HuggingFaceTB/SmolVLM2-2.2B-Instruct",
        SMOL,
        (2048, 8192, 24, 32, 32, 64),
        49_280,
        434e6,
        japanese="no",
        source="SmolLM2-1.7B's config.json, in public code",
    ),
    _other(
        "HuggingFaceTB/SmolVLM2-500M-Video-Instruct",
        SMOL,
        (960, 2560, 32, 15, 5, 64),
        49_280,
        98e6,
        japanese="no",
        source=GGUF,
    ),
)
