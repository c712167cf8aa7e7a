"""How often the pocket names the main thing of real photos: `evaluate DIR`, a folder per class.

Every photo is asked "What is in this picture?" through the processor and `generate`, as in the bot.
The match is lenient: the folder's class, a synonym, a close kind above it, or a class below it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, cast

import torch
from PIL import Image, ImageOps
from tqdm import tqdm

from inference.pocket.answering.conversation import Conversation
from inference.pocket.concepts import SURE, Concepts, load_concepts
from inference.pocket.recipe.phrases import VAGUE_KINDS
from inference.pocket.seeing.facts import Facts
from inference.pocket.seeing.parts import read
from inference.pocket.seeing.vocabulary import grocery_folders, load_vocabulary
from inference.types import Message, Picture, Role

QUESTION = "What is in this picture?"
SUFFIXES = frozenset([".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"])
# How the answers sound when they commit themselves to nothing.
UNSURE = re.compile(r"not sure|best guess", re.IGNORECASE)
NUM_CLOSE_KINDS = 2
_SHOWN = Picture(digest="", data=b"", width_px=1, height_px=1)
_ROLES = (Role.USER, Role.ASSISTANT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One photo, what was answered, and how the answer was judged."""

    path: Path
    label: str
    probability: float
    seen: str
    answer: str
    right: bool
    as_seen: bool

    @property
    def unsure(self) -> bool:
        return UNSURE.search(self.answer) is not None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All photos of one run."""

    asked: tuple[Asked, ...]

    def figures(self) -> dict[str, float]:
        """Counts, and shares between 0 and 1 (0 where nothing was to be counted)."""
        clear = [a for a in self.asked if a.probability >= SURE]
        unclear = [a for a in self.asked if a.probability < SURE]
        return {
            "photos": len(self.asked),
            "labels": len({a.label for a in self.asked}),
            "clear_photos": len(clear),
            "clear_named_right": _share(clear, "right"),
            "clear_named_as_seen": _share(clear, "as_seen"),
            "clear_unsure": _share(clear, "unsure"),
            "unclear_unsure": _share(unclear, "unsure"),
            "unclear_named_right": _share(unclear, "right"),
        }


def _share(asked: list[Asked], what: str) -> float:
    return sum(getattr(a, what) for a in asked) / len(asked) if asked else 0.0


def normalised(name: str) -> str:
    """Bring a folder's or a class's name into one spelling: lower case, single spaces, no signs."""
    return re.sub(r"[\W_]+", " ", name.lower()).strip()


def singular(name: str) -> str:
    """A plain plural's singular: "bananas" -> "banana", "tomatoes" -> "tomato"."""
    if re.search(r"(ch|sh|x|ss|o)es$", name):
        return name[:-2]
    return name[:-1] if re.search(r"[^su]s$", name) else name


def spellings(label: str) -> set[str]:
    """What a folder's name may mean: "n02123045_tabby, tabby-cats" -> {"n02123045", "tabby", …}.

    Data sets name folders by synset id, by number and name, or by a list of synonyms.
    """
    found = set()
    for part in re.split(r"[,;/]", label):
        name = normalised(part)
        number, _, rest = name.partition(" ")
        found |= {name, singular(name)}
        if re.fullmatch(r"n\d{8}|\d+", number) and rest:
            found |= {rest, singular(rest)}
            if number.startswith("n"):
                found.add(number)
    return found - {""}


class Matcher:
    """Judges answers against a folder's name."""

    def __init__(self, concepts: Concepts) -> None:
        self.concepts = concepts
        self.names = [
            {normalised(n) for n in (c.name, *c.synonyms, c.wnid)} for c in concepts.classes
        ]
        vocabulary = load_vocabulary()
        self.groceries = {
            folder: {normalised(vocabulary.names[index].name)}
            for folder, index in zip(grocery_folders(), vocabulary.groceries, strict=True)
        }
        self.above = [{normalised(n) for n in (*c.kinds, *c.hypernyms)} for c in concepts.classes]

    def classes_of(self, label: str) -> set[int]:
        """The classes that a folder's name stands for: its own, those below it, its namesakes."""
        meant = spellings(label)
        exact = {i for i, names in enumerate(self.names) if names & meant}
        below = {i for i, names in enumerate(self.above) if names & meant}
        tails = tuple(" " + s for s in meant)
        # "apple" for a green apple, "cat" for a tabby cat
        kin = {i for i, names in enumerate(self.names) if any(n.endswith(tails) for n in names)}
        return exact | below | kin

    def accepted(self, label: str) -> set[str]:
        """Every name that is right to say of a photo in this folder, normalised."""
        meant = spellings(label)
        words = set(meant)
        words |= self.groceries.get(label, set())
        for names in self.names:  # "racket" for a tennis racket
            words |= {n for n in names if any(s.endswith(" " + n) for s in meant)}
        for i in self.classes_of(label):
            words |= self.names[i]
            if self.names[i] & meant:
                words |= self._close_kinds(i)
        return words

    def _close_kinds(self, index: int) -> set[str]:
        kinds = [k for k in self.concepts.classes[index].kinds if k not in VAGUE_KINDS]
        return {normalised(k) for k in kinds[:NUM_CLOSE_KINDS]}

    def is_right(self, label: str, answer: str) -> bool:
        """True when the answer says one of the accepted names as whole words."""
        said = f" {normalised(answer)} "
        return any(f" {word} " in said for word in self.accepted(label))


