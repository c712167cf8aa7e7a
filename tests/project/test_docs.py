"""What the documents name exists: paths, classes, links, commands."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from bot.arguments import build_parser
from tests.project.fences import fences, without_fences
from tests.project.shell_lines import NOT_RUN, OURS_RUN_BY, RUN_BY, rules_for

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "tests/*.md", "inference/**/*.md", "bot/**/*.md")
    for path in ROOT.glob(pattern)
    if ".venv" not in path.parts
)
OURS = ("bot", "inference", "tests", "docs")
OTHERS_CLASSES = {
    "AutoModelForImageTextToText",
    "DecodeStream",
    "LlavaForConditionalGeneration",
    "LlavaBotDeviceStuck",  # an alert
    "LoadCredential",  # a directive of systemd
    "RollingUpdate",  # a strategy of Kubernetes
    "StoppingCriteria",
}
WORKFLOW = re.compile(r"\.\./\.\./actions/(workflows/[\w-]+\.yml)(?:/badge\.svg)?")


def named(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def in_backticks(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", without_fences(text))


@cache
def file_names() -> frozenset[str]:
    return frozenset(path.name for top in OURS for path in (ROOT / top).rglob("*.*"))


@cache
def members() -> dict[str, frozenset[str]]:
    """Every class of the packages → its methods, fields and attributes."""
    found: dict[str, set[str]] = {}
    for package in ("bot", "inference"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    found.setdefault(node.name, set()).update(members_of(node))
    return {name: frozenset(names) for name, names in found.items()}


def members_of(node: ast.ClassDef) -> Iterator[str]:
    for child in ast.walk(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child.name
        elif isinstance(child, ast.AnnAssign | ast.Assign):
            targets = [child.target] if isinstance(child, ast.AnnAssign) else child.targets
            for target in targets:
                if isinstance(target, ast.Name):
                    yield target.id
                elif isinstance(target, ast.Attribute):
                    yield target.attr


@pytest.mark.parametrize("document", named(DOCUMENTS))
def test_every_path_that_a_document_names_exists(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    missing = [
        path
        for path in re.findall(rf"(?<![\w-])((?:{'|'.join(OURS)})/[\w./-]*\w)", text)
        if not (ROOT / path).exists() and "://" not in path
    ]
    missing += [
        name
        for name in in_backticks(text)
        if re.fullmatch(r"[\w-]+\.(?:py|cu|sh|toml)", name)
        and name not in file_names()
        and not (ROOT / name).exists()
    ]
    assert missing == []


def test_every_package_is_on_the_map() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    on_the_map = set(re.findall(r"`((?:bot|inference)/[\w/]*)/`", page))
    missing = [
        package
        for top in ("bot", "inference")
        for path in (ROOT / top).rglob("__init__.py")
        if (package := str(path.parent.relative_to(ROOT))) != top
        # What is inside an adapter is the adapter's own.
        if not {package, str(Path(package).parent)} & on_the_map
    ]
    assert missing == []


@pytest.mark.parametrize("document", named(DOCUMENTS))
def test_every_class_and_method_that_a_document_names_exists(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    missing = []
    for name in in_backticks(text):
        match = re.match(r"([A-Z][a-z]+\w*)(?:\.([a-z_]\w*))?(?![\w/-])", name)
        if match is None or not (match[2] or re.search(r"[a-z][A-Z]", match[1])):
            continue
        if match[1] in OTHERS_CLASSES:
            continue
        if match[1] not in members() or (match[2] and match[2] not in members()[match[1]]):
            missing.append(name)
    assert missing == []


@pytest.mark.parametrize("document", named(DOCUMENTS))
def test_every_link_leads_somewhere(document: str) -> None:
    path = ROOT / document
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if "://" in target or (path.parent == ROOT and is_page_of_the_host(target)):
            continue
        file, _, anchor = target.partition("#")
        linked = (path.parent / file) if file else path
        if not linked.exists() or (anchor and anchor not in anchors(linked)):
            broken.append(target)
    assert broken == []


def is_page_of_the_host(target: str) -> bool:
    """Whether a link leads to the repository's issues, or to a workflow that it has.

    The host shows a file at `…/blob/main/README.md`, so `../..` is the repository's address there.
    """
    workflow = WORKFLOW.fullmatch(target)
    return target == "../../issues" or (
        workflow is not None and (ROOT / ".github" / workflow[1]).is_file()
    )


def anchors(document: Path) -> set[str]:
    """The addresses of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", it.lower()).replace(" ", "-") for it in headings}


def commands(document: str) -> Iterator[str]:
    """The lines of a document's shell fences, and the commands in its sentences."""
    text = (ROOT / document).read_text(encoding="utf-8")
    for fence in fences(text):
        if fence.language in {"bash", "sh"}:
            yield from filter(None, fence.body.splitlines())
    for code in in_backticks(text):
        if re.match(r"(llava-bot|make|python -m) [\w-]", code):
            is_only_named = re.fullmatch(r"llava-bot \w+", code)
            yield f"{code} --help" if is_only_named else code


@pytest.mark.parametrize("document", named(DOCUMENTS))
def test_every_command_that_a_document_names_is_understood(document: str) -> None:
    for line in commands(document):
        words = shlex.split(line, comments=True)
        while words and re.match(r"[A-Z_]+=", words[0]):
            del words[0]  # a setting before the command
        program, *arguments = words[: words.index(">")] if ">" in words else words
        program = program.removeprefix(".venv/bin/")
        if program == "llava-bot":
            assert is_understood(arguments), line
        elif program == "make":
            assert set(arguments) <= make_targets() | {"PYTHON=python3.12"}, line
        elif program in {"python", "python3"} and arguments[0] == "-m":
            assert importlib.util.find_spec(arguments[1]) is not None, line
        else:
            assert len(rules_for(line)) == 1, f"{line}: no test runs it, and nothing says why"


def test_what_is_said_of_others_commands_is_of_commands_that_there_are() -> None:
    lines = [line for document in named(DOCUMENTS) for line in commands(document)]
    used = {rule for line in lines for rule in rules_for(line)}
    assert {*RUN_BY, *NOT_RUN} - used == set()
    assert [test for test in RUN_BY.values() if not (ROOT / test).is_file()] == []


def test_each_of_our_commands_in_a_block_is_run_by_a_test() -> None:
    of_two_words = {command.split()[0] for command in OURS_RUN_BY if " " in command}
    found: set[str] = set()
    for document in named(DOCUMENTS):
        for line in commands(document):
            words = re.sub(r"^([A-Z_]+=\S+ )*(\.venv/bin/)?", "", line).split()
            if words[0] == "llava-bot" and not words[1].startswith("-") and "--help" not in words:
                found.add(" ".join(words[1 : 3 if words[1] in of_two_words else 2]))
    assert found == set(OURS_RUN_BY)
    for command, test in OURS_RUN_BY.items():
        text = (ROOT / test).read_text(encoding="utf-8")
        assert all(word in text for word in command.split()), f"{test} does not run {command}"


@pytest.mark.parametrize("document", named(DOCUMENTS))
def test_no_command_fetches_what_is_not_there(document: str) -> None:
    """example.org has no pictures: a command that is copied must not fail for its example."""
    dead = re.compile(r"https?://[\w.-]*\bexample\.\w+/\S+\.(?:jpe?g|png|webp|gif)\b")
    assert [line for line in commands(document) if dead.search(line)] == []


def is_understood(arguments: list[str]) -> bool:
    try:
        build_parser().parse_args(arguments)
    except SystemExit as exc:
        return exc.code == 0  # --help
    return True


@cache
def make_targets() -> frozenset[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return frozenset(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
