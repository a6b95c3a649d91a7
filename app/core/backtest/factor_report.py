"""Did each factor help? Its rank correlation with what came, and the engine without it. Pure."""

from __future__ import annotations

import numpy as np

from app.core.backtest.report import FactorReport, Verdict
from app.core.backtest.variants import position_of, without
from app.core.calibration.blocks import FEW_BLOCKS, Drawn, draw_means, interval_of
from app.core.domain.engine_config import EngineConfig
from app.core.domain.signal import FactorName
from app.core.domain.track_record import ENOUGH_EFFECTIVE_N, Mean, TradeStats
from app.core.record.columns import FACTOR_ORDER, SCORED, Evaluations, Floats, HorizonOutcomes, Ints
from app.core.record.trades import Rule, block_length_ms, score_rules

# Fewer pairs than this correlate by chance.
_MIN_PAIRS = 100
# Of eight factors some would be said to have helped by luck one time in three: all of their intervals
# together miss in 5 %.
_TESTS = len(FACTOR_ORDER)


def report_factors(
    evaluations: Evaluations, outcomes: HorizonOutcomes, config: EngineConfig
) -> tuple[FactorReport, ...]:
    """One report per factor, in the order of the published table."""
    rules = [
        Rule(variant.name, position_of(variant, evaluations, config))
        for variant in (without(config, name) for name in FACTOR_ORDER)
    ]
    stats = score_rules(rules, evaluations, outcomes, engine=evaluations.direction)
    return tuple(
        _report(name, evaluations.v[:, index], stats[index], evaluations, outcomes)
        for index, name in enumerate(FACTOR_ORDER)
    )


def rank_correlation(values: Floats, evaluations: Evaluations, outcomes: HorizonOutcomes) -> Mean | None:
    """Spearman's correlation of `values` (NaN: not counted) with what a LONG earned before costs.

    Interval from whole blocks of time; None with fewer than 100 pairs or 20 blocks, or without any spread.
    Worked number: values in the very order of the returns -> 1.
    """
    drawn = _drawn_correlation(values, evaluations, outcomes)
    return None if drawn is None else drawn.to_mean()


def _drawn_correlation(values: Floats, evaluations: Evaluations, outcomes: HorizonOutcomes) -> Drawn | None:
    known = np.isfinite(values) & (outcomes.long.state == SCORED)
    if int(known.sum()) < _MIN_PAIRS:
        return None
    gross = outcomes.long.net_frac[known] + outcomes.long.cost_frac[known]
    first, second = _standard_ranks(values[known]), _standard_ranks(gross)
    if first is None or second is None:
        return None
    at_ms: Ints = evaluations.at_ms[known]
    (drawn,) = draw_means([(first * second, np.ones(first.size))], at_ms, block_length_ms(outcomes))
    return drawn if drawn is not None and drawn.blocks >= FEW_BLOCKS else None


def _standard_ranks(values: Floats) -> Floats | None:
    """Ranks (ties share their mean) with mean 0 and spread 1; None where all are equal."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = (ends - (counts - 1) / 2.0)[place]
    spread = float(ranks.std())
    return (ranks - ranks.mean()) / spread if spread > 0 else None


def _report(
    name: FactorName,
    v: Floats,
    stats: TradeStats,
    evaluations: Evaluations,
    outcomes: HorizonOutcomes,
) -> FactorReport:
    counted = float(np.isfinite(v).mean()) if v.size else 0.0
    drawn = _drawn_correlation(v, evaluations, outcomes)
    correlation = None if drawn is None else drawn.to_mean()
    verdict = _verdict(counted, drawn)
    return FactorReport(
        name, counted, correlation, stats, verdict, _sentence(name, verdict, correlation, stats, outcomes)
    )


def _verdict(counted_frac: float, drawn: Drawn | None) -> Verdict:
    """Sure only of 400 independent pairs, and of an interval that allows for eight looks."""
    if counted_frac == 0.0:
        return Verdict.NOT_RECORDED
    if drawn is None or drawn.effective_n < ENOUGH_EFFECTIVE_N:
        return Verdict.CANNOT_TELL
    low, high = interval_of(drawn.mean, drawn.draws, drawn.blocks, tests=_TESTS)
    if low <= 0.0 <= high:
        return Verdict.CANNOT_TELL
    return Verdict.HELPED if drawn.mean > 0 else Verdict.HURT


def _sentence(
    name: FactorName,
    verdict: Verdict,
    correlation: Mean | None,
    stats: TradeStats,
    outcomes: HorizonOutcomes,
) -> str:
    shown = name.value.replace("_", " ")
    if verdict is Verdict.NOT_RECORDED:
        return f"{shown}: not recorded here, so nothing can be said."
    if correlation is None:
        return f"{shown}: it counted too seldom to tell whether it helped."
    went = (
        f"rank correlation with the next {outcomes.horizon} {correlation.mean:+.3f} "
        f"(95 % {correlation.low:+.3f} to {correlation.high:+.3f})"
    )
    ended = {
        Verdict.HELPED: "it helped",
        Verdict.HURT: "it hurt",
        Verdict.CANNOT_TELL: "whether it helped cannot be told",
    }[verdict]
    return f"{shown}: {went}; {_added(stats)}: {ended}."


def _added(stats: TradeStats) -> str:
    """What leaving it out does to a trade, in basis points."""
    change = stats.engine_minus
    if change is None:
        return "without it there are too few trades to compare"
    words = "more" if change.mean >= 0 else "less"
    sure = "" if not change.holds_zero else ", within chance"
    return f"with it a trade earned {abs(change.mean) * 1e4:.1f} bp {words} than without{sure}"