def find_photos(folder: Path) -> list[tuple[Path, str]]:
    """Return (photo, label), the label being the name of the folder that holds the photo.

    Raises:
        ValueError: the folder holds no photos.
    """
    photos = [(p, p.parent.name) for p in sorted(folder.rglob("*")) if p.suffix.lower() in SUFFIXES]
    if not photos:
        raise ValueError(f"{folder} holds no pictures; it needs a folder per class.")
    return photos


def read_photo(path: Path) -> Image.Image:
    """Upright, on white where it is transparent, as the bot shows pictures to a model."""
    with Image.open(path) as opened:
        upright = ImageOps.exif_transpose(opened).convert("RGBA")
    page = Image.new("RGBA", upright.size, "white")
    page.alpha_composite(upright)
    return page.convert("RGB")


class PocketModel:
    """A loaded checkpoint that answers questions about one picture, as in the bot."""

    def __init__(self, model_dir: Path) -> None:
        from transformers import AutoModelForImageTextToText, AutoProcessor

        from inference.pocket import register

        register()
        self.processor: Any = AutoProcessor.from_pretrained(model_dir)
        self.model: Any = AutoModelForImageTextToText.from_pretrained(model_dir)
        self.model.eval()
        self.eyes = self.model.model.vision_tower.eyes()

    @torch.no_grad()
    def ask(self, picture: Image.Image | None, *turns: str) -> tuple[str, float, int]:
        """Ask the last of `turns` (user, assistant, user, …) about the picture.

        Returns:
            The answer, how sure of the main thing, and the index of its name.
        """
        facts = None if picture is None else self.eyes.look(read(picture))
        shown = () if picture is None else (_SHOWN,)
        asked = tuple(
            Message(role=_ROLES[i % 2], text=turn, pictures=() if i else shown)
            for i, turn in enumerate(turns)
        )
        conversation = Conversation(self.eyes.vocabulary, lambda _picture: cast("Facts", facts))
        answer = conversation.answer(asked)
        if not isinstance(answer, str):
            answer = self._said(answer)
        return (answer, 0.0, 0) if facts is None else (answer, facts.sure, facts.first)

    def _said(self, asked: tuple[Message, ...]) -> str:
        """What the language model says, greedily, without its stop token."""
        messages = [
            {"role": message.role.value, "content": [{"type": "text", "text": message.text}]}
            for message in asked
        ]
        text = self.processor.apply_chat_template(messages, add_generation_prompt=True)
        inputs = self.processor(text=text, return_tensors="pt")
        out = self.model.generate(**inputs)[0, inputs["input_ids"].shape[1] :]
        return str(self.processor.decode(out, skip_special_tokens=True)).strip()


def evaluate(folder: Path, model_dir: Path, *, progress: TextIO) -> Evaluation:
    """Ask about every photo below `folder`.

    Raises:
        ValueError: no photos.
        OSError: the checkpoint cannot be read.
    """
    photos = find_photos(folder)
    model, vocabulary = PocketModel(model_dir), load_vocabulary()
    matcher = Matcher(load_concepts())
    asked = []
    for path, label in tqdm(photos, file=progress, unit="photo"):
        try:
            photo = read_photo(path)
        except OSError:
            tqdm.write(f"{path} cannot be read and is left out.", file=progress)
            continue
        answer, probability, index = model.ask(photo, QUESTION)
        seen = vocabulary.names[index].name
        asked.append(
            Asked(
                path=path,
                label=label,
                probability=probability,
                seen=seen,
                answer=answer,
                right=matcher.is_right(label, answer),
                as_seen=f" {normalised(seen)} " in f" {normalised(answer)} ",
            )
        )
    return Evaluation(tuple(asked))


def report(result: Evaluation, *, verbose: bool) -> str:
    """The figures as lines of text, with `verbose` the wrong answers first."""
    figures = result.figures()
    lines = []
    if verbose:
        wrong = [a for a in result.asked if not a.right]
        lines = [f"{a.label} ({a.path.name}), {a.probability:.2f}: {a.answer}" for a in wrong]
    clear = f"{figures['clear_photos']:.0f} where the classifier is at least {SURE:.0%} sure"
    lines += [
        f"{figures['photos']:.0f} photos of {figures['labels']:.0f} kinds, {clear}",
        f"of those the main thing is named right: {figures['clear_named_right']:.1%}",
        f"                named as the classifier saw it: {figures['clear_named_as_seen']:.1%}",
        f'                answered with "not sure": {figures["clear_unsure"]:.1%}',
        f'of the others answered with "not sure": {figures["unclear_unsure"]:.1%}',
        f"                the right name among the guesses: {figures['unclear_named_right']:.1%}",
    ]
    return "\n".join(lines)
