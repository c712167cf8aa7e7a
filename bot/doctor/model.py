"""Whether the model is here, and fits the disk, the GPU and the memory."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import psutil

from bot.configuration import Configuration
from bot.doctor.machine import existing
from bot.doctor.model_servers import model_servers
from bot.doctor.quantities import gigabytes
from bot.platforms.findings import Finding
from bot.settings import Settings
from inference.errors import ModelUnavailable
from inference.names import is_remote
from inference.types import ModelSpec

if TYPE_CHECKING:
    # It brings transformers along, which takes a second.
    from inference.backends.survey import Survey

GPU_S = 10
OLDEST_DRIVERS = {12: (525, 60), 13: (580, 65)}
"""CUDA's version → the first driver that runs it."""
PCI = Path("/sys/bus/pci/devices")
NVIDIA, DISPLAY = "0x10de", "0x03"
"""Its vendor id, and how the class of a card begins."""

Models: TypeAlias = "list[tuple[ModelSpec, Survey]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """A graphics card, as its driver describes it."""

    name: str
    driver: str
    total_bytes: int
    free_bytes: int


def model(configuration: Configuration) -> list[Finding]:
    """Look for the model's weights, for a GPU, and at the memory it will take."""
    settings = configuration.bot
    specs = settings.model_specs.values()
    served = [
        finding
        for spec in specs
        if is_remote(spec.name)
        for finding in model_servers(configuration, spec)
    ]
    if served and all(is_remote(spec.name) for spec in specs):
        return served  # nothing is loaded here
    from inference.backends.survey import survey

    models: Models = []
    for spec in specs:
        if is_remote(spec.name):
            continue
        try:
            models.append((spec, survey(spec, cache_dir=settings.data_dir / "models")))
        except ModelUnavailable as exc:
            return [Finding(f"the model {spec.name} is not known", str(exc))]
    cards = gpus()
    available = psutil.virtual_memory().available
    return [
        *served,
        *(_weights(spec, found) for spec, found in models),
        *_gpu(settings, models, cards),
        *_memory(settings, models, cards, available_bytes=available),
    ]


def are_here(settings: Settings) -> bool:
    """Whether every model can be loaded without a download. Raises: ModelUnavailable."""
    from inference.backends.survey import is_here

    cache_dir = settings.data_dir / "models"
    return all(
        is_remote(spec.name) or is_here(spec, cache_dir=cache_dir)
        for spec in settings.model_specs.values()
    )


def _weights(spec: ModelSpec, found: Survey) -> Finding:
    """Where the weights are, and whether what is missing fits the disk."""
    from inference.backends.survey import Place

    name = f"the model {spec.name}"
    match found.place:
        case Place.BUILT:
            return Finding(f"{name} is built")
        case Place.FOLDER | Place.CACHE:
            size = f" ({gigabytes(found.weight_bytes)})" if found.weight_bytes else ""
            return Finding(f"{name} is here{size}")
    if found.missing_bytes is None:
        fix = "the first start downloads it; see that the disk has room for it."
        return Finding(f"{name} is not here, and its size is not known", fix, unknown=True)
    free = shutil.disk_usage(existing(found.folder.absolute())).free
    rest = "the rest of " if found.place is Place.PARTLY else ""
    what = f"the first start fetches {rest}{name}: {gigabytes(found.missing_bytes)} on the disk"
    if free < found.missing_bytes:
        cache = "DATA_DIR" if found.is_pocket else "HF_HOME"
        fix = f"make room in {found.folder}, or set {cache} to a folder on another disk."
        return Finding(f"{what}, where {gigabytes(free)} are free", fix)
    return Finding(f"{what}, where {gigabytes(free)} are free")


def _gpu(settings: Settings, models: Models, cards: Sequence[Gpu]) -> list[Finding]:
    """Whether there is a GPU, its driver works, and the models fit it."""
    wanted = [*(settings.devices or (settings.device,))]
    if not cards and _has_card_without_driver():
        fix = "install NVIDIA's driver, 580 or newer; then nvidia-smi shows the card."
        return [
            Finding("an NVIDIA card is here, and its driver does not answer", fix, warning=True)
        ]
    if not cards:
        if any(name.startswith("cuda") for name in wanted):
            fix = "set DEVICE to auto or cpu, or install the card's driver (nvidia-smi shows it)."
            return [Finding(f"no GPU is found, and DEVICE is {', '.join(wanted)}", fix)]
        return [_without_gpu(models)]
    findings = [
        Finding(
            f"{card.name}: {gigabytes(card.free_bytes)} of {gigabytes(card.total_bytes)} free, "
            f"driver {card.driver}"
        )
        for card in cards
    ]
    if metadata.version("torch").endswith("+cpu") and wanted != ["cpu"]:
        fix = "install torch for CUDA (https://pytorch.org/get-started/locally)."
        findings.append(Finding("the installed torch is the one without GPUs", fix, warning=True))
    elif wanted != ["cpu"] and (oldest := _driver_needed()) > _version(cards[0].driver):
        needed = ".".join(map(str, oldest))
        fix = f"install driver {needed} or newer, or torch for an older CUDA."
        findings.append(Finding("the driver is too old for the installed torch", fix))
    return [*findings, *_fits(settings, models, max(cards, key=lambda card: card.free_bytes))]


