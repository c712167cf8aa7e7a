"""Write `classes.json`: the thousand classes and the kinds they belong to, from WordNet 3.0.

Run it after changing a name; the bot only reads the result. Sources: the noun file of WordNet
3.0 (`data.noun`, in Debian's `wordnet-base`) and a list of the 1,000 ImageNet synset ids in the
classifier's order (`imagenet_synsets.txt`, shipped in the timm wheel). A synset id is "n" + offset.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

from inference.pocket.recipe.names import CLASS_NAMES, KIND_NAMES, PAIRS, UNCOUNTED

Synsets = dict[str, tuple[list[str], list[str]]]


def read_synsets(data_noun: Path) -> Synsets:
    """Return {wnid: (lemmas, hypernym wnids)}. Format: wndb(5WN), counts in hexadecimal."""
    synsets: Synsets = {}
    for line in data_noun.read_text(encoding="utf-8").splitlines():
        if line.startswith("  "):  # the licence, at the head of every WordNet file
            continue
        fields = line.split(" | ")[0].split()
        num_lemmas = int(fields[3], 16)
        lemmas = [fields[4 + 2 * i].replace("_", " ") for i in range(num_lemmas)]
        start = 4 + 2 * num_lemmas
        pointers = [
            fields[start + 1 + 4 * i : start + 5 + 4 * i] for i in range(int(fields[start]))
        ]
        hypernyms = ["n" + p[1] for p in pointers if p[0] in ("@", "@i") and p[2] == "n"]
        synsets["n" + fields[0]] = (lemmas, hypernyms)
    return synsets


def ancestors(synsets: Synsets, wnid: str) -> list[str]:
    """Return every hypernym of `wnid`, nearest first."""
    found: list[str] = []
    queue = list(synsets[wnid][1])
    while queue:
        node = queue.pop(0)
        if node not in found:
            found.append(node)
            queue.extend(synsets[node][1])
    return found


def with_article(name: str) -> str:
    """Return the name as it stands in a sentence: "an ant", "broccoli", "a pair of jeans"."""
    if name in UNCOUNTED:
        return name
    if name in PAIRS:
        return f"a pair of {name}"
    vowel = re.match(r"[aeiouAEIO]|hour", name) and not re.match(r"uni|one|Euro", name)
    return f"{'an' if vowel else 'a'} {name}"


def write_classes(data_noun: Path, synset_ids: Path, out: Path) -> int:
    """Write the file and return how many kinds it holds.

    Raises:
        KeyError: a name override or kind in names.py that WordNet does not know.
    """
    synsets = read_synsets(data_noun)
    wnids = synset_ids.read_text(encoding="utf-8").split()
    first_lemmas = [synsets[w][0][0] for w in wnids]
    unknown = [k for k in CLASS_NAMES if k not in first_lemmas and k not in wnids]
    if unknown or any(k not in synsets for k in KIND_NAMES):
        raise KeyError(f"names.py speaks of unknown classes or kinds: {unknown}")
    num_below = Counter(a for w in wnids for a in ancestors(synsets, w))
    kinds_used: dict[str, None] = {}
    classes = []
    for wnid, first in zip(wnids, first_lemmas, strict=True):
        name = CLASS_NAMES.get(wnid, CLASS_NAMES.get(first, first))
        above = ancestors(synsets, wnid)
        # The narrowest kind first: the shortest way up from a peacock leads over "game".
        kinds = [KIND_NAMES[a] for a in sorted(above, key=num_below.__getitem__) if a in KIND_NAMES]
        kinds = list(dict.fromkeys(kinds)) or ["object"]
        kinds_used.update(dict.fromkeys(kinds))
        synonyms = [s for s in synsets[wnid][0] if s != name]
        # Direct parents too: the evaluation counts "cat" for a Persian right although
        # it is not among the kinds worth saying.
        hypernyms = [synsets[a][0][0] for a in above[:4]]
        classes.append(
            {
                "wnid": wnid,
                "name": name,
                "phrase": with_article(name),
                "synonyms": synonyms,
                "kinds": kinds,
                "hypernyms": [h for h in hypernyms if h not in kinds],
            }
        )
    kinds_list = [{"name": k, "phrase": with_article(k)} for k in kinds_used]
    lines = ",\n".join(json.dumps(c, ensure_ascii=False) for c in classes)
    kinds_text = ",\n".join(json.dumps(k) for k in kinds_list)
    out.write_text(
        f'{{"classes": [\n{lines}\n],\n"kinds": [\n{kinds_text}\n]}}\n', encoding="utf-8"
    )
    return len(kinds_list)
