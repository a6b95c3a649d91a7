"""The section of docs/measured.md that a backtest writes."""

from __future__ import annotations

import re

import pytest

from app.backtest_markdown import render_markdown
from app.core.backtest.report import BacktestReport
from app.core.backtest.weights import WeightsReport
from tests.backtest_facts import (
    SUMMARY,
    empty_report,
    full_report,
    mirrored_report,
    without_horizons,
)
from tests.backtest_reports import HOSTILE, REPORTS, WALKED, with_texts


def written(report: BacktestReport, weights: WeightsReport | None = None) -> str:
    return render_markdown(report, weights, summary=SUMMARY)


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]


def tables(text: str) -> list[list[list[str]]]:
    """Blocks of neighbouring rows."""
    blocks = re.findall(r"(?:^\|.*\n?)+", text, re.M)
    return [[cells(row) for row in block.splitlines()] for block in blocks]


@pytest.mark.parametrize("name", REPORTS)
def test_every_row_has_as_many_columns_as_its_head(name: str) -> None:
    text = written(*REPORTS[name])
    assert not re.search(r"\b(?:nan|inf|None)\b", text)
    for table in tables(text):
        assert {len(row) for row in table} == {len(table[0])}
        assert table[1] == ["---"] * len(table[0])


def test_what_has_to_be_stated_is_stated() -> None:
    text = written(full_report(), WALKED)
    assert text.startswith("### BTC, ETH, 2025-12-05 00:00 to 2026-03-05 00:00 UTC, every 1 h\n")
    assert f"**In one sentence: {SUMMARY}**" in text
    assert "**RECORDED.**" in text
    assert "Moments: 4,529 asked, 4,322 evaluated: 207 without" in text
    assert "Missing inputs: BTC: social; ETH: liquidations, social, funding paid." in text
    assert (
        "| 4h | 217 | 3 | 2 | 15.4 % | 212 | 47.2 % | 35.1 to 59.3 % | 61 | 58.1 % | -3.1 [-14.1, +7.9] |"
        in text
    )
    assert "after trying 239 rules: 12 %" in text
    assert "No, it does not beat the default" in text
    assert "-19.1 bp instead of -3.1 bp" in text
    assert "- Funding is not known for 12 of 212 scored trades" in text
    for one in full_report().factors:
        assert f"- {one.sentence}" in text
    for note in full_report().record.notes:
        assert f"- {note}" in text


def test_only_bins_that_hold_something_are_listed() -> None:
    text = written(full_report())
    assert "| 40 to 50 % | 96 | 45.1 % | 47.9 % |" in text
    assert "| 0 to 10 % |" not in text


def test_nothing_is_a_sentence_and_no_empty_table() -> None:
    for report in (empty_report(), without_horizons(full_report())):
        assert all(len(table) > 2 for table in tables(written(report)))
    assert "not measured in this run" in written(empty_report())


def test_names_cannot_break_a_table_or_write_html() -> None:
    text = written(with_texts(full_report(), HOSTILE))
    assert "<script" not in text
    assert "\\|" in text


def test_a_mirrored_market_mirrors_the_modes() -> None:
    there, back = written(full_report()), written(mirrored_report(full_report()))
    assert "| balanced | 5.8 % | 93.6 % | 0.6 % |" in there
    assert "| balanced | 0.6 % | 93.6 % | 5.8 % |" in back


def test_the_same_report_gives_the_same_bytes() -> None:
    assert written(full_report(), WALKED) == written(full_report(), WALKED)
