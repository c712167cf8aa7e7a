"""How transformers' loader fills the modules that hold few bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers.quantizers.auto import register_quantization_config, register_quantizer
from transformers.quantizers.base import HfQuantizer
from transformers.utils.quantization_config import QuantizationConfigMixin

from inference.weights.module import FewBitsLinear
from inference.weights.scheme import Scheme

METHOD = "few-bits"

# The fast path multiplies with a decoder's layers as they are. All else is small, or used once.
KEPT = "language_model.layers."


def settings_for(scheme: Scheme, modules: Mapping[str, frozenset[str]]) -> dict[str, Any]:
    """Return the ``quantization_config`` with which a checkpoint is loaded by this quantizer.

    Args:
        scheme: how the modules are stored.
        modules: names of the model's modules, each with its tensors' names.
    """
    return {"quant_method": METHOD, "scheme": scheme, "modules": dict(modules)}


@register_quantization_config(METHOD)
class FewBitsConfig(QuantizationConfigMixin):
    """What `settings_for` holds, as transformers wants it."""

    def __init__(self, scheme: Scheme, modules: Mapping[str, frozenset[str]], **_: Any) -> None:
        """See `settings_for`."""
        self.quant_method: Any = METHOD
        self.scheme = scheme
        self.modules = modules


@register_quantizer(METHOD)
class FewBitsQuantizer(HfQuantizer):
    """Puts `FewBitsLinear` where a checkpoint has few bits, and dequantizes what is not kept."""

    def _process_model_before_weight_loading(self, model: Any, **_: Any) -> Any:
        config: Any = self.quantization_config  # a FewBitsConfig
        for name, tensors in config.modules.items():
            module = model.get_submodule(name)
            model.set_submodule(name, FewBitsLinear(module, config.scheme, tensors))
        self._dtypes = {name: each.dtype for name, each in model.named_parameters()}
        return model

    def _process_model_after_weight_loading(self, model: Any, **_: Any) -> Any:
        config: Any = self.quantization_config
        # transformers before 5.23 leaves tensors that it renames in the checkpoint's type.
        for name, parameter in model.named_parameters():
            parameter.data = parameter.data.to(self._dtypes[name])
        for name in config.modules:
            module = model.get_submodule(name)
            on_gpu = next(module.buffers()).device.type == "cuda"
            if not (on_gpu and KEPT in name) or module.scheme.layout.floating:
                model.set_submodule(name, module.dense())
        self.remove_quantization_config(model)
        return model

    def param_needs_quantization(self, model: Any, param_name: str, **_: Any) -> bool:
        """Say that a tensor has a shape of its own: the loader then does not compare it."""
        module = param_name.rpartition(".")[0]
        is_bias = param_name.endswith(".bias")
        return isinstance(model.get_submodule(module), FewBitsLinear) and not is_bias

    @property
    def is_trainable(self) -> bool:
        """Nothing here is trained."""
        return False

    def is_serializable(self, **_: Any) -> bool:
        """Say that nothing is saved from here."""
        return False
