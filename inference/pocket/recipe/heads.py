"""Trains the heads for emoji and groceries on the eye's frozen features, on a CPU.

Each emoji of two artists is shown once, on some ground, in some size and turn; those of a third are
only looked at by the evaluation. One of five grocery photos is kept from training, by its name.
Features are written down in pieces: a run that breaks off goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm import tqdm

from inference.pocket.efficientnet import SIDE_PX, EfficientNetLite2
from inference.pocket.seeing.heads import Heads
from inference.pocket.seeing.looking import EMOJI_PX as SEEN_PX
from inference.pocket.seeing.looking import EMOJI_SURE, GROCERY_SURE

SEED = 20261129
ARTISTS = ("google", "twitter")
UNSEEN_ARTIST = "fluent"
EMOJI_PX = 64
GROCERY_PX = 152
PIECE = 128
"""Pictures whose features are written down together."""
SHOWN_UNSEEN = 320
"""Of the third artist's emoji, those that are asked."""
EPOCHS = 60
SMOOTHING = 0.1


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
                image = (
                    Image.open(found)
                    .convert("RGBA")
                    .resize((EMOJI_PX, EMOJI_PX), Image.Resampling.LANCZOS)
                )
                image.save(out / artist / f"{code}.webp", quality=80, method=4)
                count += 1
    kinds = {thing["grocery"] for thing in things if "grocery" in thing}
    for path in sorted(groceries.rglob("*.jpg")):
        kind = next(p for p in path.relative_to(groceries).parts[1:] if p in kinds)
        (out / "groceries" / kind).mkdir(parents=True, exist_ok=True)
        image = Image.open(path).convert("RGB")
        image.thumbnail((GROCERY_PX, GROCERY_PX), Image.Resampling.LANCZOS)
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


@torch.inference_mode()
def features(net: EfficientNetLite2, views: Tensor) -> Tensor:
    """Shape: (n, 3, side, side) -> float16[n, 1280]."""
    parts = [
        net.features(part.contiguous(memory_format=torch.channels_last)).mean((2, 3)).half()
        for part in views.split(32)
    ]
    return torch.cat(parts)


def whole_photos(photos: list[Tensor]) -> Tensor:
    """Squeeze each to a square. Shape: uint8[3, h, w], … -> float32[n, 3, 260, 260]."""
    sides = (SIDE_PX, SIDE_PX)
    views = [
        F.interpolate(photo[None].float(), size=sides, mode="bilinear", antialias=True)
        for photo in photos
    ]
    return (torch.cat(views) - 127) / 128


def fit(layer: nn.Linear, inputs: Tensor, labels: Tensor) -> None:
    """Train one linear layer in place."""
    steps = EPOCHS * -(-len(inputs) // 512)
    optimiser = torch.optim.AdamW(layer.parameters(), lr=2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(inputs)).split(512):
            said = layer(F.dropout(inputs[chosen], 0.2))
            loss = F.cross_entropy(said, labels[chosen], label_smoothing=SMOOTHING)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()


class Gallery:
    """The pictures that :func:`prepare` wrote, and the features of each group of them."""

    def __init__(self, net: EfficientNetLite2, pictures: Path, work: Path, more: Path) -> None:
        """`work` is the folder for features that were computed already."""
        self.net = net.eval()
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.pictures = pictures
        self.work = work
        things = json.loads(more.read_text(encoding="utf-8"))["things"]
        self.codes = sorted(thing["emoji"] for thing in things if "emoji" in thing)
        self.kinds = sorted(thing["grocery"] for thing in things if "grocery" in thing)

    def emoji(self, artist: str, progress: TextIO) -> tuple[Tensor, Tensor]:
        """Features and places in `codes` of an artist's emoji, each in one view."""
        shown, labels = read_emoji(self.pictures / artist, self.codes)
        if artist == UNSEEN_ARTIST:
            chosen = torch.randperm(len(shown), generator=_seeded(0))[:SHOWN_UNSEEN]
            shown, labels = shown[chosen], labels[chosen]

        order = (*ARTISTS, UNSEEN_ARTIST).index(artist)

        def views(start: int) -> Tensor:
            seen = emoji_views(shown[start : start + PIECE], _seeded(start + 1 + order))
            return F.interpolate(seen, size=(SEEN_PX, SEEN_PX), mode="bilinear", antialias=True)

        return self._features(artist, len(shown), views, progress), labels

    def groceries(self, *, kept: bool, progress: TextIO) -> tuple[Tensor, Tensor]:
        """Features and places in `kinds` of the photos that are kept from training, or not."""
        paths = [
            (path, index)
            for index, kind in enumerate(self.kinds)
            for path in sorted((self.pictures / "groceries" / kind).glob("*.jpg"))
            if is_held_out(path.name) == kept
        ]

        def views(start: int) -> Tensor:
            part = paths[start : start + PIECE]
            return whole_photos([_pixels(Image.open(path).convert("RGB")) for path, _ in part])

        found = self._features("kept" if kept else "groceries", len(paths), views, progress)
        return found, torch.tensor([index for _, index in paths])

    def _features(
        self, name: str, number: int, views: Callable[[int], Tensor], progress: TextIO
    ) -> Tensor:
        pieces = []
        for start in tqdm(range(0, number, PIECE), desc=name, file=progress):
            file = self.work / f"{name}-{start:05d}.safetensors"
            if not file.exists():
                part = file.with_suffix(".part")
                save_file({"features": features(self.net, views(start)).contiguous()}, part)
                part.replace(file)
            pieces.append(load_file(file)["features"])
        return torch.cat(pieces).float()


def _seeded(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def train_heads(gallery: Gallery, out: Path, progress: TextIO) -> dict[str, float]:
    """Train both heads, write them to `out`, return the held-out figures."""
    torch.manual_seed(SEED)
    heads = Heads(len(gallery.codes), len(gallery.kinds))
    emoji = [gallery.emoji(artist, progress) for artist in ARTISTS]
    fit(heads.emoji, torch.cat([x for x, _ in emoji]), torch.cat([y for _, y in emoji]))
    groceries = gallery.groceries(kept=False, progress=progress)
    fit(heads.groceries, *groceries)
    with torch.inference_mode():
        unseen, names = gallery.emoji(UNSEEN_ARTIST, progress)
        figures = _judged("emoji of an unseen artist", heads.of_emoji(unseen), names, EMOJI_SURE)
        photos, names = gallery.groceries(kept=True, progress=progress)
        said = heads.of_groceries(photos)
        figures |= _judged("groceries held out", said, names, GROCERY_SURE)
    save_file({k: v.detach().half().contiguous() for k, v in heads.state_dict().items()}, out)
    return figures


def _judged(what: str, said: Tensor, labels: Tensor, sure: float) -> dict[str, float]:
    level, best = said.max(-1)
    right, is_sure = best == labels, level >= sure
    return {
        f"{what}: number": float(len(labels)),
        f"{what}: right": right.float().mean().item(),
        f"{what}: said surely": is_sure.float().mean().item(),
        f"{what}: right of these": right[is_sure].float().mean().item() if is_sure.any() else 0.0,
    }
