"""Tables of what only a backtest can tell: coins and inputs, modes, factors, other weights. A part of
`backtest`."""

from __future__ import annotations

from app.backtest_figures import (
    UNKNOWN,
    count,
    day,
    effective,
    mean_bp,
    mean_plain,
    percent,
    signed_percent,
    unsigned,
)
from app.backtest_tables import RATES, TOTALS, Row, Table, rate_cells, total_cells
from app.backtest_words import MISSING, compare, is_missing, sign_of, why_no_difference, why_unknown
from app.core.backtest.report import BacktestReport, FactorReport, Verdict
from app.core.backtest.weights import ChosenFold, WeightsReport
from app.core.domain.track_record import Mean
from app.core.record.columns import FACTOR_ORDER

_WHY_NOT_RECORDED = (
    '"-" in the row of a factor that was not recorded: without it the same evidence is only weighed anew.'
)
_DIFFERENCE = ("default less these, bp [95 %]", "the default is")


def inputs_table(report: BacktestReport) -> Table:
    """Where each input of each coin came from."""
    by_coin = [dict(coin.inputs) for coin in report.coins]
    names = dict.fromkeys(what for coin in report.coins for what, _ in coin.inputs)
    rows = [(name, *(_source(inputs.get(name)) for inputs in by_coin)) for name in names]
    return Table("Where each input came from", ("input", *(one.base for one in report.coins)), tuple(rows))


def _source(found: str | None) -> str:
    if found is None or is_missing(found):
        # What follows the colon says what was done without it.
        rest = "" if found is None else found.partition(":")[2].strip()
        return f"{MISSING} ({rest})" if rest else MISSING
    return found


def coins_table(report: BacktestReport) -> Table:
    """Each coin by itself, at the headline horizon."""
    rows, shown = [], []
    for coin in report.coins:
        found = coin.record.at_headline
        sides = (count(coin.record.long), count(coin.record.short))
        cells = (UNKNOWN,) * len((*RATES, *TOTALS))
        if found is not None:
            shown.append(found.engine)
            cells = (*rate_cells(found.engine), *total_cells(found.engine))
        rows.append((coin.base, count(coin.evaluations), percent(coin.covered_frac), *sides, *cells))
    return Table(
        f"Each coin, {report.record.headline} after the signal",
        ("coin", "evaluations", "covered", "LONG", "SHORT", *RATES, *TOTALS),
        tuple(rows),
        (
            "Covered: share of evaluations with enough inputs for a direction; the others are NEUTRAL.",
            *why_unknown(shown),
        ),
    )


def modes_table(report: BacktestReport) -> Table:
    """How often each set of thresholds says something, and what came of it."""
    return Table(
        "Modes: shares of all evaluations, and what came of the signals",
        ("mode", "LONG", "NEUTRAL", "SHORT", *RATES, *TOTALS),
        tuple(
            (
                one.mode.value,
                percent(one.long_frac),
                percent(1.0 - one.long_frac - one.short_frac),
                percent(one.short_frac),
                *rate_cells(one.stats),
                *total_cells(one.stats),
            )
            for one in report.modes
        ),
        why_unknown(one.stats for one in report.modes),
    )


def percentiles_table(report: BacktestReport) -> Table:
    """The score, 0 to 100."""
    return Table(
        "Percentiles of the score (50 is neutral)",
        ("percentile", *(str(at) for at, _ in report.percentiles)),
        (("score", *(unsigned(score, 1) for _, score in report.percentiles)),),
    )


def correlations_table(report: BacktestReport) -> Table:
    """Does a higher score go with a higher return?"""
    return Table(
        "Rank correlation of the score with what a LONG earned before costs",
        ("horizon", "rank correlation [95 %]", "n", "effective n", "in words"),
        tuple((horizon, *_correlation(found)) for horizon, found in report.correlations),
    )


def _correlation(found: Mean | None) -> Row:
    if found is None:
        return (UNKNOWN, "0", UNKNOWN, sign_of(found))
    return (mean_plain(found), count(found.n), effective(found.effective_n), sign_of(found))


def factors_table(report: BacktestReport) -> Table:
    """Each factor: how often it counted, whether it went with the return, and what it added."""
    told = [one.without for one in report.factors if one.verdict is not Verdict.NOT_RECORDED]
    return Table(
        f"Factors, {report.record.headline} after the signal",
        (
            "factor",
            "counted",
            "rank correlation [95 %]",
            "n",
            "effective n",
            "trades without it",
            "hit rate without it",
            "mean net without it, bp [95 %]",
            "what it added, bp [95 %]",
            "verdict",
        ),
        tuple(_factor(one) for one in report.factors),
        (
            *([] if len(told) == len(report.factors) else [_WHY_NOT_RECORDED]),
            *why_unknown(told),
            *why_no_difference(told),
        ),
    )


def _factor(one: FactorReport) -> Row:
    if one.verdict is Verdict.NOT_RECORDED:
        # Leaving out what never counted only shares its weight among the others.
        return (one.name.value, *[UNKNOWN] * 8, one.verdict.value)
    without = rate_cells(one.without)
    return (
        one.name.value,
        percent(one.counted_frac),
        *_correlation(one.correlation)[:3],
        without[0],
        without[1],
        without[5],
        mean_bp(one.without.engine_minus),
        one.verdict.value,
    )


def sensitivity_table(report: BacktestReport) -> Table:
    """The same engine under other weights."""
    stats = [one.stats for one in report.sensitivity]
    return Table(
        f"Other weights, {report.record.headline} after the signal",
        ("weights", "LONG", "SHORT", *RATES, TOTALS[0], *_DIFFERENCE),
        tuple(
            (
                one.name,
                percent(one.long_frac),
                percent(one.short_frac),
                *rate_cells(one.stats),
                signed_percent(one.stats.total_net_frac),
                mean_bp(one.stats.engine_minus),
                compare(one.stats.engine_minus, is_enough=report.record.enough_data).value,
            )
            for one in report.sensitivity
        ),
        (*why_unknown(stats), *why_no_difference(stats)),
    )


def folds_table(weights: WeightsReport) -> Table:
    """What each fold chose on its past, and what came of it."""
    return Table(
        f"Walk-forward: what each fold chose on its past, {weights.horizon} after the signal",
        (
            "fold",
            "chosen",
            "trades on the past",
            "trades",
            "net, of one stake",
            "trades of the default",
            "net of the default",
        ),
        tuple(
            (
                _span(fold),
                fold.chosen.name,
                count(fold.train_trades),
                count(fold.trades),
                signed_percent(fold.net_frac),
                count(fold.default_trades),
                signed_percent(fold.default_net_frac),
            )
            for fold in weights.folds
        ),
    )


def chosen_table(weights: WeightsReport) -> Table:
    """The weights that were chosen."""
    return Table(
        "Weights that each fold chose",
        ("fold", *(name.value for name in FACTOR_ORDER)),
        tuple(
            (_span(fold), *(unsigned(weight, 1) for weight in fold.chosen.weights)) for fold in weights.folds
        ),
    )


def _span(fold: ChosenFold) -> str:
    return f"{day(fold.from_ms)} to {day(fold.to_ms)}"