def _has_card_without_driver() -> bool:
    """Whether Linux sees a card of NVIDIA's, which no `nvidia-smi` has listed."""
    for device in PCI.glob("*"):
        with suppress(OSError):
            kind = (device / "class").read_text()
            if (device / "vendor").read_text().strip() == NVIDIA and kind.startswith(DISPLAY):
                return True
    return False


def _driver_needed() -> tuple[int, ...]:
    """By the CUDA that the installed torch was made for, read without importing it."""
    found = find_spec("torch")
    if found is None or found.origin is None:
        return ()
    with suppress(OSError):
        text = Path(found.origin).with_name("version.py").read_text(encoding="utf-8")
        if made_for := re.search(r"^cuda\b[^=\n]*= '(\d+)", text, re.MULTILINE):
            return OLDEST_DRIVERS.get(int(made_for[1]), ())
    return ()


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def _without_gpu(models: Models) -> Finding:
    if _are_pocket(models):
        return Finding("no GPU: the pocket model needs none")
    fix = "expect minutes for an answer; MODEL=pocket is quick without a GPU."
    return Finding("no GPU is found, so the processor runs the model", fix, warning=True)


def _are_pocket(models: Models) -> bool:
    return all(found.is_pocket for _, found in models)


def _needed(models: Models, *, on_gpu: bool) -> int | None:
    """Memory of all models together; `None`: that of one is not known."""
    needs = [found.needed_bytes(spec.quantize, on_gpu=on_gpu) for spec, found in models]
    return None if None in needs else sum(filter(None, needs))


def _fits(settings: Settings, models: Models, card: Gpu) -> list[Finding]:
    from inference.backends.survey import RATIO

    if settings.device == "cpu" or _are_pocket(models):
        return []
    needed = _needed(models, on_gpu=True)
    if needed is None:
        return []
    if len(models) > 1:
        what = f"the models take about {gigabytes(needed)} there"
        if needed < card.free_bytes:
            return [Finding(what)]
        return [Finding(f"{what}, more than is free", "take one out, smaller ones, or :nf4.")]
    found = models[0][1]
    needs = {bits: found.needed_bytes(bits, on_gpu=True) for bits in RATIO}
    what = f"the model takes about {gigabytes(needed)} there (QUANTIZE={settings.quantize})"
    fitting = [bits for bits, size in needs.items() if size is not None and size < card.free_bytes]
    if settings.quantize in fitting:
        return [Finding(what)]
    smaller = f"set QUANTIZE={fitting[0]}." if fitting else "choose a smaller model, or pocket."
    return [Finding(f"{what}, more than is free", smaller)]


def _memory(
    settings: Settings, models: Models, cards: Sequence[Gpu], *, available_bytes: int
) -> list[Finding]:
    """Whether the models fit the machine's memory, where the processor runs them."""
    if cards and settings.device != "cpu" and not _are_pocket(models):
        return []
    available = available_bytes
    needed = _needed(models, on_gpu=False)
    if needed is None:
        return [Finding(f"{gigabytes(available)} of memory available")]
    take = "the model takes" if len(models) == 1 else "the models take"
    what = f"{gigabytes(available)} of memory available, {take} about {gigabytes(needed)}"
    if available >= needed:
        return [Finding(what)]
    fix = (
        "close what uses the memory." if _are_pocket(models) else "choose a smaller one, or pocket."
    )
    return [Finding(what, fix, warning=available > needed / 2)]


def gpus() -> tuple[Gpu, ...]:
    """NVIDIA's cards, as `nvidia-smi` lists them; none where there is no driver."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    try:
        listed = subprocess.run(  # noqa: S603 - found on the PATH, fixed arguments
            [
                tool,
                "--query-gpu=name,driver_version,memory.total,memory.free",
                "--format=csv,noheader,nounits",
            ],
            capture_output=True,
            text=True,
            timeout=GPU_S,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(_card(line) for line in listed.splitlines() if line.count(",") == 3)


def _card(line: str) -> Gpu:
    name, driver, total, free = (part.strip() for part in line.split(","))
    mebibytes = [int(amount) << 20 if amount.isdigit() else 0 for amount in (total, free)]
    return Gpu(name=name, driver=driver, total_bytes=mebibytes[0], free_bytes=mebibytes[1])
