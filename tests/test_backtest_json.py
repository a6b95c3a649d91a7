"""The figures of a backtest as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace

import pytest

from app.backtest_json import report_json
from app.core.backtest.report import BacktestReport
from tests.backtest_facts import SUMMARY, empty_report, full_report
from tests.backtest_reports import REPORTS, WALKED


def test_everything_is_there_as_it_was() -> None:
    report = full_report()
    found = json.loads(report_json(report, WALKED, summary=SUMMARY))
    assert found["summary"] == SUMMARY
    assert list(found["report"]) == [one.name for one in fields(BacktestReport)]
    assert found["report"]["record"]["horizons"][2]["engine"]["mean_net"]["low"] == -0.00031 - 0.0011
    assert found["report"]["weights"]["liquidations"] == 20.0
    assert found["report"]["percentiles"]["50"] == 52.3
    assert found["report"]["correlations"]["24h"]["mean"] == -0.094
    assert found["report"]["coins"][1]["inputs"]["social"] == "none"
    assert found["report"]["factors"][0]["verdict"] == "helped"
    assert found["report"]["curves"][0]["points"][1] == list(report.curves[0].points[1])
    assert found["weights"]["folds"][0]["chosen"]["weights"]["fear_greed"] == 5.6


@pytest.mark.parametrize("name", REPORTS)
def test_it_reads_back_and_writes_the_same_bytes(name: str) -> None:
    said = report_json(*REPORTS[name], summary=SUMMARY)
    assert json.dumps(json.loads(said), indent=1, allow_nan=False) + "\n" == said
    assert said == report_json(*REPORTS[name], summary=SUMMARY)


def test_what_is_unknown_is_null() -> None:
    found = json.loads(report_json(empty_report(), summary=SUMMARY))
    assert found["weights"] is None
    assert found["report"]["record"]["deflated"] is None
    assert found["report"]["correlations"] == {"4h": None}
    assert found["report"]["dearer"]["hit_rate"] is None


def test_a_number_that_is_not_finite_is_null_and_no_text() -> None:
    report = replace(full_report(), percentiles=((1, math.nan), (50, math.inf), (99, 61.0)))
    found = json.loads(report_json(report, summary=SUMMARY))
    assert found["report"]["percentiles"] == {"1": None, "50": None, "99": 61.0}
