"""Runs PP-OCRv6's models."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import onnxruntime

from bot.images.reading.files import model_file

Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float32]]
Pixels: TypeAlias = np.ndarray[Any, np.dtype[np.uint8]]


class Session:
    """One model with one input and one output, on the caller's thread.

    It has no threads of its own: a forked child would not have them. Callers may run it on several.
    """

    def __init__(self, name: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(
            str(model_file(name)), options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name

    def run(self, values: Floats) -> Floats:
        """Returns: the output, of the shape that the model says."""
        output: Floats = self._session.run(None, {self._input: values})[0]
        return output

    def metadata(self, key: str) -> str:
        """What is written in the model's file."""
        value: str = self._session.get_modelmeta().custom_metadata_map[key]
        return value
