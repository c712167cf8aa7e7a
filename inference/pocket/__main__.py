"""`python -m inference.pocket`: fetch, train, evaluate, classes."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from platformdirs import user_data_path

from inference import standard_streams
from inference.pocket.fetch import LANGUAGE, TOWER, PocketUnavailable, ensure_pocket, fetch_part
from inference.progress import StreamProgress

HERE = Path(__file__).parent

GRAPHICS = 200

RECIPE = "inference.pocket.recipe"
"""What trains and evaluates the pocket; not in the wheel."""


def default_cache() -> Path:
    """Where the bot keeps the pocket too: `models` in its data directory.

    Raises:
        PocketUnavailable: there is neither a setting nor a home directory.
    """
    data_dir = os.environ.get("DATA_DIR")
    if data_dir:
        return Path(data_dir) / "models"
    try:
        return user_data_path("llava-bot", appauthor=False) / "models"
    except RuntimeError:
        raise PocketUnavailable(
            "This user has no home directory: set DATA_DIR, or give --cache a folder."
        ) from None


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m inference.pocket", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    fetch = commands.add_parser(
        "fetch", help="download the parts, build the pocket, print its folder"
    )
    fetch.add_argument("--cache", type=Path, help="folder (default: the bot's)")
    train = commands.add_parser("train", help="train the delta again, from its seed")
    train.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, …")
    train.add_argument("--steps", type=int, default=None)
    train.add_argument("--out", type=Path, default=HERE / "delta.safetensors")
    train.add_argument("--parts", type=Path, help="folder that holds the two released files")
    heads = commands.add_parser("heads", help="train the heads for emoji and groceries again")
    heads.add_argument("pictures", type=Path, help="what `recipe.heads.prepare` wrote")
    heads.add_argument("--work", type=Path, required=True, help="folder to go on from")
    heads.add_argument("--parts", type=Path, help="folder that holds the released files")
    heads.add_argument("--out", type=Path, default=HERE / "heads.safetensors")
    evaluate = commands.add_parser("evaluate", help="ask about drawn graphics, or name photos")
    evaluate.add_argument("folder", type=Path, nargs="?", help="default: graphics and wordings")
    evaluate.add_argument("--model", type=Path, help="a checkpoint (default: the pocket)")
    evaluate.add_argument("--cache", type=Path, help="folder (default: the bot's)")
    evaluate.add_argument("--json", action="store_true", help="print the figures as JSON")
    evaluate.add_argument("--verbose", action="store_true", help="list the wrong answers")
    classes = commands.add_parser("classes", help="write classes.json again from WordNet")
    classes.add_argument("data_noun", type=Path, help="WordNet 3.0's data.noun")
    classes.add_argument("synset_ids", type=Path, help="the 1,000 ids in the classifier's order")
    return top


def run(args: argparse.Namespace) -> None:
    """Run one command."""
    progress = StreamProgress(sys.stderr)
    if args.command == "fetch":
        print(ensure_pocket(args.cache or default_cache(), progress=progress))
    elif args.command == "train":
        run_training(args)
    elif args.command == "heads":
        run_heads(args)
    elif args.command == "evaluate":
        from inference.pocket.recipe.evaluate import evaluate, report

        model = args.model or ensure_pocket(args.cache or default_cache(), progress=progress)
        if args.folder is None:
            run_checks(model)
            return
        result = evaluate(args.folder, model, progress=sys.stderr)
        print(json.dumps(result.figures()) if args.json else report(result, verbose=args.verbose))
    else:
        from inference.pocket.recipe.wordnet import write_classes

        print(write_classes(args.data_noun, args.synset_ids, HERE / "classes.json"), "kinds")


def run_checks(model: Path) -> None:
    """Print how wordings are understood and graphics answered."""
    from inference.pocket.recipe.checking import check_graphics, check_wordings
    from inference.pocket.recipe.evaluate import PocketModel

    print("Wordings", *check_wordings().lines(), sep="\n  ")
    graphics = check_graphics(PocketModel(model).eyes, GRAPHICS)
    print(f"{GRAPHICS} drawn graphics", *graphics.lines(), sep="\n  ")


def run_heads(args: argparse.Namespace) -> None:
    """Train the heads on the eye's features, print the held-out figures."""
    import torch

    from inference.pocket.efficientnet import EfficientNetLite2, fold_released
    from inference.pocket.recipe.heads import Gallery, train_heads

    args.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        if args.parts is None:
            released = fetch_part(TOWER, Path(folder), StreamProgress(sys.stderr))
        else:
            released = args.parts / Path(TOWER.member).name
        net = EfficientNetLite2()
        net.load_state_dict(fold_released(torch.load(released, weights_only=True)))
    gallery = Gallery(net, args.pictures, args.work, HERE / "more.json")
    for name, value in train_heads(gallery, args.out, sys.stderr).items():
        print(f"{name}: {value:.3f}")


def run_training(args: argparse.Namespace) -> None:
    """Fetch the released parts where they are not given, train, print the figures."""
    from inference.pocket.recipe.train import Recipe, train

    recipe = Recipe(device=args.device)
    if args.steps is not None:
        recipe = Recipe(device=args.device, steps=args.steps)
    with tempfile.TemporaryDirectory() as folder:
        if args.parts is None:
            released = fetch_part(TOWER, Path(folder), StreamProgress(sys.stderr))
            gguf = fetch_part(LANGUAGE, Path(folder), StreamProgress(sys.stderr))
        else:
            released = args.parts / Path(TOWER.member).name
            gguf = args.parts / Path(LANGUAGE.member).name
        figures = train(gguf, released, recipe, args.out)
    for name, value in figures.items():
        print(f"{name}: {value:.3f}")


def main() -> int:
    """Entry point. Returns the exit code."""
    try:
        run(parser().parse_args())
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith(RECIPE):
            raise
        print(f"{RECIPE} is not installed: run this in a clone of the repository.", file=sys.stderr)
        return 1
    except (PocketUnavailable, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(standard_streams.run(main))
