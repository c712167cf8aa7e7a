"""Trains the heads for emoji and groceries on the classifier's frozen features.

Emoji of two artists are shown on many grounds, sizes and angles; those of a third are only looked
at by the evaluation. One of five grocery photos is kept from training, by its name.
"""

# ruff: noqa: T201 - the recipe tells how it fares on standard error

from __future__ import annotations

import hashlib
import json
import math
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from inference.pocket.efficientnet import SIDE_PX, EfficientNetLite2
from inference.pocket.seeing.heads import Heads

SEED = 20261129
ARTISTS = ("google", "twitter")
UNSEEN_ARTIST = "fluent"
EMOJI_PX = 64
GROCERY_PX = 152


def is_held_out(name: str) -> bool:
    """Whether a photo is kept from training."""
    return hashlib.sha256(name.encode()).digest()[0] % 5 == 0


def prepare(packages: dict[str, Path], groceries: Path, more: Path, out: Path) -> int:
    """Write the pictures that training reads, small, below `out`; return how many.

    Args:
        packages: for each artist the folder of the emoji's pictures.
        groceries: a folder for each kind of groceries, at any depth.
        more: `more.json`.
    """
    things = json.loads(more.read_text(encoding="utf-8"))["things"]
    count = 0
    for artist, folder in packages.items():
        (out / artist).mkdir(parents=True, exist_ok=True)
        for thing in things:
            code = thing.get("emoji")
            found = code and next(
                (
                    p
                    for end in (".png", "-fe0f.png", ".webp", "-fe0f.webp")
                    if (p := folder / (code + end)).exists()
                ),
                None,
            )
            if found:
                image = Image.open(found).convert("RGBA").resize((EMOJI_PX, EMOJI_PX), 1)
                image.save(out / artist / f"{code}.webp", quality=80, method=4)
                count += 1
    kinds = {thing["grocery"] for thing in things if "grocery" in thing}
    for path in sorted(groceries.rglob("*.jpg")):
        kind = next(p for p in path.relative_to(groceries).parts[1:] if p in kinds)
        (out / "groceries" / kind).mkdir(parents=True, exist_ok=True)
        image = Image.open(path).convert("RGB")
        image.thumbnail((GROCERY_PX, GROCERY_PX), 1)
        image.save(out / "groceries" / kind / path.name, quality=70)
        count += 1
    return count


def read_emoji(folder: Path, codes: list[str]) -> tuple[Tensor, Tensor]:
    """Shape: uint8[n, 4, 64, 64] and each one's place in `codes`."""
    pictures, labels = [], []
    for index, code in enumerate(codes):
        path = folder / f"{code}.webp"
        if path.exists():
            pictures.append(_pixels(Image.open(path).convert("RGBA")))
            labels.append(index)
    return torch.stack(pictures), torch.tensor(labels)


def _pixels(image: Image.Image) -> Tensor:
    raw = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    return raw.view(image.height, image.width, len(image.getbands())).permute(2, 0, 1)


