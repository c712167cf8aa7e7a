"""PP-OCRv6's two models, as the package `rapidocr` brings them: nothing is ever downloaded.

Of the package only these files are used. Its own code would look for further models on the net.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from bot.errors import ConfigurationError

DETECTION: Final = "PP-OCRv6_det_small.onnx"
RECOGNITION: Final = "PP-OCRv6_rec_small.onnx"


def model_file(name: str) -> Path:
    """Raises: ConfigurationError: the package is not complete."""
    package = find_spec("rapidocr")  # finds it without running it
    for folder in () if package is None else package.submodule_search_locations or ():
        if (path := Path(folder) / "models" / name).is_file():
            return path
    raise ConfigurationError(f"rapidocr does not hold {name}: install it again, or set OCR=off.")


def check_installed() -> None:
    """Raises: ConfigurationError: something that reading needs is missing."""
    if find_spec("onnxruntime") is None:
        raise ConfigurationError("onnxruntime is missing: install it again, or set OCR=off.")
    for name in (DETECTION, RECOGNITION):
        model_file(name)
