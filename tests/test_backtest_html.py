"""The page of a backtest: whole, honest, safe, and the same every time."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import pytest

from app.backtest_cautions import data_notes
from app.backtest_html import render_html
from app.core.backtest.report import BacktestReport, Verdict
from app.core.backtest.weights import WeightsReport
from tests.backtest_facts import (
    SIDES,
    SUMMARY,
    empty_report,
    full_report,
    mirrored_report,
    trades,
    without_horizons,
)
from tests.backtest_reports import HOSTILE, REPORTS, WALKED, with_texts
from tests.page_reading import Page, read_page


def page_of(report: BacktestReport, weights: WeightsReport | None = None) -> Page:
    return read_page(render_html(report, weights, summary=SUMMARY))


@pytest.mark.parametrize("name", REPORTS)
class TestEveryPage:
    def test_is_well_formed_and_says_no_number_that_is_none(self, name: str) -> None:
        page = page_of(*REPORTS[name])
        assert not re.search(r"\b(?:nan|inf|None|Infinity)\b", page.said)
        everything = " ".join(value for _, _, value in page.attributes)
        assert not re.search(r"\b(?:nan|inf|None)\b", everything)

    def test_loads_nothing_from_anywhere(self, name: str) -> None:
        html = render_html(*REPORTS[name], summary=SUMMARY)
        page = read_page(html)
        assert not {"script", "img", "iframe", "object", "form", "base"} & set(page.tags)
        assert all(link.startswith("#") or link == "data:," for link in page.values("href"))
        assert page.values("src") == []
        assert not re.search(r"url\(|@import|https?:", html)
        policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
        assert policy in page.values("content")

    def test_has_headings_in_order_and_links_that_lead_somewhere(self, name: str) -> None:
        page = page_of(*REPORTS[name])
        levels = [level for level, _ in page.headings]
        assert levels[0] == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))
        named = [*(link[1:] for link in page.values("href") if link.startswith("#"))]
        named += " ".join(page.values("aria-labelledby")).split()
        assert set(named) <= set(page.ids)

    def test_tells_who_cannot_see_what_a_picture_shows(self, name: str) -> None:
        html = render_html(*REPORTS[name], summary=SUMMARY)
        for start in re.findall(r"<svg[^>]*>(?:<[a-z]+)?", html):
            is_told = 'role="img"' in start and start.endswith("<title")
            assert is_told or 'aria-hidden="true"' in start or 'preserveAspectRatio="none"' in start

    def test_is_the_same_every_time_and_small(self, name: str) -> None:
        report, weights = REPORTS[name]
        html = render_html(report, weights, summary=SUMMARY)
        assert html == render_html(report, weights, summary=SUMMARY)
        assert name == "long names" or len(html.encode()) < 400_000

    def test_has_as_many_cells_in_a_row_as_headings(self, name: str) -> None:
        for rows in page_of(*REPORTS[name]).tables.values():
            assert {len(row) for row in rows} == {len(rows[0])}
            assert len(rows) > 1


class TestFullPage:
    def test_says_first_what_was_run_and_what_it_came_to(self) -> None:
        said = page_of(full_report(), WALKED).said
        said = said[said.index("RECORDED") :]
        order = ["RECORDED", "replay", "2025-12-05 00:00", "Missing inputs", SUMMARY, "47.2 %", "always long"]
        places = [said.index(part) for part in order]
        assert places == sorted(places)

    def test_shows_every_figure_of_the_headline(self) -> None:
        page = page_of(full_report())
        row = page.table("The engine and the rules beside it, 4h")["engine"]
        assert row["n scored"] == "212"
        assert row["hit rate"] == "47.2 %"
        assert row["95 % interval"] == "35.1 to 59.3 %"
        assert row["effective n"] == "61"
        assert row["break-even"] == "58.1 %"
        assert row["mean net, bp [95 %]"] == "-3.1 [-14.1, +7.9]"
        assert row["total net"] == "-6.6 %"
        assert row["largest fall"] == "12.3 %"
        for figure in row.values():
            assert page.said.count(figure) >= 1

    def test_tells_in_words_what_the_engine_is_beside_each_rule(self) -> None:
        report = full_report()
        report = replace(report, record=replace(report.record, enough_data=True))
        rows = page_of(report).table("The engine and the rules beside it")
        assert rows["always long"]["engine is"] == "within chance"
        assert rows["always short"]["engine is"] == "worse"
        assert rows["social alone"]["engine is"] == "better"
        assert rows["social alone"]["engine less it, bp [95 %]"] == "+12.0 [+1.0, +23.0]"

    def test_calls_nothing_better_or_worse_from_too_little_data(self) -> None:
        rows = page_of(full_report(), WALKED).table("The engine and the rules beside it")
        assert rows["always short"]["engine is"] == rows["social alone"]["engine is"] == "too little data"
        assert rows["always long"]["engine is"] == "within chance"
        weights = page_of(full_report()).table("Other weights")
        assert {row["the default is"] for row in weights.values()} == {"within chance", "too little data"}

    def test_shows_no_figure_of_a_factor_that_was_not_recorded(self) -> None:
        report = full_report()
        factors = tuple(
            replace(one, without=trades("w", minus=0.0011)) if one.verdict is Verdict.NOT_RECORDED else one
            for one in report.factors
        )
        page = page_of(replace(report, factors=factors))
        (name, *_) = [one.name.value for one in factors if one.verdict is Verdict.NOT_RECORDED]
        row = page.table("Factors")[name]
        assert row.pop("verdict") == "not recorded"
        assert set(row.values()) - {name} == {"-"}
        assert "only weighed anew" in page.said

    def test_explains_break_even_by_the_wins_and_losses_of_the_trades(self) -> None:
        said = page_of(full_report()).said
        assert "wins needed at the mean win and mean loss of these trades" in said
        assert "this mean win and this mean loss would earn nothing" in said

    def test_shows_every_horizon_mode_group_factor_and_set_of_weights(self) -> None:
        report = full_report()
        page = page_of(report, WALKED)
        assert list(page.table("The engine at every horizon")) == ["15m", "1h", "4h", "24h"]
        assert page.table("The engine at every horizon")["4h"]["both in one bar"] == "15.4 %"
        assert page.table("Modes")["balanced"]["LONG"] == "5.8 %"
        assert page.table("The engine's trades by trait")["no trend"]["n scored"] == "62"
        assert len(page.table("Factors")) == 8
        assert len(page.table("Other weights")) == 16
        assert page.table("Where each input came from")["liquidations"]["ETH"] == "MISSING (not charged)"
        assert page.table("Percentiles")["score"]["50"] == "52.3"
        assert len(page.table("Walk-forward")) == 3
        assert "4,529 asked, 4,322 evaluated: 207 without" in page.said
        for one in report.factors:
            assert one.sentence in page.said
        for note in (*report.record.notes, *data_notes(report)):
            assert note in page.said

    def test_draws_the_engine_thick_and_last_with_every_name_beside_its_line(self) -> None:
        html = render_html(full_report(), summary=SUMMARY)
        lines = re.findall(r'<polyline points="[^"]+" class="([^"]+)"', html)
        assert len(lines) == 15
        # First by itself, to a scale of its own; then over all the others.
        assert [k for k, line in enumerate(lines) if line == "line engine"] == [0, 14]
        assert "random at the engine&#x27;s rate +" in html

    def test_escapes_names_and_shows_them_as_they_are(self) -> None:
        report = with_texts(full_report(), HOSTILE)
        html = render_html(report, summary=HOSTILE)
        assert "<script" not in html
        assert "<img" not in html
        assert "\u202e" not in html
        assert "BTC<script>alert(1)</script>\"'><img src=x onerror=y>&amp;|" in read_page(html).said

    def test_a_mirrored_market_mirrors_the_page(self) -> None:
        there, back = page_of(full_report()), page_of(mirrored_report(full_report()))
        for start in ("Modes", "Each coin", "Other weights"):
            mirrored = {
                name: {SIDES.get(head, head): cell for head, cell in row.items()}
                for name, row in there.table(start).items()
            }
            assert back.table(start) == mirrored
        groups, turned = (one.table("The engine's trades by trait") for one in (there, back))
        assert turned["side LONG"]["n scored"] == groups["side SHORT"]["n scored"] == "78"
        rules, other = (one.table("The engine and the rules beside it") for one in (there, back))
        assert other["always short"]["engine is"] == rules["always long"]["engine is"]
        assert "77 LONG, 4,105 NEUTRAL, 140 SHORT" in back.said


class TestEmptyPage:
    def test_says_why_there_is_nothing(self) -> None:
        said = page_of(empty_report()).said
        assert "SIMULATED" in said
        assert "no trade was scored" in said
        assert "No probability at 4h: no outcomes to fit on." in said
        assert "No running total to draw" in said

    def test_without_a_headline_there_is_a_sentence_instead(self) -> None:
        assert (
            "No outcomes at the horizon 4h of 4,322 evaluations"
            in page_of(without_horizons(full_report())).said
        )

    def test_live_data_has_no_banner(self) -> None:
        page = page_of(replace(full_report(), data_mode="live"))
        assert "RECORDED" not in page.said
        assert "banner" not in page.values("class")