def emoji_views(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Show each emoji on a ground, larger or smaller, turned a little.

    Shape: uint8[n, 4, 64, 64] -> float32[n, 3, 260, 260] as (x - 127) / 128.
    """
    n, device = len(pictures), pictures.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=device)

    angle = (uniform(n) - 0.5) * 0.5 * (uniform(n) < 0.5)
    scale = 1 / (0.72 + 0.28 * uniform(n))
    shift = (uniform(n, 2) - 0.5) * 0.2
    cos, sin = angle.cos() * scale, angle.sin() * scale
    turn = torch.stack(
        [torch.stack([cos, -sin, shift[:, 0]], -1), torch.stack([sin, cos, shift[:, 1]], -1)], 1
    )
    grid = F.affine_grid(turn, [n, 4, SIDE_PX, SIDE_PX], align_corners=False)
    values = pictures.float() / 255
    values = torch.cat([values[:, :3] * values[:, 3:], values[:, 3:]], 1)
    # As small as it may stand in a picture.
    small = [64, 48, 40, 32][int(uniform(1) * 4)]
    values = F.interpolate(values, size=small, mode="bilinear", antialias=True)
    shown = F.grid_sample(values, grid, mode="bilinear", align_corners=False)
    plain = torch.where(uniform(n, 1) < 0.5, torch.ones(n, 3, device=device), uniform(n, 3))
    ground = plain[:, :, None, None].expand(n, 3, SIDE_PX, SIDE_PX)
    rgb = shown[:, :3] + ground * (1 - shown[:, 3:])
    rgb = (rgb * (0.85 + 0.3 * uniform(n, 1, 1, 1)) + 0.02 * uniform(n, 3, 1, 1)).clamp(0, 1)
    return (rgb * 255 - 127) / 128


@torch.no_grad()
def features(net: EfficientNetLite2, views: Tensor, batch: int = 256) -> Tensor:
    """Shape: (n, 3, 260, 260) -> float16[n, 1280]."""
    found = []
    for start in range(0, len(views), batch):
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=views.is_cuda):
            found.append(net.features(views[start : start + batch]).float().mean((2, 3)).half())
    return torch.cat(found)


def grocery_views(photos: list[Tensor], generator: torch.Generator, *, plain: bool) -> Tensor:
    """Crop and mirror photos at random; `plain`: the whole of each. Shape: (n, 3, 260, 260)."""
    views = []
    for photo in photos:
        height, width = photo.shape[1:]
        part = 1.0 if plain else 0.5 + 0.5 * torch.rand((), generator=generator).item()
        h, w = int(height * part), int(width * part)
        y = int(torch.rand((), generator=generator).item() * (height - h + 1))
        x = int(torch.rand((), generator=generator).item() * (width - w + 1))
        view = photo[None, :, y : y + h, x : x + w].float()
        view = F.interpolate(view, size=SIDE_PX, mode="bilinear", antialias=True)[0]
        mirrored = not plain and torch.rand((), generator=generator).item() < 0.5
        views.append(view.flip(-1) if mirrored else view)
    return (torch.stack(views) - 127) / 128


def fit(
    layer: nn.Linear, inputs: Tensor, labels: Tensor, *, epochs: int, decay: float, smoothing: float
) -> None:
    """Train one linear layer in place."""
    optimiser = torch.optim.AdamW(layer.parameters(), lr=2e-3, weight_decay=decay)
    steps = epochs * math.ceil(len(inputs) / 2048)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(epochs):
        order = torch.randperm(len(inputs), device=inputs.device)
        for start in range(0, len(order), 2048):
            chosen = order[start : start + 2048]
            x = F.dropout(inputs[chosen].float(), 0.2)
            loss = F.cross_entropy(layer(x), labels[chosen], label_smoothing=smoothing)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()


def train_heads(
    net: EfficientNetLite2, pictures: Path, more: Path, out: Path, *, device: str, rounds: int
) -> dict[str, float]:
    """Train both heads, write them to `out`, return the held-out figures."""
    torch.manual_seed(SEED)
    generator = torch.Generator(device=device).manual_seed(SEED)
    things = json.loads(more.read_text(encoding="utf-8"))["things"]
    codes = sorted(t["emoji"] for t in things if "emoji" in t)
    kinds = sorted(t["grocery"] for t in things if "grocery" in t)
    net = net.to(device).eval()
    heads = Heads(len(codes), len(kinds)).to(device)
    started = time.monotonic()
    read = {a: read_emoji(pictures / a, codes) for a in (*ARTISTS, UNSEEN_ARTIST)}
    inputs, labels = [], []
    for _ in range(rounds):
        for artist in ARTISTS:
            shown, names = read[artist]
            inputs.append(_looked_at(net, shown, generator, device))
            labels.append(names)
    x, y = torch.cat(inputs), torch.cat(labels).to(device)
    print(f"emoji features: {len(x)}, {time.monotonic() - started:.0f} s", file=sys.stderr)
    fit(heads.emoji, x, y, epochs=40, decay=0.05, smoothing=0.1)
    figures = {}
    for artist, (shown, names) in read.items():
        found = heads.emoji(_looked_at(net, shown, generator, device).float()).argmax(-1)
        figures[f"emoji, {artist}"] = (found == names.to(device)).float().mean().item()
    figures |= _train_groceries(net, heads, pictures / "groceries", kinds, device, rounds)
    save_file({k: v.detach().half().cpu().contiguous() for k, v in heads.state_dict().items()}, out)
    for name, value in figures.items():
        print(f"{name}: {value:.3f}", file=sys.stderr)
    return figures


def _looked_at(
    net: EfficientNetLite2, shown: Tensor, generator: torch.Generator, device: str
) -> Tensor:
    parts = []
    for start in range(0, len(shown), 256):
        views = emoji_views(shown[start : start + 256].to(device), generator)
        parts.append(features(net, views))
    return torch.cat(parts)


def _train_groceries(
    net: EfficientNetLite2, heads: Heads, folder: Path, kinds: list[str], device: str, rounds: int
) -> dict[str, float]:
    cpu = torch.Generator().manual_seed(SEED)
    photos: dict[bool, list[Tensor]] = {True: [], False: []}
    names: dict[bool, list[int]] = {True: [], False: []}
    for index, kind in enumerate(kinds):
        for path in sorted((folder / kind).glob("*.jpg")):
            kept = is_held_out(path.name)
            photos[kept].append(_pixels(Image.open(path).convert("RGB")))
            names[kept].append(index)
    inputs = []
    rounds = max(2, rounds // 3)
    for _ in range(rounds):
        views = grocery_views(photos[False], cpu, plain=False)
        inputs.append(torch.cat([features(net, part.to(device)) for part in views.split(256)]))
    labels = torch.tensor(names[False], device=device).repeat(rounds)
    fit(heads.groceries, torch.cat(inputs), labels, epochs=60, decay=0.05, smoothing=0.1)
    views = grocery_views(photos[True], cpu, plain=True)
    held = torch.cat([features(net, part.to(device)) for part in views.split(256)]).float()
    probabilities = heads.of_groceries(held)
    right = probabilities.argmax(-1) == torch.tensor(names[True], device=device)
    clear = probabilities.amax(-1) >= 0.4
    return {
        "groceries held out": right.float().mean().item(),
        "groceries at 0.4": right[clear].float().mean().item(),
        "groceries clear": clear.float().mean().item(),
        "groceries, photos": float(len(right)),
    }
