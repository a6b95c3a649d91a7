"""The parts of a backtest's page under its headline, in their order. A part of `backtest`."""

from __future__ import annotations

from dataclasses import dataclass

from app.backtest_cautions import all_notes, costs_doubled, costs_stated, data_notes, not_to_conclude
from app.backtest_charts import Interval, equity_chart, interval_chart, reliability_chart
from app.backtest_figures import is_known, mean_bp, mean_plain
from app.backtest_markup import Html, listed, paragraph, table_html, tag, text
from app.backtest_study_tables import (
    chosen_table,
    coins_table,
    correlations_table,
    factors_table,
    folds_table,
    inputs_table,
    modes_table,
    percentiles_table,
    sensitivity_table,
)
from app.backtest_tables import (
    Table,
    bins_table,
    costs_table,
    fits_table,
    groups_table,
    horizons_table,
    rules_table,
)
from app.backtest_words import (
    base_rate,
    compare,
    deflated_words,
    is_enough_for_sign,
    no_outcome,
    probability_words,
    sensitivity_words,
    sign_of,
    weights_totals,
    weights_verdict,
)
from app.core.backtest.report import BacktestReport, FactorReport, Verdict
from app.core.backtest.weights import WeightsReport
from app.core.domain.track_record import ENOUGH_EFFECTIVE_N, HorizonRecord, Mean

