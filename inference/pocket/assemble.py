"""Put the parts together: released weights and trained delta make one checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)

from inference.pocket.colours import prototype_table
from inference.pocket.concepts import BUCKETS, COLOURS, NUM_SLOTS, ROWS, Columns, Concepts
from inference.pocket.efficientnet import NUM_CLASSES, SIDE_PX, fold_released
from inference.pocket.lora import merge_lora
from inference.pocket.model import NUM_ROWS, PocketVisionConfig, PocketVisionModel

SYSTEM = "You are a helpful assistant that answers questions about pictures."
IMAGE_TOKEN = "<image>"  # noqa: S105 - a token of the vocabulary, no secret
STOP_TOKEN = "<|im_end|>"  # noqa: S105
MAX_NEW_TOKENS = 96
CHAT_TEMPLATE = (
    "{%- if messages[0]['role'] != 'system' -%}"
    "{{- '<|im_start|>system\n" + SYSTEM + "<|im_end|>\n' -}}"
    "{%- endif -%}"
    "{%- for message in messages -%}"
    "{{- '<|im_start|>' + message['role'] + '\n' -}}"
    "{%- if message['content'] is string -%}{{- message['content'] -}}"
    "{%- else -%}{%- for part in message['content'] -%}"
    "{%- if part['type'] == 'image' -%}{{- '<image>\n' -}}"
    "{%- elif part['type'] == 'text' -%}{{- part['text'] -}}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}"
    "{{- '<|im_end|>\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}"
)


def load_tokenizer(gguf: Path) -> Any:
    """Read the tokenizer out of the GGUF and add the picture's token and our chat template."""
    tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    tokenizer.add_special_tokens({"additional_special_tokens": [IMAGE_TOKEN]})
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.pad_token = STOP_TOKEN  # older transformers do not read it from a GGUF
    tokenizer.padding_side = "right"
    return tokenizer


def load_language_model(gguf: Path) -> Any:
    """Read SmolLM2-135M out of the GGUF as float32."""
    model: Any = AutoModelForCausalLM.from_pretrained(
        str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32
    )
    return model.eval()


def name_tokens(tokenizer: Any, concepts: Concepts) -> list[list[int]]:
    """Return each concept's name as tokens, as it stands inside a sentence."""
    return [tokenizer.encode(" " + name)[:NUM_SLOTS] for name in concepts.names]


def anchored_columns(tokenizer: Any, embeddings: Tensor, concepts: Concepts) -> Tensor:
    """Return the projector's untrained first layer: every column is a word vector.

    Args:
        embeddings: (vocabulary, hidden), the language model's own.

    Returns:
        float32[hidden, num_features], the layer's weight. Columns of names stay as they are; the
        others (:func:`trained_start`) are where training begins.
    """
    columns = Columns(len(concepts.names))
    weight = torch.zeros(columns.num_features, embeddings.shape[1])

    def word(text: str) -> Tensor:
        return embeddings[tokenizer.encode(text)].mean(0).float()

    for index, tokens in enumerate(name_tokens(tokenizer, concepts)):
        for slot, token in enumerate(tokens):
            weight[slot * columns.num_concepts + index] = embeddings[token].float()
    for i, colour in enumerate(COLOURS):
        weight[columns.colours + i] = word(" " + colour)
    for i, probability in enumerate(BUCKETS):
        weight[columns.buckets + i] = probability * word(" sure") + (1 - probability) * word(
            " maybe"
        )
    weight[columns.blank] = word(",")
    for i, row in enumerate(ROWS):
        if row.label is not None:
            weight[columns.roles + i] = word(row.label)
    return weight.T.contiguous()


