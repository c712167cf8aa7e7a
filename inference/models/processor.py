"""Load a checkpoint's processor, even if torchvision is not installed, and complete it.

transformers decodes images with Pillow or torchvision, but videos only with torchvision, and the
processors of several families (LLaVA-OneVision, SmolVLM, Qwen2.5-VL) require a video processor.
The bot never shows them a video, so we load the processor without that part.

Some checkpoints omit what a processor needs to count a picture's tokens. It follows from the
model's config: we run a tower of that shape on the meta device, where it costs nothing, to see how
many tokens it makes of a picture.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModel, AutoProcessor, AutoTokenizer, PreTrainedConfig, ProcessorMixin

# From the defining module: transformers 5.17 exports it only if torchvision is installed.
from transformers.models.auto.image_processing_auto import AutoImageProcessor
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING
from transformers.utils.import_utils import is_torchvision_available

from inference.errors import ModelUnavailable
from inference.models.mistral import has_pixtral_tower, pixtral_processor_class

# Architectures that always omit the class token; their config has no setting for it.
STRATEGIES = {"vipllava": "default"}


def load_processor(path: str, options: dict[str, Any], config: PreTrainedConfig) -> Any:
    """Return the checkpoint's processor, without its video processor if that cannot be loaded.

    Args:
        path: a model on the hub, or a folder.
        options: arguments of `from_pretrained`: revision, token.
        config: the checkpoint's.

    Raises:
        OSError: the checkpoint has no processor files, or they cannot be downloaded.
        ImportError: the processor needs another package that is missing; the message names it.
    """
    if has_pixtral_tower(config) and not is_torchvision_available():
        return _from_parts(pixtral_processor_class(), path, options)
    processor_class: Any = PROCESSOR_MAPPING.get(type(config), None)
    wants_video = processor_class is not None and "video_processor" in (
        processor_class.get_attributes()
    )
    if not wants_video or is_torchvision_available():
        return AutoProcessor.from_pretrained(path, **options)
    return _from_parts(pictures_only(processor_class), path, options)


def _from_parts(processor_class: Any, path: str, options: dict[str, Any]) -> Any:
    settings, _ = processor_class.get_processor_dict(path, **options)
    parts = {
        "image_processor": lambda: AutoImageProcessor.from_pretrained(path, **options),
        "tokenizer": lambda: AutoTokenizer.from_pretrained(path, **options),
        "video_processor": lambda: None,
    }
    arguments = [parts[name]() for name in processor_class.get_attributes()]
    return processor_class.from_args_and_dict(arguments, settings)


def pictures_only(processor_class: type[ProcessorMixin]) -> type[ProcessorMixin]:
    """Return the same class, with `video_processor=None` allowed."""

    def check(self: ProcessorMixin, argument_name: str, argument: object) -> object:
        if argument is None:
            return None
        return processor_class.check_argument_for_proper_class(self, argument_name, argument)

    # save_pretrained writes the name and from_pretrained looks it up: keep it.
    body = {"check_argument_for_proper_class": check, "__module__": processor_class.__module__}
    return type(processor_class.__name__, (processor_class,), body)


def complete_processor(processor: Any, config: Any, *, name: str) -> None:
    """Make a processor count as many tokens per picture, or per tile, as its model computes.

    Args:
        processor: changed in place; those of other families than LLaVA, SmolVLM, Idefics3,
            InternVL and Pixtral are complete.
        config: the model's.
        name: what people call the model.

    Raises:
        ModelUnavailable: neither processor nor config says what is needed.
    """
    if hasattr(processor, "image_seq_len"):
        _count_idefics_tile(processor, config)
    elif config.model_type == "internvl":
        _count_internvl_tile(processor, config)
    elif has_pixtral_tower(config):
        processor.patch_size = config.vision_config.patch_size
        processor.spatial_merge_size = getattr(config, "spatial_merge_size", 1)
    if not hasattr(processor, "vision_feature_select_strategy"):
        return
    strategy = getattr(config, "vision_feature_select_strategy", STRATEGIES.get(config.model_type))
    processor.vision_feature_select_strategy = _known(
        "vision_feature_select_strategy", strategy, processor, name
    )
    tower = config.vision_config
    side = getattr(tower, "image_size", None)
    if isinstance(side, int):
        _fit_size(processor.image_processor, side)
    tokens = _tower_tokens(tower)
    if hasattr(processor, "num_image_tokens"):
        processor.num_image_tokens = _known("num_image_tokens", tokens, processor, name)
    if hasattr(processor, "patch_size"):
        patch = _known("patch_size", getattr(tower, "patch_size", None), processor, name)
        processor.patch_size = patch
        if tokens is not None:
            # A class token, registers: CLIP has one, SigLIP none.
            processor.num_additional_image_tokens = tokens - (side // patch) ** 2
    _name_image_token(processor, config, name)


def _count_idefics_tile(processor: Any, config: Any) -> None:
    side = processor.image_processor.max_image_size["longest_edge"]
    patches = side // config.vision_config.patch_size
    processor.image_seq_len = patches**2 // config.scale_factor**2


def _count_internvl_tile(processor: Any, config: Any) -> None:
    height, width = config.vision_config.image_size
    settings = processor.image_processor
    settings.size = type(settings.size)(height=height, width=width)
    rows, columns = (
        int(side // patch * config.downsample_ratio)
        for side, patch in zip((height, width), config.vision_config.patch_size, strict=True)
    )
    processor.image_seq_length = rows * columns


def _known(setting: str, of_model: Any, processor: Any, name: str) -> Any:
    """Return the config's value, else the processor's. Raises: ModelUnavailable for neither."""
    value = getattr(processor, setting) if of_model is None else of_model
    if value is None:
        raise ModelUnavailable(
            f"Neither config.json nor the processor of the model '{name}' says what {setting} is: "
            "add it to processor_config.json."
        )
    return value


def _tower_tokens(tower_config: Any) -> int | None:
    """Return how many tokens a vision tower makes of a picture; None if its size decides."""
    side = getattr(tower_config, "image_size", None)
    if not isinstance(side, int):
        return None
    shallow = copy.deepcopy(tower_config)
    if hasattr(shallow, "num_hidden_layers"):
        shallow.num_hidden_layers = 1  # the others add no token, and take a second
    with torch.device("meta"), torch.inference_mode():
        tower = AutoModel.from_config(shallow)
        pixels = torch.empty(1, getattr(shallow, "num_channels", 3), side, side)
        seen: Tensor = tower(pixels.to(tower.dtype)).last_hidden_state
    return int(seen.shape[1]) if seen.dim() == 3 else None


def _fit_size(image_processor: Any, side: int) -> None:
    """Resize pictures to the tower's input size, where it would reject others."""
    square = {"height": side, "width": side}
    size, crop = image_processor.size, getattr(image_processor, "crop_size", None)
    if crop:
        if crop["height"] != side or crop["width"] != side:
            image_processor.crop_size = type(crop)(**square)
            image_processor.size = type(size)(shortest_edge=side)
    elif size and size.get("height") not in {None, side}:
        image_processor.size = type(size)(**square)


def _name_image_token(processor: Any, config: Any, name: str) -> None:
    """Make the processor's placeholder the token that the model replaces by a picture."""
    wanted = config.image_token_id
    if processor.tokenizer.convert_tokens_to_ids(processor.image_token) == wanted:
        return
    token = processor.tokenizer.convert_ids_to_tokens(wanted)
    if token is None or token not in processor.tokenizer.get_added_vocab():
        raise ModelUnavailable(
            f"The config.json of the model '{name}' says that token {wanted} stands for a picture, "
            "its tokenizer has no such token: take both from one checkpoint."
        )
    processor.image_token, processor.image_token_id = token, wanted
