"""A backtest as a section of docs/measured.md: the tables of the page with fewer columns. A part of
`backtest`."""

from __future__ import annotations

from dataclasses import replace

from app.backtest_cautions import all_notes, costs_doubled, costs_stated, data_notes
from app.backtest_figures import moment
from app.backtest_study_tables import (
    coins_table,
    correlations_table,
    factors_table,
    folds_table,
    modes_table,
    percentiles_table,
)
from app.backtest_tables import (
    BOTH,
    RATES,
    Table,
    bins_table,
    fits_table,
    groups_table,
    horizons_table,
    only,
    rules_table,
)
from app.backtest_words import (
    asked_words,
    banner,
    deflated_words,
    missing_line,
    no_outcome,
    probability_words,
    sensitivity_words,
    weights_line,
    weights_totals,
    weights_verdict,
)
from app.core.backtest.report import BacktestReport
from app.core.backtest.weights import WeightsReport
from app.core.domain.formatting import format_minutes

_RATE, _NET = ("n scored", "hit rate", "effective n"), ("mean net, bp [95 %]",)


def render_markdown(report: BacktestReport, weights: WeightsReport | None = None, *, summary: str) -> str:
    """The part under a heading of level 2. summary: what the record shows, in one plain sentence."""
    lines = [
        *_what_was_run(report, summary),
        *_engine(report),
        *_scores(report),
        *_probabilities(report),
        *_factors(report),
        *_said(f"Other weights: {sensitivity_words(report)}"),
        *_said(f"{costs_stated()} {_doubled(report)}"),
        *_walked(weights, is_enough=report.record.enough_data),
        *_listed(data_notes(report)),
        *_listed(all_notes(report)),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def render_weights(weights: WeightsReport, *, is_enough: bool) -> str:
    """What a walk-forward would have chosen, by itself. is_enough: the record has enough data to judge it."""
    return "\n".join(_walked(weights, is_enough=is_enough)).rstrip("\n") + "\n"


def _what_was_run(report: BacktestReport, summary: str) -> list[str]:
    coins = ", ".join(one.base for one in report.coins) or "No coins"
    every = format_minutes(report.step_ms // 60_000)
    found = banner(report.data_mode)
    kind = "" if found is None else f"**{found.title}.** {found.meaning} "
    return [
        *_said(f"### {coins}, {moment(report.from_ms)} to {moment(report.to_ms)} UTC, every {every}"),
        *_said(f"**In one sentence: {summary}**"),
        *_said(
            f"{kind}Data: {report.source}. Engine version {report.engine_version}, weights "
            f"{weights_line(report)}. Moments: {asked_words(report)}. Missing inputs: {missing_line(report)}."
        ),
    ]


def _engine(report: BacktestReport) -> list[str]:
    """Horizons, the rules beside the engine, and its trades in groups."""
    record, found = report.record, report.record.at_headline
    lines = _table(only(horizons_table(report), ("horizon", "signals", "open", "unscorable", BOTH, *RATES)))
    if found is None:
        return [*lines, *_said(no_outcome(record)), *_said(deflated_words(record))]
    less = ("total net", "engine less it, bp [95 %]", "engine is")
    return [
        *lines,
        *_table(only(rules_table(found, is_enough=record.enough_data), ("rule", *RATES, *less))),
        *_said(deflated_words(record)),
        *_table(only(groups_table(found), ("trades", *RATES))),
        *_table(only(coins_table(report), ("coin", "evaluations", "covered", "LONG", "SHORT", *RATES))),
    ]


def _scores(report: BacktestReport) -> list[str]:
    return [
        *_table(only(modes_table(report), ("mode", "LONG", "NEUTRAL", "SHORT", *_RATE, *_NET))),
        *_table(percentiles_table(report)),
        *_table(correlations_table(report)),
    ]


def _probabilities(report: BacktestReport) -> list[str]:
    record, found = report.record, report.record.at_headline
    kept = ("horizon", "n judged", "fitted on", "method", "Brier", "base rate's Brier", "skill")
    lines = [
        *_listed([probability_words(one) for one in record.horizons]),
        *_table(only(fits_table(record), (*kept, "gain over the base rate [95 %]", "shown"))),
    ]
    if found is None or found.calibrated is None:
        return lines
    bins = tuple(one for one in found.calibrated.bins if one.n > 0)
    return [*lines, *_table(bins_table(replace(found.calibrated, bins=bins), found.horizon))]


def _factors(report: BacktestReport) -> list[str]:
    kept = ("factor", "counted", "rank correlation [95 %]", "effective n", "trades without it")
    table = only(factors_table(report), (*kept, "what it added, bp [95 %]", "verdict"))
    return [
        *_listed([one.sentence for one in report.factors]),
        *_table(table),
    ]


def _doubled(report: BacktestReport) -> str:
    found = report.record.at_headline
    return costs_doubled(None if found is None else found.engine, report.dearer)


def _walked(weights: WeightsReport | None, *, is_enough: bool) -> list[str]:
    if weights is None:
        return []
    return [
        *_said(
            f"**Weights that the past would have chosen.** {weights_verdict(weights, is_enough=is_enough)}"
        ),
        *_said(weights_totals(weights)),
        *_table(folds_table(weights)),
    ]


def _table(table: Table) -> list[str]:
    """With its caption over it and its notes under it; one that has no rows is a sentence."""
    if not table.rows:
        return _said(f"{table.caption}: not measured in this run.")
    rows = [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in (table.head, *table.rows)]
    rows.insert(1, "|" + "---|" * len(table.head))
    return [*_said(f"{table.caption}:"), *rows, "", *(line for note in table.notes for line in _said(note))]


def _cell(said: str) -> str:
    return _plain(said).replace("|", "\\|")


def _said(sentence: str) -> list[str]:
    return [_plain(sentence), ""]


def _listed(items: list[str] | tuple[str, ...]) -> list[str]:
    return [*(f"- {_plain(item)}" for item in items), ""] if items else []


def _plain(said: str) -> str:
    """One line, without HTML of its own."""
    return " ".join(said.split()).replace("&", "&amp;").replace("<", "&lt;")
