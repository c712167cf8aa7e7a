"""docs/try.ipynb runs from top to bottom, and is kept without what a run wrote into it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs/try.ipynb"


@pytest.fixture
def notebook() -> nbformat.NotebookNode:
    read: nbformat.NotebookNode = nbformat.read(NOTEBOOK, as_version=4)
    return read


def source_of(notebook: nbformat.NotebookNode, cell_id: str) -> str:
    return str(next(it.source for it in notebook.cells if it.id == cell_id))


def printed_by(notebook: nbformat.NotebookNode, cell_id: str) -> str:
    cell = next(it for it in notebook.cells if it.id == cell_id)
    return "".join(it.text for it in cell.outputs if it.output_type == "stream")


@pytest.mark.heavy
def test_it_runs_from_top_to_bottom(
    notebook: nbformat.NotebookNode,
    pocket_data_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tmp_path.chmod(0o755)  # as a folder that was made by hand: the bot makes its own one private
    (tmp_path / "models").symlink_to(pocket_data_dir / "models")
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    NotebookClient(
        notebook,
        timeout=400,
        kernel_name="python3",
        resources={"metadata": {"path": str(NOTEBOOK.parent)}},
    ).execute()
    assert re.search(r"picture\?\n.*cat\b.*\n +\[cat\.jpg", printed_by(notebook, "cat"))
    assert re.search(r"colour is it\?\n\S.*\n +\[cat\.jpg", printed_by(notebook, "cat"))
    assert "TOTAL | 13.60" in printed_by(notebook, "receipt")
    assert re.search(r"写っていますか？\n\S.*\n +\[coffee\.jpg", printed_by(notebook, "japanese"))
    assert "Recommended: MODEL=" in printed_by(notebook, "models")
    assert printed_by(notebook, "stop").startswith("Stopped.")


def test_outside_a_clone_it_asks_for_the_address_and_clones(
    notebook: nbformat.NotebookNode, tmp_path: Path
) -> None:
    origin, elsewhere = tmp_path / "origin", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (origin / "inference/pocket").mkdir(parents=True)
    (origin / "inference/pocket/README.md").touch()
    git = ("git", "-C", str(origin), "-c", "user.name=a", "-c", "user.email=a@example.org")
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "feat: all of it"]):
        subprocess.run([*git, *command], check=True, timeout=60)
    result = subprocess.run(
        [sys.executable, "-c", source_of(notebook, "install") + "\nprint(clone)"],
        cwd=elsewhere,
        input=f"{origin.as_uri()}\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    assert result.stdout.splitlines()[-1] == str(elsewhere / "llava-bot")


def test_it_holds_no_output_and_names_what_exists(notebook: nbformat.NotebookNode) -> None:
    nbformat.validate(notebook)
    code = [it for it in notebook.cells if it.cell_type == "code"]
    assert [it.id for it in code if it.outputs or it.execution_count is not None] == []
    words = "\n".join(it.source for it in notebook.cells if it.cell_type == "markdown")
    files = re.findall(r"`([\w./]+\.md)`", words)
    assert "docs/models.md" in files
    assert [it for it in files if not (ROOT / it).is_file()] == []
