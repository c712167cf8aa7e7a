"""The first question, which the engine asks itself."""

from __future__ import annotations

import hashlib
import io

from PIL import Image

from inference.serving.backend import Backend, run_inline
from inference.types import GenerationRequest, Message, Picture, Role, Sampling


def example_picture() -> Picture:
    """Return a grey square."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), (128, 128, 128)).save(file, "PNG")
    data = file.getvalue()
    return Picture(digest=hashlib.sha256(data).hexdigest(), data=data, width_px=64, height_px=64)


def warm_up(backend: Backend) -> None:
    """Answer once about a grey square: kernels are chosen, workspaces allocated.

    Raises: InferenceError: the question failed.
    """
    question = Message(role=Role.USER, text="Hello", pictures=(example_picture(),))
    sampling = Sampling(temperature=0.0, max_new_tokens=4)
    run_inline(backend, GenerationRequest(messages=(question,), sampling=sampling))
    backend.clear_caches()
