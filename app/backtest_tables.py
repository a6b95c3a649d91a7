"""Tables of a record, as text in cells: what HTML and Markdown both show of rules, horizons and chances.

Owns which figures stand side by side and under which heading; how a number reads is `backtest_figures`. What
only a backtest can tell is in `backtest_study_tables`. A part of `backtest`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.backtest_figures import (
    UNKNOWN,
    count,
    effective,
    hit_rate,
    mean_bp,
    mean_plain,
    percent,
    share_interval,
    signed,
    signed_percent,
    unsigned,
)
from app.backtest_words import compare, why_no_difference, why_unknown
from app.core.backtest.report import BacktestReport
from app.core.domain.track_record import (
    Calibrated,
    Group,
    HorizonRecord,
    TrackRecord,
    TradeStats,
)

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """rows: as many cells as `head`, the first one names the row. notes: what has to be said under it."""

    caption: str
    head: Row
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


RATES = ("n scored", "hit rate", "95 % interval", "effective n", "break-even", "mean net, bp [95 %]")
BOTH = "both in one bar"
# In percent of one stake, one stake a trade.
TOTALS = ("total net", "largest fall")
# Values of the groups that say little by themselves.
_VALUES = {
    ("trend", "none"): "no trend",
    ("trend", "up"): "trend up",
    ("trend", "down"): "trend down",
    ("trend", "unknown"): "trend unknown",
}


def rate_cells(stats: TradeStats) -> Row:
    """n beside every rate; the interval is the one for the effective n."""
    return (
        count(stats.scored),
        hit_rate(stats),
        share_interval(stats.hit_rate_apart),
        effective(stats.effective_n),
        percent(stats.break_even),
        mean_bp(stats.mean_net),
    )


def total_cells(stats: TradeStats) -> Row:
    """Total and drawdown."""
    return (signed_percent(stats.total_net_frac), percent(stats.max_drawdown_frac))


def rules_table(found: HorizonRecord, *, is_enough: bool) -> Table:
    """The engine and every rule beside it. is_enough: the record has enough data to call one better."""
    rows = [(found.engine.name, *rate_cells(found.engine), *total_cells(found.engine), "", "")]
    for rule in found.baselines:
        difference = (mean_bp(rule.engine_minus), compare(rule.engine_minus, is_enough=is_enough).value)
        rows.append((rule.name, *rate_cells(rule), *total_cells(rule), *difference))
    return Table(
        f"The engine and the rules beside it, {found.horizon} after the signal",
        ("rule", *RATES, *TOTALS, "engine less it, bp [95 %]", "engine is"),
        tuple(rows),
        (*why_unknown([found.engine, *found.baselines]), *why_no_difference(found.baselines)),
    )


def horizons_table(report: BacktestReport) -> Table:
    """The engine at every horizon, with what could not be scored or was decided by one bar."""
    engines = [one.engine for one in report.record.horizons]
    ambiguous = {one.horizon: one.engine_frac for one in report.ambiguous}
    return Table(
        "The engine at every horizon",
        ("horizon", "signals", "open", "unscorable", BOTH, *RATES, *TOTALS),
        tuple(
            (
                one.horizon,
                count(one.engine.emitted),
                count(one.engine.open),
                count(one.engine.unscorable),
                percent(ambiguous.get(one.horizon)),
                *rate_cells(one.engine),
                *total_cells(one.engine),
            )
            for one in report.record.horizons
        ),
        (
            f'"{BOTH}": share of scored trades that a bar holding target and stop decided, counted as lost.',
            *why_unknown(engines),
        ),
    )


def groups_table(found: HorizonRecord) -> Table:
    """The engine's trades by one trait after the other."""
    return Table(
        f"The engine's trades by trait, {found.horizon} after the signal",
        ("trades", *RATES, *TOTALS),
        tuple((group_words(one), *rate_cells(one.stats), *total_cells(one.stats)) for one in found.groups),
        why_unknown(one.stats for one in found.groups),
    )


def group_words(group: Group) -> str:
    """`side LONG`, `volatility high`, `no trend`."""
    return _VALUES.get((group.trait, group.stats.name), f"{group.trait} {group.stats.name}")


def bins_table(fit: Calibrated, horizon: str) -> Table:
    """What was said and what came true."""
    return Table(
        f"Probabilities said and what came true, {horizon} after the signal",
        ("probability", "n", "mean probability", "came true"),
        tuple(
            (
                f"{unsigned(one.low * 100, 0)} to {unsigned(one.high * 100, 0)} %",
                count(one.n),
                percent(one.mean_probability),
                percent(one.hit_rate),
            )
            for one in fit.bins
        ),
        ('"-": no probability fell into that bin.',) if any(one.n == 0 for one in fit.bins) else (),
    )


def fits_table(record: TrackRecord) -> Table:
    """The fit of score -> probability at every horizon, judged on later data."""
    return Table(
        "Chances fitted to the score, judged on later data than they were fitted on",
        (
            "horizon",
            "n judged",
            "fitted on",
            "method",
            "Brier",
            "base rate's Brier",
            "skill",
            "gain over the base rate [95 %]",
            "log loss",
            "base rate's log loss",
            "reliability",
            "resolution",
            "uncertainty",
            "shown",
        ),
        tuple((one.horizon, *_fit_cells(one.calibrated)) for one in record.horizons),
    )


def _fit_cells(fit: Calibrated | None) -> Row:
    if fit is None:
        return ("0", *[UNKNOWN] * 11, "no")
    return (
        count(fit.n),
        count(fit.fitted_n),
        fit.method,
        unsigned(fit.brier, 4),
        unsigned(fit.base_brier, 4),
        signed(fit.skill, 4),
        mean_plain(fit.gain, 4),
        unsigned(fit.log_loss, 4),
        unsigned(fit.base_log_loss, 4),
        unsigned(fit.reliability, 4),
        unsigned(fit.resolution, 4),
        unsigned(fit.uncertainty, 4),
        "yes" if fit.is_shown else "no",
    )


def costs_table(engine: TradeStats | None, dearer: TradeStats, horizon: str) -> Table:
    """The same trades at the stated costs and at twice that."""
    rows = [] if engine is None else [("as stated", engine)]
    rows.append(("doubled", dearer))
    return Table(
        f"The engine's trades at other costs, {horizon} after the signal",
        ("costs", *RATES, *TOTALS),
        tuple((name, *rate_cells(stats), *total_cells(stats)) for name, stats in rows),
        why_unknown(stats for _, stats in rows),
    )


def only(table: Table, columns: Iterable[str]) -> Table:
    """The same table with fewer columns, in the order of `columns`."""
    kept = [table.head.index(name) for name in columns]
    return Table(
        table.caption,
        tuple(table.head[k] for k in kept),
        tuple(tuple(row[k] for k in kept) for row in table.rows),
        table.notes,
    )