def trained_start(concepts: Concepts) -> int:
    """The first column that training moves; those before it are names."""
    return Columns(len(concepts.names)).colours


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The files that a checkpoint is made of."""

    gguf: Path
    """SmolLM2-135M-Instruct."""
    released: Path
    """The EfficientNet-lite2 state dict."""
    detector: Path
    heads: Path
    delta: Path
    """What `train` wrote."""


def membership_of(concepts: Concepts) -> Tensor:
    """Shape: (1000, num_kinds), 1 where the class belongs to the kind."""
    membership = torch.zeros(NUM_CLASSES, len(concepts.kinds))
    for index, kind in enumerate(concepts.kinds):
        membership[list(kind.members), index] = 1.0
    return membership


def build_tower(parts: Parts, name_lengths: Tensor, concepts: Concepts) -> PocketVisionModel:
    """Load what sees, and tell the tower what its classes are called.

    Raises:
        KeyError: a file is not what its name says.
    """
    tower = PocketVisionModel(PocketVisionConfig(num_kinds=len(concepts.kinds)))
    state = torch.load(parts.released, map_location="cpu", weights_only=True)
    tower.net.load_state_dict(fold_released(state))
    for network, file in ((tower.detector, parts.detector), (tower.heads, parts.heads)):
        network.load_state_dict({name: value.float() for name, value in load_file(file).items()})
    tower.membership.copy_(membership_of(concepts))
    tower.name_lengths.copy_(name_lengths)
    prototypes, owners = prototype_table()
    tower.prototypes.copy_(prototypes)
    tower.prototype_owners.copy_(owners)
    tower.eval()
    return tower


def build_processor(tokenizer: Any) -> LlavaProcessor:
    """The whole picture squeezed to 260 by 260; one `<image>` becomes as many as there are rows."""
    # Where torchvision is missing the plain name warns and falls back to the one with Pillow,
    # which older versions know under the plain name only.
    reader = getattr(transformers, "CLIPImageProcessorPil", transformers.CLIPImageProcessor)
    pictures = reader(
        do_resize=True,
        size={"height": SIDE_PX, "width": SIDE_PX},
        resample=3,  # bicubic
        do_center_crop=False,
        do_rescale=True,
        rescale_factor=1 / 255,
        do_normalize=True,
        image_mean=[127 / 255] * 3,
        image_std=[128 / 255] * 3,
        do_convert_rgb=True,
        crop_size={"height": SIDE_PX, "width": SIDE_PX},
    )
    return LlavaProcessor(
        image_processor=pictures,
        tokenizer=tokenizer,
        patch_size=SIDE_PX,
        vision_feature_select_strategy="full",
        chat_template=CHAT_TEMPLATE,
        image_token=IMAGE_TOKEN,
        num_additional_image_tokens=NUM_ROWS - 1,
    )


@torch.no_grad()
def assemble(parts: Parts, concepts: Concepts, out: Path) -> None:
    """Write the checkpoint into the folder `out`.

    Raises:
        KeyError: a file is not what its name says.
        OSError: the disk is full or `out` is not writable.
    """
    tokenizer = load_tokenizer(parts.gguf)
    delta = load_file(parts.delta)
    language = load_language_model(parts.gguf)
    first_layer = anchored_columns(tokenizer, language.get_input_embeddings().weight, concepts)
    first_layer[:, trained_start(concepts) :] = delta["bridge.columns"].float()
    prefix = "lora."
    lora = {k.removeprefix(prefix): v for k, v in delta.items() if k.startswith(prefix)}
    merge_lora(language.model, lora)
    image_token_id = tokenizer.convert_tokens_to_ids(IMAGE_TOKEN)
    language.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    # Never an answer, never read as a word: the rows stand in its place.
    language.get_input_embeddings().weight[image_token_id] = 0.0
    lengths = torch.tensor([len(tokens) for tokens in name_tokens(tokenizer, concepts)])
    tower = build_tower(parts, lengths, concepts)
    config = LlavaConfig(
        vision_config=tower.config,
        text_config=language.config,
        image_token_index=image_token_id,
        projector_hidden_act="linear",
        vision_feature_select_strategy="full",
        vision_feature_layer=-1,
        image_seq_length=NUM_ROWS,
        multimodal_projector_bias=False,
        tie_word_embeddings=True,
    )
    with torch.device("meta"):  # every weight is given below: drawing random ones takes 20 s
        model = LlavaForConditionalGeneration(config)
    model.model.vision_tower = tower
    model.model.language_model = language.model
    projector = model.model.multi_modal_projector
    projector.linear_1.weight = nn.Parameter(first_layer)
    projector.linear_2.weight = nn.Parameter(delta["bridge.linear_2"].float())
    model.tie_weights()
    stop = tokenizer.convert_tokens_to_ids(STOP_TOKEN)
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=stop,
        pad_token_id=stop,
        do_sample=False,
        max_new_tokens=MAX_NEW_TOKENS,
        suppress_tokens=[image_token_id],
    )
    model.save_pretrained(out)
    build_processor(tokenizer).save_pretrained(out)
