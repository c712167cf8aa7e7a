"""Known vulnerabilities of the locked packages: `python -m tests.project.audit [OPTIONS]`.

pip-audit, whose options these are, asks its database (PyPI's, or `--vulnerability-service osv`)
about every package of the lock, whatever the system it is for. It counts a package that the
database does not answer for as sound; here that is a failure, because an index's mirror often has
no such database.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from tests.project.lock import PARTS, Pin, part

UNREACHABLE = "pip-audit's database cannot be reached from here: nothing was audited."


def requirements_of(pins: Sequence[Pin]) -> str:
    """The pins without their markers: all of them are audited everywhere."""
    return "".join(Pin(it.name, it.version, "", it.hashes).block + "\n" for it in pins)


def ask(pins: Sequence[Pin], options: Sequence[str]) -> str:
    """What pip-audit prints: JSON, or nothing where it failed; its log goes to stderr."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write(requirements_of(pins))
        requirements.flush()
        asked = subprocess.run(
            [
                *(sys.executable, "-m", "pip_audit", "--requirement", requirements.name),
                *("--require-hashes", "--disable-pip", "--progress-spinner=off"),
                *("--format=json", *options),
            ],
            check=False,
            stdout=subprocess.PIPE,
            text=True,
        )
    return asked.stdout


def findings(answer: str) -> tuple[list[str], int]:
    """What pip-audit's answer says. Returns: (sentences, exit code)."""
    try:
        packages: list[Mapping[str, Any]] = json.loads(answer)["dependencies"]
    except ValueError:
        return [UNREACHABLE], 2
    skipped = [it["name"] for it in packages if "skip_reason" in it]
    if len(skipped) == len(packages):
        return [UNREACHABLE], 2
    found = [
        f"{it['name']} {it['version']}: {known['id']}"
        + (f", mended in {' or '.join(known['fix_versions'])}" if known["fix_versions"] else "")
        for it in packages
        for known in it.get("vulns", ())
    ]
    unknown = [f"not audited, the database does not know them: {', '.join(skipped)}"]
    said = [*found, *(unknown if skipped else ())]
    if said:
        return said, 1
    return [f"{len(packages)} packages, no known vulnerability"], 0


def main() -> int:
    """Audit the lock. Returns: 0 sound, 1 something is known or unknown, 2 no database."""
    sentences, code = findings(ask([it for name in PARTS for it in part(name)], sys.argv[1:]))
    print("\n".join(sentences), file=sys.stderr if code else sys.stdout)
    return code


if __name__ == "__main__":
    sys.exit(main())