_ABOVE = "Right of the line the engine earned more."
_HOW_TO_READ = (
    "Hit rate: share of scored trades that won after costs; its 95 % interval is the one for effective n, "
    "the number of independent trades that would be as uncertain. Break-even: the hit rate at which trades "
    "with this mean win and this mean loss would earn nothing. Net: after fees, spread, slippage and "
    "funding; 1 bp is 0.01 % of it. Totals are in percent of one stake, one stake a trade. Better or worse "
    "is said only where the whole interval of the difference lies on one side of 0 and the record has enough "
    f"data: effective n of {ENOUGH_EFFECTIVE_N:.0f}."
)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the page; `#key` leads to it."""

    key: str
    title: str
    content: tuple[Html, ...]


def parts_of(report: BacktestReport, weights: WeightsReport | None) -> tuple[Part, ...]:
    """All parts; the one about weights only where a walk-forward was run."""
    chosen = "Weights that the past would have chosen"
    walked = () if weights is None else (Part("walk-forward", chosen, _walked(weights, report)),)
    return (
        Part("rules", "Against every other rule", _rules(report)),
        Part("tried", "How many rules were tried", (paragraph(deflated_words(report.record)),)),
        Part("equity", "Running total", _totals(report)),
        Part("horizons", "Every horizon", (_table(horizons_table(report), "horizons"),)),
        Part("inputs", "Coins and inputs", _inputs(report)),
        Part("probabilities", "Probabilities", _probabilities(report)),
        Part("groups", "By side, tier, market and confidence", _groups(report)),
        Part("modes", "Modes and scores", _modes(report)),
        Part("correlation", "Does a higher score earn more?", _correlations(report)),
        Part("factors", "Factor by factor", _factors(report)),
        Part("sensitivity", "Other weights", _sensitivity(report)),
        Part("costs", "Costs", _costs(report)),
        *walked,
        Part("notes", "Notes of the record", (_list(all_notes(report), "The record has no notes."),)),
        Part("not", "What nobody may conclude", (listed(not_to_conclude(report)),)),
    )


def _rules(report: BacktestReport) -> tuple[Html, ...]:
    found = report.record.at_headline
    if found is None:
        return (paragraph(no_outcome(report.record)),)
    is_enough = report.record.enough_data
    rows = [_against(one.name, one.engine_minus, is_enough=is_enough) for one in found.baselines]
    caption = f"Mean net of a trade: the engine less each rule, bp. {_ABOVE}"
    return (
        table_html(rules_table(found, is_enough=is_enough), "rules-table", strong_row=0),
        paragraph(_HOW_TO_READ, class_="note"),
        *_chart(caption, rows, "no rule stands beside it"),
    )


def _against(name: str, difference: Mean | None, *, is_enough: bool) -> Interval:
    said = compare(difference, is_enough=is_enough).value
    words = f"{mean_bp(difference)} bp: {said}" if is_known(difference) else f"{said}: too few trades"
    return Interval(name, difference, words, is_enough)


def _chart(caption: str, rows: list[Interval], nothing: str) -> tuple[Html, ...]:
    if not rows:
        return (paragraph(f"No chart: {nothing}.", class_="note"),)
    return (interval_chart(caption, rows, unit=" bp", scale=1e4),)


def _totals(report: BacktestReport) -> tuple[Html, ...]:
    """The engine first on a scale of its own: beside rules that trade every hour its line is flat."""
    name = _engine_name(report)
    engine = [one for one in report.curves if one.name == name and one.points]
    alone = [equity_chart(engine, name, key="engine-equity", said="The engine alone")] if engine else []
    return (*alone, equity_chart(report.curves, name, key="equity", said="All rules to one scale"))


def _engine_name(report: BacktestReport) -> str:
    found = report.record.at_headline
    return "engine" if found is None else found.engine.name


def _inputs(report: BacktestReport) -> tuple[Html, ...]:
    return (
        _table(inputs_table(report), "inputs-from"),
        _table(coins_table(report), "coins"),
        _list(data_notes(report), "Nothing about the data is odd, and no trade is in doubt."),
    )


def _probabilities(report: BacktestReport) -> tuple[Html, ...]:
    record = report.record
    said = [probability_words(one) for one in record.horizons]
    return (
        _list(said, no_outcome(record)),
        *_reliability(record.at_headline),
        _table(fits_table(record), "fits"),
        paragraph(
            "Brier score and log loss: lower is better. Skill: 1 less the Brier score over the base rate's, "
            "above 0 is better than saying the base rate every time. Gain: squared error of the base rate "
            "less that of the fit.",
            class_="note",
        ),
    )


def _reliability(found: HorizonRecord | None) -> tuple[Html, ...]:
    if found is None or found.calibrated is None:
        return ()
    fit = found.calibrated
    return (
        reliability_chart(fit.bins, base_rate(fit), found.horizon),
        _table(bins_table(fit, found.horizon), "bins"),
    )


def _groups(report: BacktestReport) -> tuple[Html, ...]:
    found = report.record.at_headline
    if found is None:
        return (paragraph(no_outcome(report.record)),)
    return (_table(groups_table(found), "groups"),)


def _modes(report: BacktestReport) -> tuple[Html, ...]:
    return (
        _table(modes_table(report), "modes"),
        _table(percentiles_table(report), "percentiles"),
    )


def _correlations(report: BacktestReport) -> tuple[Html, ...]:
    rows = [
        Interval(horizon, found, f"{mean_plain(found)}: {sign_of(found)}", is_enough_for_sign(found))
        for horizon, found in report.correlations
    ]
    caption = "Rank correlation of the score with what a LONG earned before costs, by horizon."
    chart = (interval_chart(caption, rows, unit="", scale=1.0),) if rows else ()
    return (*chart, _table(correlations_table(report), "correlations"))


def _factors(report: BacktestReport) -> tuple[Html, ...]:
    rows = [_added(one, is_enough=report.record.enough_data) for one in report.factors]
    caption = "What each factor added to the mean net of a trade: the engine less the engine without it, bp."
    return (
        listed(one.sentence for one in report.factors),
        *_chart(f"{caption} {_ABOVE}", rows, "no factor was left out"),
        _table(factors_table(report), "factors"),
    )


def _added(one: FactorReport, *, is_enough: bool) -> Interval:
    added = None if one.verdict is Verdict.NOT_RECORDED else one.without.engine_minus
    words = f"{mean_bp(added)} bp: {one.verdict}" if is_known(added) else one.verdict.value
    return Interval(one.name.value, added, words, is_enough)


def _sensitivity(report: BacktestReport) -> tuple[Html, ...]:
    return (paragraph(sensitivity_words(report)), _table(sensitivity_table(report), "sensitivity"))


def _costs(report: BacktestReport) -> tuple[Html, ...]:
    record, found = report.record, report.record.at_headline
    engine = None if found is None else found.engine
    return (
        paragraph(costs_stated()),
        paragraph(costs_doubled(engine, report.dearer)),
        _table(costs_table(engine, report.dearer, record.headline), "costs"),
    )


def _walked(weights: WeightsReport, report: BacktestReport) -> tuple[Html, ...]:
    verdict = weights_verdict(weights, is_enough=report.record.enough_data)
    return (
        tag("p", tag("strong", text(verdict))),
        paragraph(weights_totals(weights)),
        _table(folds_table(weights), "folds"),
        _table(chosen_table(weights), "chosen"),
    )


def _table(table: Table, key: str) -> Html:
    if not table.rows:
        return paragraph(f"{table.caption}: not measured in this run.", class_="note")
    return table_html(table, f"{key}-table")


def _list(said: tuple[str, ...] | list[str], nothing: str) -> Html:
    return listed(said) if said else paragraph(nothing)
