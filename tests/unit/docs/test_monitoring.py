"""The dashboard and the alert rules ask for metrics, labels and values that a server has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hand_made_bundle import write_bundle
from http_shop import Shop, bought
from pages import DOCS
from prometheus_client.parser import text_string_to_metric_families

from serving.recommend import watch
from serving.recommend.pipeline import Pipeline
from serving.state.store import EventStore

DASHBOARD = json.loads((DOCS / "monitoring" / "grafana.json").read_text(encoding="utf-8"))
ALERTS = yaml.safe_load((DOCS / "monitoring" / "alerts.yml").read_text(encoding="utf-8"))
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
EXPRESSIONS += [rule["expr"] for rule in RULES]
OF_THE_SERVER = {"replica"}
"""Labels that are added where the replicas' metrics are put together"""


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, set[str]]]:
    """Metric -> its labels, of a shop that was asked for a list."""
    folder = tmp_path_factory.mktemp("monitoring")
    with pytest.MonkeyPatch.context() as patch, EventStore.open(folder / "events.db") as store:
        patch.setattr(watch, "TIMED_EVERY", 1)
        patch.setattr(watch, "SEARCHED_EVERY", 1)
        shop = Shop(Pipeline.load(write_bundle(folder / "bundle")), store)
        shop.send(bought("cheese1"))
        shop.recommend(user_id="ann", item_ids=["ghost"])
        found: dict[str, set[str]] = {}
        for family in text_string_to_metric_families(shop.call("GET", "/metrics").text):
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
        yield found


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_metric_and_label_exists(known: dict[str, set[str]], expression: str) -> None:
    names = set(re.findall(r"shopkeeper_\w+", expression))
    assert names
    assert names <= set(known)
    labels = {label for name in names for label in known[name]} | OF_THE_SERVER
    used = set(re.findall(r"(\w+)=~?\"", expression))
    for group in re.findall(r"by \(([^)]*)\)", expression):
        used |= {label.strip() for label in group.split(",")}
    assert used <= labels


def test_every_metric_of_the_server_is_on_the_dashboard(known: dict[str, set[str]]) -> None:
    asked = {
        re.sub(r"_(bucket|sum|count)$", "", name)
        for one in EXPRESSIONS
        for name in re.findall(r"shopkeeper_\w+", one)
    }
    ours = {re.sub(r"_(bucket|sum|count)$", "", name) for name in known if name.startswith("shopkeeper_")}
    left_out = {name for name in ours - asked if not name.endswith("_created")}
    assert left_out <= {"shopkeeper_user_states", "shopkeeper_bundle_swaps_total"}


def test_rules_say_what_is_wrong_and_panels_do_not_overlap() -> None:
    assert all(
        rule["annotations"]["summary"].endswith(".") or "?" in rule["annotations"]["summary"]
        for rule in RULES
    )
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    places = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]
    assert len(set(places)) == len(places)
    assert {x for x, _ in places} == set(range(24))


def test_brackets_are_balanced() -> None:
    for expression in EXPRESSIONS:
        for left, right in ("()", "{}", "[]"):
            assert expression.count(left) == expression.count(right)


def test_the_files_are_linked_from_the_operations_page() -> None:
    page = (DOCS / "operations.md").read_text(encoding="utf-8")
    for file in sorted(Path(DOCS / "monitoring").iterdir()):
        assert f"monitoring/{file.name}" in page
