"""`make audit` is only content where somebody was asked."""

from __future__ import annotations

import json

import pytest

from tests.project.audit import UNREACHABLE, findings, requirements_of
from tests.project.lock import Pin


def test_an_audit_is_about_the_packages_of_all_systems() -> None:
    pin = Pin("a", "1", "sys_platform == 'win32'", ("sha256:0",))
    assert requirements_of([pin]) == "a==1 \\\n    --hash=sha256:0\n"


@pytest.mark.parametrize(
    ("packages", "sentences", "code"),
    [
        ([{"name": "a", "version": "1", "vulns": []}], ["1 packages, no known vulnerability"], 0),
        (
            [{"name": "a", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}],
            ["a 1: CVE-1, mended in 2"],
            1,
        ),
        (
            [{"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "not found"}],
            ["not audited, the database does not know them: b"],
            1,
        ),
        ([{"name": "b", "skip_reason": "not found"}], [UNREACHABLE], 2),
        (None, [UNREACHABLE], 2),
    ],
)
def test_a_package_that_nobody_could_be_asked_about_is_not_called_sound(
    packages: object, sentences: list[str], code: int
) -> None:
    answer = "" if packages is None else json.dumps({"dependencies": packages})
    assert findings(answer) == (sentences, code)
