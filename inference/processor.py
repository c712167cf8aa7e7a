"""Load a checkpoint's processor, also where torchvision is not installed.

transformers reads pictures with Pillow or with torchvision, but videos only with torchvision, and
the processors of several families (LLaVA-OneVision, SmolVLM, Qwen2.5-VL) insist on a video part.
The bot shows them no videos, so a processor without that part is all it needs.
"""

from __future__ import annotations

from typing import Any

from transformers import AutoProcessor, AutoTokenizer, PreTrainedConfig, ProcessorMixin

# From where it is defined: transformers 5.17 itself shows it only where torchvision is installed.
from transformers.models.auto.image_processing_auto import AutoImageProcessor
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING
from transformers.utils.import_utils import is_torchvision_available


def load_processor(path: str, options: dict[str, Any], config: PreTrainedConfig) -> Any:
    """Return the checkpoint's processor, without its video part where that cannot be loaded.

    Args:
        path: a name on the hub, or a folder.
        options: arguments of `from_pretrained`: revision, token.
        config: the checkpoint's.

    Raises:
        OSError: the checkpoint has no processor files, or they cannot be fetched.
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
    """The same class, with `video_processor=None` allowed."""

    def check(self: ProcessorMixin, argument_name: str, argument: object) -> object:
        if argument is None:
            return None
        return processor_class.check_argument_for_proper_class(self, argument_name, argument)

    # The name is what save_pretrained writes and from_pretrained looks up: keep it.
    body = {"check_argument_for_proper_class": check, "__module__": processor_class.__module__}
    return type(processor_class.__name__, (processor_class,), body)
