"""The libraries of the page, as released: `python -m tests.vendor` fetches and compares them.

With `--write`, what differs is replaced, and the manifest's hashes follow: for a new version,
change the version in the manifest first. npm downloads; nothing of a package is ever run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

VENDOR = Path(__file__).parents[1] / "bot/platforms/web/static/vendor"
MANIFEST = VENDOR / "manifest.json"


def manifest() -> list[dict[str, Any]]:
    """Each library: name, version, licence, source, and its files by path."""
    libraries: list[dict[str, Any]] = json.loads(MANIFEST.read_text(encoding="utf-8"))
    return libraries


def digest(data: bytes) -> str:
    """As it stands in the manifest."""
    return hashlib.sha256(data).hexdigest()


def released(name: str, version: str) -> dict[str, bytes]:
    """The files of a package by path."""
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("npm is missing: it downloads the packages.")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", "--silent", "--ignore-scripts", f"{name}@{version}"]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (archive,) = Path(folder).iterdir()
        with tarfile.open(archive) as tar:
            return {
                member.name.partition("/")[2]: file.read()
                for member in tar
                if (file := tar.extractfile(member)) is not None
            }


def main() -> int:
    """Compare, or replace. Returns: how many files differ."""
    parser = argparse.ArgumentParser(prog="python -m tests.vendor", description=__doc__)
    parser.add_argument("--write", action="store_true", help="replace what differs")
    write = parser.parse_args().write
    libraries = manifest()
    differing = 0
    for library in libraries:
        files = released(library["name"], library["version"])
        for path, file in library["files"].items():
            data = files[file["from"]]
            if digest(data) == file["sha256"] and (VENDOR / path).read_bytes() == data:
                continue
            differing += 1
            print(f"{path} differs from {library['name']} {library['version']}")  # noqa: T201
            if write:
                (VENDOR / path).write_bytes(data)
                file["sha256"] = digest(data)
    if write:
        MANIFEST.write_text(json.dumps(libraries, indent=2) + "\n", encoding="utf-8")
    return 0 if write else differing


if __name__ == "__main__":
    sys.exit(main())
