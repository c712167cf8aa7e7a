"""What `doctor` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.doctor.examination import Area, is_well
from bot.platforms.findings import Status


def as_text(areas: Sequence[Area]) -> str:
    """A table of findings by area; under each that is not well, the one thing to do."""
    lines: list[str] = []
    for area in areas:
        lines += [*([""] if lines else []), area.title, *([area.remark] if area.remark else [])]
        lines += [str(finding) for finding in area.findings]
    counts = {
        status: sum(finding.status is status for area in areas for finding in area.findings)
        for status in Status
    }
    wrong, warnings = counts[Status.WRONG], counts[Status.WARNING]
    summary = [f"{wrong} to fix"] * bool(wrong) + [f"{warnings} to improve"] * bool(warnings)
    return "\n".join([*lines, "", ", ".join(summary) or "Nothing to fix."])


def as_document(areas: Sequence[Area]) -> dict[str, Any]:
    """The same for machines; keys are only ever added."""
    return {
        "ok": is_well(areas),
        "findings": [
            {
                "area": area.title,
                "status": finding.status.value,
                "what": finding.what,
                "fix": finding.fix,
            }
            for area in areas
            for finding in area.findings
        ],
    }
