"""Charts of a backtest's report: where lines, dots and bars lie."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backtest_charts import Interval, equity_chart, interval_chart, reliability_chart
from app.core.backtest.report import Curve
from app.core.domain.track_record import ReliabilityBin
from tests.backtest_facts import FROM_MS, calibrated, mean

HOUR_MS = 3_600_000


def points_of(chart: str) -> list[list[tuple[float, float]]]:
    found = re.findall(r'<polyline points="([^"]+)"', chart)
    return [[tuple(map(float, pair.split(","))) for pair in one.split()] for one in found]  # type: ignore[misc]


def drawn(curves: list[Curve]) -> str:
    return equity_chart(curves, "engine", key="equity", said="All rules")


def curve(name: str, *totals: float) -> Curve:
    return Curve(name, tuple((FROM_MS + k * HOUR_MS, total) for k, total in enumerate(totals)))


def test_a_total_that_rises_goes_up_and_one_that_falls_goes_down() -> None:
    (line,) = points_of(drawn([curve("engine", 0.0, 0.1, -0.1)]))
    assert [x for x, _ in line] == [0.0, 500.0, 1000.0]
    assert line[1][1] < line[0][1] < line[2][1]
    # Zero lies half way between -0.1 and +0.1.
    assert [y for _, y in line] == [500.0, 0.0, 1000.0]


def test_mirrored_totals_mirror_the_line() -> None:
    totals = (0.0, 0.03, 0.12, -0.04, 0.2)
    (there,) = points_of(drawn([curve("engine", *totals)]))
    (back,) = points_of(drawn([curve("engine", *(-total for total in totals))]))
    assert [y for _, y in back] == [pytest.approx(1000.0 - y, abs=0.11) for _, y in there]


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=30))
def test_no_total_whatever_leaves_the_box(totals: list[float]) -> None:
    chart = drawn([curve("engine", *totals)])
    assert not re.search(r"\b(?:nan|inf)\b", chart)
    for line in points_of(chart):
        assert all(0.0 <= x <= 1000.0 and 0.0 <= y <= 1000.0 for x, y in line)


def test_no_total_is_a_sentence() -> None:
    assert "No running total to draw" in drawn([curve("engine")])
    assert "No running total to draw" in drawn([curve("engine", float("nan"))])


def test_lines_differ_in_colour_and_dash_together() -> None:
    chart = drawn([curve(f"rule {k}", 0.0, 0.01 * k) for k in range(21)])
    styles = re.findall(r'<polyline points="[^"]+" ([^>]+)>', chart)
    assert len(set(styles)) == 21


def test_what_was_said_lies_to_the_right_and_what_came_true_upward() -> None:
    bins = (ReliabilityBin(0.2, 0.3, 10, 0.25, 0.5), ReliabilityBin(0.7, 0.8, 40, 0.75, 1.0))
    chart = reliability_chart(bins, 0.9, "4h")
    dots = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="([\d.]+)"', chart)
    (few_x, few_y, few_r), (many_x, many_y, many_r) = (map(float, dot) for dot in dots)
    assert few_x < many_x
    assert few_y > many_y
    assert few_r == pytest.approx(3 + 9 * 0.5)
    assert many_r == 12.0
    assert "share of all of them that came true, 90.0" in chart


def test_reliability_is_told_in_words_too() -> None:
    chart = reliability_chart(calibrated().bins, None, "4h")
    assert "said 35.2\u00a0%, came true 32.5\u00a0%, n 40" in chart
    assert chart.count("<circle") == 4
    assert "Dashed" not in chart
    assert "No reliability to draw" in reliability_chart((), None, "4h")


def test_an_interval_lies_on_the_side_of_its_sign_and_all_bars_have_one_scale() -> None:
    rows = [Interval("up", mean(0.002, 0.001), "+", True), Interval("down", mean(-0.002, 0.001), "-", True)]
    chart = interval_chart("Differences.", [*rows, Interval("none", None, "?", True)], unit=" bp", scale=1e4)
    up, down = re.findall(r'<line x1="([\d.]+)%" x2="([\d.]+)%" y1="9" y2="9" class="range (\w+)"', chart)
    assert up == ("66.33", "99.00", "good")
    assert down == ("1.00", "33.67", "bad")
    assert "Bars go from -30 bp to +30 bp" in chart
    assert chart.count("<circle") == 2


def test_from_too_little_data_no_interval_is_marked_good_or_bad() -> None:
    rows = [Interval("up", mean(0.002, 0.001), "+", False), Interval("down", mean(-0.002, 0.001), "-", False)]
    chart = interval_chart("Differences.", rows, unit=" bp", scale=1e4)
    assert re.findall(r'class="range (\w+)"', chart) == ["even", "even"]
