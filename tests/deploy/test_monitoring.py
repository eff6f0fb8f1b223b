"""The dashboard and the alerts ask for what a real server shows, and Prometheus understands them."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest
import yaml

from conftest import DEPLOY, ROOT, Prometheus, eventually, program
from expressions import Page, problems

RULES = DEPLOY / "prometheus" / "rules.yml"
TESTS = sorted(RULES.parent.glob("*_test.yml"))
DASHBOARD = json.loads((DEPLOY / "grafana" / "fuseboard.json").read_text())
ALERTS = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
ROUTES = re.findall(r"^  (/\S*):$", (ROOT / "openapi.yaml").read_text(), re.MULTILINE)
#: What exists and does not happen here.
UNSEEN = {("status", "500"), ("code", "cardinality_limit"), *(("route", path) for path in ROUTES)}


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries() -> list[tuple[str, str]]:
    """Titles and expressions; a variable's query is what it takes labels from."""
    found = [(panel["title"], target["expr"]) for panel in panels() for target in panel["targets"]]
    found += [(note["name"], note["expr"]) for note in DASHBOARD["annotations"]["list"] if "expr" in note]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            parts = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"])
            assert parts, variable
            found.append((variable["name"], f"count by ({parts[2]}) ({parts[1]})"))
    return found


def filled_in(expression: str) -> str:
    """As Grafana asks it, with all of each variable."""
    expression = expression.replace("$__rate_interval", "1m")
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            expression = expression.replace(f"${variable['name']}", variable["allValue"])
    assert "$" not in expression, expression
    return expression


def test_the_dashboard_asks_for_what_is_there(page: str) -> None:
    shown = Page(page)
    found = {
        f"{title}: {problem}" for title, query in queries() for problem in problems(query, shown, UNSEEN)
    }
    assert not found


def test_prometheus_answers_each_query_of_the_dashboard(prometheus: Prometheus) -> None:
    empty = []
    for title, query in queries():
        query = filled_in(query)
        # Comparisons leave out what is well.
        if not prometheus.query(query) and " > 0" not in query:
            empty.append(f"{title}: {query}")
    # Rare things have no rate yet.
    assert empty == []


def test_legends_show_labels_that_the_answers_have(prometheus: Prometheus) -> None:
    for panel in panels():
        for target in panel["targets"]:
            # An ad hoc gate has no name, and Prometheus leaves out a label that is empty.
            wanted = set(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", ""))) - {"gate"}
            for series in prometheus.query(filled_in(target["expr"])):
                assert wanted <= series["metric"].keys(), f"{panel['title']}: {series['metric']}"


def test_panels_lie_side_by_side() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    taken: dict[tuple[int, int], str] = {}
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            assert x < 24, panel["title"]
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, f"{panel['title']} lies on {taken[x, y]}"
                taken[x, y] = panel["title"]
    for panel in panels():
        assert panel["description"], f"{panel['title']} has no description"


def test_promtool_finds_the_rules_right_and_they_do_what_they_should() -> None:
    for command in (
        ["check", "rules", str(RULES)],
        ["test", "rules", str(RULES.with_name("rules_test.yml"))],
    ):
        done = subprocess.run([program("promtool"), *command], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_a_test_in_which_it_fires() -> None:
    tests = "".join(file.read_text() for file in TESTS)
    fires = set(re.findall(r'alertname="(\w+)"[^}]*\}\', value', tests))
    assert {rule["alert"] for rule in ALERTS} - fires == {"FuseboardDown", "FuseboardRestarting"}
    assert all(f"alertname: {name}\n" in tests for name in ("FuseboardDown", "FuseboardRestarting"))


def test_alerts_ask_for_what_is_there(page: str) -> None:
    shown = Page(page)
    found = {f"{r['alert']}: {problem}" for r in ALERTS for problem in problems(r["expr"], shown, UNSEEN)}
    assert not found


def test_labels_in_annotations_are_those_of_the_alert(prometheus: Prometheus) -> None:
    for rule in ALERTS:
        wanted = {
            label for text in rule["annotations"].values() for label in re.findall(r"\$labels\.(\w+)", text)
        }
        # Without what filters, an expression shows which labels it gives.
        for series in prometheus.query(re.sub(r"(>|==) [\d.* ]+$", "", rule["expr"].strip())):
            assert wanted <= series["metric"].keys(), f"{rule['alert']}: {series['metric']}"


def test_a_real_prometheus_evaluates_the_rules(prometheus: Prometheus) -> None:
    def states() -> dict[str, Any]:
        groups = prometheus.get("/api/v1/rules")["data"]["groups"]
        return {rule["name"]: rule for group in groups for rule in group["rules"]}

    eventually(lambda: all(rule["health"] != "unknown" for rule in states().values()), "all were evaluated")
    rules = states()
    assert len(rules) == len(ALERTS)
    assert {name: rule.get("lastError") for name, rule in rules.items() if rule["health"] != "ok"} == {}
    # The populated board has open breakers; those that need five minutes wait for them.
    assert rules["FuseboardBreakerOpen"]["state"] == "pending"
    assert rules["FuseboardDown"]["state"] == "inactive"


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_alerts_say_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("info", "warning", "critical")
    notes = rule["annotations"]
    assert notes.keys() == {"summary", "description", "runbook_url"}
    file, anchor = notes["runbook_url"].split("#")
    assert anchor == rule["alert"].lower()
    headings = re.findall(r"^## (\w+)$", (ROOT / file).read_text(), re.MULTILINE)
    assert rule["alert"] in headings
