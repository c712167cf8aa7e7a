"""Write `more.json`: the things beside the classifier's own classes.

COCO's kinds, which the detector finds; groceries; shapes; and emoji, whose names in English and
Japanese come from `emojibase-data` 17.0.0 (MIT).
"""

# ruff: noqa: E501 - tables of names read better in long lines

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from inference.pocket.recipe.japanese import JAPANESE
from inference.pocket.recipe.wordnet import with_article

# COCO's 80 kinds in the detector's order, and the wide kind of each run of them.
COCO = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow", "elephant",
    "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee", "pair of skis",
    "snowboard", "ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket",
    "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange",
    "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant", "bed",
    "dining table", "toilet", "television", "laptop", "computer mouse", "remote control", "keyboard", "cell phone",
    "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "pair of scissors",
    "teddy bear", "hair dryer", "toothbrush",
)  # fmt: skip
_COCO_KINDS = (
    (0, 1, "person"), (1, 9, "vehicle"), (9, 14, "object"), (14, 24, "animal"), (24, 29, "object"),
    (29, 39, "sports equipment"), (39, 46, "container"), (46, 56, "food"), (56, 60, "furniture"),
    (60, 61, "furniture"), (61, 62, "object"), (62, 68, "electronic device"), (68, 73, "home appliance"),
    (73, 80, "object"),
)  # fmt: skip
SHAPES = (
    "circle",
    "square",
    "rectangle",
    "triangle",
    "star",
    "diamond",
    "pentagon",
    "hexagon",
    "cross",
    "ring",
    "heart",
    "oval",
)
GROCERIES = {
    "Apple": "apple", "Banana": "banana", "Lime": "lime", "Satsumas": "satsuma", "Nectarine": "nectarine",
    "Orange": "orange", "Papaya": "papaya", "Pear": "pear", "Passion-Fruit": "passion fruit", "Mango": "mango",
    "Peach": "peach", "Kiwi": "kiwi", "Pomegranate": "pomegranate", "Plum": "plum", "Melon": "melon",
    "Red-Grapefruit": "red grapefruit", "Lemon": "lemon", "Avocado": "avocado", "Pineapple": "pineapple",
    "Asparagus": "asparagus", "Garlic": "garlic", "Onion": "onion", "Potato": "potato", "Zucchini": "zucchini",
    "Carrots": "carrot", "Red-Beet": "beetroot", "Aubergine": "aubergine", "Pepper": "pepper",
    "Cucumber": "cucumber", "Ginger": "ginger", "Leek": "leek", "Brown-Cap-Mushroom": "brown mushroom",
    "Tomato": "tomato", "Cabbage": "cabbage", "Oatghurt": "carton of oat yoghurt", "Sour-Milk": "carton of sour milk",
    "Juice": "carton of juice", "Soy-Milk": "carton of soy milk", "Soyghurt": "carton of soy yoghurt",
    "Sour-Cream": "carton of sour cream", "Milk": "carton of milk", "Yoghurt": "carton of yoghurt",
    "Oat-Milk": "carton of oat milk",
}  # fmt: skip
_EMOJI_KINDS = {
    0: "face",
    1: "person",
    3: "animal",
    4: "food",
    5: "object",
    6: "object",
    7: "object",
    8: "sign",
    9: "flag",
}
_GROUPS = ("face", "sign", "flag", "shape", "carton")  # kinds that WordNet's list has not
_MAX_WORDS = 5


def emoji_names(english: list[Any], japanese: list[Any]) -> list[dict[str, str]]:
    """One entry for each emoji that is told apart by more than skin or sex."""
    in_japanese = {entry["hexcode"]: entry["label"] for entry in japanese}
    found = {}
    for entry in english:
        label, group = entry["label"], entry.get("group")
        if group not in _EMOJI_KINDS or "gender" in entry or entry["version"] > 15:
            continue
        if re.match(r"(man|woman)\b", label) or "regional indicator" in label:
            continue
        name = "flag of " + label[6:] if label.startswith("flag: ") else label
        name = re.sub(r"[“”’:.()]", "", name).replace("-", " ").lower() if group != 9 else name
        if len(name.split()) > _MAX_WORDS or name in found:
            continue
        ja = re.sub(r"^旗: (.*)", r"\1の旗", in_japanese.get(entry["hexcode"], ""))
        found[name] = {
            "name": name,
            "hexcode": entry["hexcode"].lower(),
            "kind": _kind(entry),
            "ja": ja,
        }
    return list(found.values())


def _kind(entry: Any) -> str:
    return "flower" if entry.get("subgroup") == 45 else _EMOJI_KINDS[entry["group"]]


def _phrase(name: str) -> str:
    if name.startswith("flag of"):
        return "the " + name
    return name if re.search(r"[^su]s$", name) else with_article(name)


def write_more(  # noqa: C901 - one source a line
    emojibase: Path, classes: Path, out: Path
) -> int:
    """Write the file and return how many names it holds.

    Args:
        emojibase: the package's folder.
        classes: `classes.json`.
    """
    english, japanese = (
        json.loads((emojibase / language / "data.json").read_text(encoding="utf-8"))
        for language in ("en", "ja")
    )
    things: dict[str, dict[str, Any]] = {}

    def add(name: str, kind: str, **more: Any) -> None:
        thing = things.setdefault(name, {"name": name, "phrase": _phrase(name), "kind": kind})
        thing.update(more)

    for first, end, kind in _COCO_KINDS:
        for index in range(first, end):
            add(COCO[index], kind, coco=index)
    for folder, name in GROCERIES.items():
        kind = "carton" if name.startswith("carton") else "food"
        add(name, kind, grocery=folder)
    for name in SHAPES:
        add(name, "shape", shape=SHAPES.index(name))
    for emoji in emoji_names(english, japanese):
        add(emoji["name"], emoji["kind"], emoji=emoji["hexcode"])
        if emoji["ja"]:
            things[emoji["name"]]["ja"] = emoji["ja"]
    for name in _GROUPS:
        add(name, "object")
    known = json.loads(classes.read_text(encoding="utf-8"))
    names = [*known["classes"], *known["kinds"]]
    ja = {n["name"]: things[n["name"]]["ja"] for n in names if things.get(n["name"], {}).get("ja")}
    for thing in things.values():
        if thing["name"] in JAPANESE:
            thing["ja"] = JAPANESE[thing["name"]]
    ja |= {n["name"]: JAPANESE[n["name"]] for n in names if n["name"] in JAPANESE}
    lines = ",\n".join(json.dumps(t, ensure_ascii=False) for t in things.values())
    japanese_text = json.dumps(ja, ensure_ascii=False)
    out.write_text(f'{{"things": [\n{lines}\n],\n"ja": {japanese_text}}}\n', encoding="utf-8")
    return len(things)
