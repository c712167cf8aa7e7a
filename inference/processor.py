"""Load a checkpoint's processor, even if torchvision is not installed.

transformers decodes images with Pillow or torchvision, but videos only with torchvision, and the
processors of several families (LLaVA-OneVision, SmolVLM, Qwen2.5-VL) require a video processor.
The bot never shows them a video, so it loads the processor without that part.
"""

from __future__ import annotations

from typing import Any

from transformers import AutoProcessor, AutoTokenizer, PreTrainedConfig, ProcessorMixin

# From the defining module: transformers 5.17 exports it only if torchvision is installed.
from transformers.models.auto.image_processing_auto import AutoImageProcessor
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING
from transformers.utils.import_utils import is_torchvision_available


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
    processor_class: Any = PROCESSOR_MAPPING.get(type(config), None)
    wants_video = processor_class is not None and "video_processor" in (
        processor_class.get_attributes()
    )
    if not wants_video or is_torchvision_available():
        return AutoProcessor.from_pretrained(path, **options)
    settings, _ = processor_class.get_processor_dict(path, **options)
    parts = {
        "image_processor": lambda: AutoImageProcessor.from_pretrained(path, **options),
        "tokenizer": lambda: AutoTokenizer.from_pretrained(path, **options),
        "video_processor": lambda: None,
    }
    arguments = [parts[name]() for name in processor_class.get_attributes()]
    return pictures_only(processor_class).from_args_and_dict(arguments, settings)


def pictures_only(processor_class: type[ProcessorMixin]) -> type[ProcessorMixin]:
    """Return the same class, with `video_processor=None` allowed."""

    def check(self: ProcessorMixin, argument_name: str, argument: object) -> object:
        if argument is None:
            return None
        return processor_class.check_argument_for_proper_class(self, argument_name, argument)

    # save_pretrained writes the name and from_pretrained looks it up: keep it.
    body = {"check_argument_for_proper_class": check, "__module__": processor_class.__module__}
    return type(processor_class.__name__, (processor_class,), body)
