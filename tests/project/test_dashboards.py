"""The dashboard, the alert rules and the document name metrics and labels that exist."""

from __future__ import annotations

import asyncio
import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from bot.monitoring.health import Health
from bot.monitoring.metrics import PREFIX, Metrics
from inference.metrics import declared
from tests.engines import ScriptedModel
from tests.scenario.core import message, red, running_core

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy/prometheus/llava-bot.rules.yml"
DASHBOARD = ROOT / "deploy/grafana/llava-bot.json"
OF_PROMETHEUS = {"job", "instance", "le"}
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}


@pytest.fixture(scope="module")
def labels() -> dict[str, set[str]]:
    """Of every sample that a scrape can hold, its labels, by name."""
    for path in [*(ROOT / "bot").rglob("*.py"), *(ROOT / "inference").rglob("*.py")]:
        if "from inference.metrics import" in path.read_text(encoding="utf-8"):
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    return {
        f"{PREFIX}{metric.name}{suffix}": {*metric.labels, *OF_PROMETHEUS}
        for metric in declared()
        for suffix in SUFFIXES[metric.kind]
    } | {"up": OF_PROMETHEUS}


async def test_all_expressions_name_what_a_running_bot_tells(
    tmp_path: Path, labels: dict[str, set[str]]
) -> None:
    metrics = Metrics()
    async with running_core(tmp_path, ScriptedModel()) as core:
        await core.answers.ask(message("What is it?", "red"), red())
        metrics.watch(Health(core.answers, core.store, folder=tmp_path))
        told = await asyncio.to_thread(metrics.exposition)
    families = list(text_string_to_metric_families(told.decode()))
    known = labels | {
        sample.name: {*sample.labels, *OF_PROMETHEUS}
        for family in families
        for sample in family.samples
        if sample.name not in labels
    }
    expressions = [*rules(), *panels()]
    assert len(expressions) > 50
    assert [wrong for one in expressions for wrong in unknown(one, known)] == []


def rules() -> list[str]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]


def panels() -> list[str]:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    targets = [target for panel in dashboard["panels"] for target in panel.get("targets", ())]
    queries = [target["expr"] for target in targets]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            found = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"])
            assert found
            queries.append(f"sum by ({found[2]}) ({found[1]})")
    return [query.replace("$__rate_interval", "5m") for query in queries]


def unknown(expression: str, known: dict[str, set[str]]) -> list[str]:
    """What an expression names that no scrape holds. Raises: what the parser raises."""
    parsed = promql_parser.parse(expression)
    selectors = list(selected(parsed))
    assert selectors, expression
    wrong = [f"{one.name} in {expression}" for one in selectors if one.name not in known]
    for one in selectors:
        named = {matcher.name for matcher in one.matchers.matchers}
        wrong += [f"{one.name}{{{name}}}" for name in named - known.get(one.name, named)]
    shared = set.union(*(known.get(one.name, set()) for one in selectors))
    grouped = {
        name
        for names in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression)
        for name in names.split(", ")
    }
    return wrong + [f"by ({name}) in {expression}" for name in grouped - shared]


def selected(node: Any) -> Iterator[Any]:
    """The vectors that an expression selects."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for attribute in ("lhs", "rhs", "expr", "vector_selector"):
        if (child := getattr(node, attribute, None)) is not None:
            yield from selected(child)
    for child in getattr(node, "args", ()):
        yield from selected(child)


def test_a_name_that_does_not_exist_is_found() -> None:
    known = {"llava_bot_a_total": {"platform", "job"}}
    assert unknown("rate(llava_bot_b_total[5m]) > 1", known)
    assert unknown('sum(llava_bot_a_total{plattform="x"})', known)
    assert unknown("sum by (channel) (llava_bot_a_total)", known)
    assert not unknown('sum by (job) (rate(llava_bot_a_total{platform="x"}[5m])) / 2', known)


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    for rule in (rule for group in groups for rule in group["rules"]):
        assert rule["labels"]["severity"] in {"critical", "warning"}, rule["alert"]
        assert rule["annotations"]["summary"], rule["alert"]
        assert rule["annotations"]["description"], rule["alert"]


def test_legends_and_annotations_name_labels_that_the_expression_keeps(
    labels: dict[str, set[str]],
) -> None:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    texts = [
        (target["legendFormat"], target["expr"])
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    ]
    every = set.union(*labels.values())
    for text, expression in texts:
        for name in re.findall(r"\{\{(\w+)\}\}", text):
            assert name in every, text
            assert "by (" not in expression or re.search(rf"by \([^)]*\b{name}\b", expression), text


def test_the_document_has_every_metric_with_its_labels(labels: dict[str, set[str]]) -> None:
    assert labels  # imports what counts
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    in_page = set(re.findall(rf"^\| `{PREFIX}([\w{{}},]+)` \|", page, re.MULTILINE))
    of_state = {
        "info{version,model,engine}",
        "ready",
        "model_loaded",
        "store_works",
        "questions_in_flight",
        "store_late_writes",
        "store_lost_writes_total",
        "disk_free_bytes",
    }
    counted = {
        metric.name
        + ("_total" if metric.kind == "counter" else "")
        + (f"{{{','.join(metric.labels)}}}" if metric.labels else "")
        for metric in declared()
    }
    assert in_page == counted | of_state
