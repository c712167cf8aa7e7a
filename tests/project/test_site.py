"""The documents as a site: every page is in its navigation, every link leads somewhere."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("readme_hook", ROOT / "docs/hooks/readme.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.heavy
def test_the_site_builds_without_a_dead_link_and_asks_no_other_host(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(tmp_path), "--quiet"],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        check=True,
        timeout=100,
    )
    pages = {path.stem for path in tmp_path.glob("*.html")} - {"404"}
    assert pages == {path.stem for path in ROOT.glob("docs/*.md")} | {"index", "index.ja"}
    for page in tmp_path.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert 'src="http' not in text, page.name
        assert 'rel="stylesheet" href="http' not in text, page.name


@pytest.mark.parametrize(
    ("source", "folder", "rewritten"),
    [
        ("[a](docs/slack.md#set-up)", "", "[a](slack.md#set-up)"),
        ("![a](docs/demo.webp)", "", "![a](demo.webp)"),
        ("[a](../README.md#discord)", "docs", "[a](index.md#discord)"),
        ("[a](README.ja.md)", "", "[a](index.ja.md)"),
        ("[a](SECURITY.md), [b](https://x.org/)", "", "a, [b](https://x.org/)"),
        ("[![checks](../../x/badge.svg)](../../x)", "", ""),
        ("[here](#below)", "", "[here](#below)"),
        ("[a](settings.md)", "docs", "[a](settings.md)"),
    ],
)
def test_a_link_leads_to_the_page_of_the_site_or_keeps_its_words_alone(
    source: str, folder: str, rewritten: str
) -> None:
    assert hook().linked(source, of=folder) == rewritten


def test_what_belongs_to_a_numbered_item_is_indented_and_nothing_else() -> None:
    text = "1. one\n\n   ```sh\n   a\n   ```\n\n```\n   b\n```\n"
    assert hook().indented(text) == "1. one\n\n    ```sh\n    a\n    ```\n\n```\n   b\n```\n"
