"""The dashboards: the committed files are what the code makes, and Grafana can read them."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from infra.grafana.build import FOLDER, dashboard_files, dashboards
from tests.prometheus_rig import ROOT, Json, as_asked, metrics_in, panels, promtool, recorded, rules

PROVISIONING = ROOT / "infra" / "grafana" / "provisioning"
KINDS = {"timeseries", "stat", "bargauge", "piechart", "state-timeline", "table"}
UNITS = {"none", "s", "percentunit", "bytes", "reqps", "ops", "cps", "cpm", "wps", "mps"}
BOARDS = dashboards()


def shown(file: str) -> list[Json]:
    return [panel for name, panel in panels() if name == file]


def test_the_committed_files_are_what_the_code_makes() -> None:
    committed = {path.name: path.read_text("utf-8") for path in FOLDER.iterdir()}
    assert committed == dashboard_files(), "python -m infra.grafana writes them"


def test_dashboards_have_names_of_their_own() -> None:
    assert len({board["uid"] for board in BOARDS.values()}) == len(BOARDS) == 3
    assert all(re.fullmatch(r"[a-z-]{1,40}", board["uid"]) for board in BOARDS.values())
    assert {board["title"] for board in BOARDS.values()} == {
        "Overview",
        "Providers and data",
        "Stream and alerts",
    }


@pytest.mark.parametrize("file", BOARDS)
def test_a_dashboard_has_what_grafana_asks_for(file: str) -> None:
    board = json.loads(dashboard_files()[file])
    assert board["schemaVersion"] >= 36
    assert board["timezone"] == "utc"
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    titles = [panel["title"] for panel in board["panels"]]
    assert len(set(titles)) == len(titles)
    names = [variable["name"] for variable in board["templating"]["list"]]
    assert names[0] == "datasource"
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(board["panels"]))) - {"__all"}
    assert used <= set(names)


@pytest.mark.parametrize("file", BOARDS)
def test_panels_stand_on_the_grid_and_on_nobody_else(file: str) -> None:
    places = [panel["gridPos"] for panel in BOARDS[file]["panels"]]
    for place in places:
        assert place["x"] >= 0
        assert place["y"] >= 0
        assert place["x"] + place["w"] <= 24
    for one, other in combinations(places, 2):
        apart = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        apart |= one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart, (one, other)


@pytest.mark.parametrize("file", BOARDS)
def test_lines_of_panels_are_full_and_of_one_height(file: str) -> None:
    lines: dict[int, list[Json]] = {}
    for panel in BOARDS[file]["panels"]:
        lines.setdefault(panel["gridPos"]["y"], []).append(panel["gridPos"])
    for places in lines.values():
        assert sum(place["w"] for place in places) == 24
        assert len({place["h"] for place in places}) == 1


@pytest.mark.parametrize("file", BOARDS)
def test_a_panel_has_an_expression_a_unit_and_a_sentence(file: str) -> None:
    for panel in shown(file):
        assert panel["type"] in KINDS
        assert panel["targets"], panel["title"]
        assert all(target["expr"].strip() for target in panel["targets"])
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert len(panel["description"]) > 15
        assert panel["description"].endswith(".")
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)


@pytest.mark.parametrize("file", BOARDS)
def test_a_share_has_the_unit_of_a_share_and_a_time_that_of_a_time(file: str) -> None:
    for panel in shown(file):
        unit = panel["fieldConfig"]["defaults"]["unit"]
        for target in panel["targets"]:
            expression = target["expr"]
            if ":ratio" in expression or "_ratio" in expression:
                assert unit == "percentunit", panel["title"]
            if re.search(r"_seconds(?!_total)\b|_seconds:", expression):
                assert unit == "s", panel["title"]


@pytest.mark.parametrize("file", BOARDS)
def test_legends_name_labels_that_the_expression_keeps(file: str) -> None:
    """Where the expression says by what it sums; what is recorded says it in the name."""
    for panel in shown(file):
        for target in panel["targets"]:
            kept = re.match(r"(?:topk\(\d+, )?(?:sum|max|min|count) by \(([^)]*)\)", target["expr"])
            if kept is not None:
                named = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
                assert named <= set(kept[1].split(", ")), panel["title"]


def test_what_the_issue_asks_for_is_shown() -> None:
    titles = " ".join(panel["title"] for _, panel in panels())
    for wanted in (
        "Signals per hour",
        "Freshness",
        "State of each provider",
        "Budget used",
        "State of each stream",
        "Alerts by fate",
        "Time of an answer",
        "Signal mix",
        "Win rate",
        "Alerts that fire",
    ):
        assert wanted in titles


def test_promtool_can_read_every_expression(tmp_path: Path) -> None:
    found = [as_asked(target["expr"]) for _, panel in panels() for target in panel["targets"]]
    listed = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(found)]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": listed}]}))
    assert f"{len(found)} rules found" in promtool("check", "rules", file)


def test_every_recorded_series_is_shown_or_alerted_on() -> None:
    read = {
        name for _, panel in panels() for target in panel["targets"] for name in metrics_in(target["expr"])
    }
    read |= {name for rule in rules() for name in metrics_in(rule["expr"])}
    assert recorded() <= read


def test_grafana_reads_the_source_and_the_folder_that_the_stack_has() -> None:
    (source,) = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    assert source["editable"] is False
    assert not {"password", "basicAuthPassword", "secureJsonData"} & set(source)
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards" / "signals.yml").read_text())["providers"]
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
    assert provider["allowUiUpdates"] is False
