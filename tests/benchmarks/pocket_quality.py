"""How often the pocket names the main thing of photos, whole and in 8 bits, through the engine: the
language model answers by itself, as a benchmark of it.

Run: `python -m tests.benchmarks.pocket_quality FOLDER [--photos N]` (a folder per class, as for
`python -m inference.pocket evaluate`, whose judgement of an answer it takes). N photos are taken at
equal distances from all.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from inference.backends.batching import BatchingBackend
from inference.backends.direct import DirectBackend
from inference.backends.load import load_model
from inference.pocket.__main__ import default_cache
from inference.pocket.concepts import load_concepts
from inference.pocket.recipe.evaluate import QUESTION, Matcher, find_photos, read_photo
from inference.progress import StreamProgress
from inference.types import GenerationRequest, Message, ModelSpec, Quantization, Role, Sampling
from tests.pictures import picture_of
from tests.stepper import Stepper

AT_ONCE = 16
GREEDY = Sampling(temperature=0.0, max_new_tokens=40)


def answers(photos: list[Path], quantize: Quantization) -> list[str]:
    """What the pocket says of each photo."""
    spec = ModelSpec(name="pocket", quantize=quantize, device="cpu")
    backend = load_model(spec, cache_dir=default_cache(), progress=StreamProgress(sys.stderr))
    assert isinstance(backend, DirectBackend)
    backend = backend.wrapped
    assert isinstance(backend, BatchingBackend)
    said = []
    for first in range(0, len(photos), AT_ONCE):
        stepper = Stepper(backend)
        jobs = []
        for path in photos[first : first + AT_ONCE]:
            question = Message(
                role=Role.USER, text=QUESTION, pictures=(picture_of(read_photo(path)),)
            )
            jobs.append(stepper.ask(GenerationRequest(messages=(question,), sampling=GREEDY)))
        stepper.run()
        said += [stepper.text(job) for job in jobs]
    return said


def main() -> None:
    """Ask and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=200)
    arguments = parser.parse_args()
    found = find_photos(arguments.folder)
    found = found[:: max(1, len(found) // arguments.photos)][: arguments.photos]
    matcher = Matcher(load_concepts())
    paths = [path for path, _ in found]
    whole, small = answers(paths, "none"), answers(paths, "int8")
    for name, said in (("float32", whole), ("int8", small)):
        right = sum(
            matcher.is_right(label, text) for (_, label), text in zip(found, said, strict=True)
        )
        print(f"{name}: {right} of {len(found)} named right")
    same = sum(a == b for a, b in zip(whole, small, strict=True))
    print(f"the same answer, letter by letter: {same} of {len(found)}")


if __name__ == "__main__":
    main()
