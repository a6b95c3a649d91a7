"""A backtest: the live engine over recorded history, its trades, and everything a record owes its reader.

Nothing here decides what the engine says (`evaluating`) or how trades end (`price_path`). Deterministic:
equal histories give equal reports. Pure; called by `python -m app.backtest`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from app.core.backtest.doubts import count_ambiguous, count_funding_unknown
from app.core.backtest.engine_record import engine_record
from app.core.backtest.evaluating import CoinData, evaluate_history, hourly_bars, join
from app.core.backtest.factor_report import rank_correlation, report_factors
from app.core.backtest.odd_bars import OddBars, find_odd_bars
from app.core.backtest.price_path import trade_both_sides
from app.core.backtest.report import BacktestReport, CoinReport, Curve, ModeReport, VariantReport
from app.core.backtest.variants import position_of, positions, sensitivity
from app.core.domain.engine_config import EngineConfig
from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.domain.outcomes import HORIZONS_MS, RECORD_HORIZON
from app.core.domain.signal import Mode
from app.core.errors import InvariantViolation
from app.core.record.baselines import baselines
from app.core.record.columns import (
    FACTOR_ORDER,
    LONG,
    SHORT,
    Codes,
    Evaluations,
    HorizonOutcomes,
    Ints,
    SideOutcomes,
)
from app.core.record.trades import Rule, running_total, score_rules, score_trades, take
from app.core.signal_engine import ENGINE_VERSION

_PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
_MAX_POINTS = 400
_DEARER = 2.0
_HEADLINE = {RECORD_HORIZON: HORIZONS_MS[RECORD_HORIZON]}
_MINUTE_MS = 60_000
OnProgress = Callable[[str, float], None]


class Run(NamedTuple):
    """Everything evaluated and followed, coins mixed in order of time.

    coins: sorted by name, as `evaluations.coin` counts them. asked: moments asked for, of all coins together.
    dearer: at the headline horizon, with every cost doubled.
    """

    coins: tuple[CoinData, ...]
    asked: int
    evaluations: Evaluations
    outcomes: tuple[HorizonOutcomes, ...]
    dearer: tuple[HorizonOutcomes, ...]

    @property
    def headline(self) -> HorizonOutcomes:
        """The horizon that stands for the record."""
        return at_headline(self.outcomes)


def run_engine(
    coins: Sequence[CoinData],
    config: EngineConfig,
    at_ms: Ints,
    on_progress: OnProgress,
) -> Run:
    """Evaluate every coin at every moment and follow both sides of each.

    The order in which coins are given changes nothing: they are taken by name.

    Raises:
        InvariantViolation: no coins, a coin without hourly candles, or no moment that can be evaluated.
    """
    coins = tuple(sorted(coins, key=lambda coin: coin.history.base))
    parts: list[Evaluations] = []
    plain: list[tuple[HorizonOutcomes, ...]] = []
    dearer: list[tuple[HorizonOutcomes, ...]] = []
    for index, coin in enumerate(coins):
        on_progress(f"{coin.history.base}: evaluating", index / len(coins))
        found = evaluate_history(coin.history, config, at_ms)
        parts.append(found.evaluations)
        on_progress(f"{coin.history.base}: following trades", (index + 0.7) / len(coins))
        for factor, horizons_ms, kept in ((1.0, HORIZONS_MS, plain), (_DEARER, _HEADLINE, dearer)):
            kept.append(
                trade_both_sides(
                    coin.history.path,
                    found.evaluations.at_ms,
                    found.atr_usd,
                    tier=coin.history.tier,
                    settlements=coin.history.settlements,
                    cost_factor=factor,
                    horizons_ms=horizons_ms,
                )
            )
    if not sum(map(len, parts)):
        raise InvariantViolation("no moment of this period can be evaluated: no hourly candle closed in it")
    evaluations, order = join(parts)
    asked = at_ms.size * len(coins)
    return Run(coins, asked, evaluations, _joined(plain, order), _joined(dearer, order))


def write_report(
    run: Run, config: EngineConfig, *, step_ms: int, source: str, data_mode: str
) -> BacktestReport:
    """Everything that the run shows. step_ms: between two moments asked for; source: the data in words."""
    evaluations, headline = run.evaluations, run.headline
    record = engine_record(evaluations, run.outcomes, config, symbol=None)
    return BacktestReport(
        source=source,
        data_mode=data_mode,
        from_ms=int(evaluations.at_ms[0]),
        to_ms=int(evaluations.at_ms[-1]),
        step_ms=step_ms,
        asked=run.asked,
        engine_version=ENGINE_VERSION,
        weights=tuple((name, config.weights[name]) for name in FACTOR_ORDER),
        record=record,
        coins=tuple(_coin(run, index, coin, config) for index, coin in enumerate(run.coins)),
        percentiles=tuple(
            zip(_PERCENTILES, np.percentile(evaluations.score, _PERCENTILES).tolist(), strict=True)
        ),
        modes=tuple(_mode(mode, evaluations, headline, config) for mode in Mode),
        correlations=tuple(
            (one.horizon, rank_correlation(evaluations.score, evaluations, one)) for one in run.outcomes
        ),
        factors=report_factors(evaluations, headline, config),
        sensitivity=_sensitivity(evaluations, headline, config),
        dearer=score_trades("costs doubled", evaluations.direction, evaluations, at_headline(run.dearer)),
        ambiguous=tuple(count_ambiguous(one, evaluations.direction) for one in run.outcomes),
        funding_unknown=count_funding_unknown(
            [coin.history.settlements for coin in run.coins], evaluations, headline
        ),
        curves=_curves(evaluations, headline, config),
    )


def _coin(run: Run, index: int, coin: CoinData, config: EngineConfig) -> CoinReport:
    mine = run.evaluations.coin == index
    rows = run.evaluations.where(mine)
    outcomes = [one.where(mine) for one in run.outcomes]
    record = engine_record(rows, outcomes, config, symbol=coin.history.base)
    covered = _mean(rows.coverage >= config.least_coverage_frac)
    return CoinReport(
        coin.history.base,
        coin.inputs,
        coin.history.path.interval_ms,
        _odd_bars(coin, config, int(run.evaluations.at_ms[0])),
        len(rows),
        covered,
        record,
    )


def _odd_bars(coin: CoinData, config: EngineConfig, from_ms: int) -> tuple[OddBars, ...]:
    """Of the candles that answers were made of (factors are ranked in a past of their own), and of the prices
    that trades were followed on."""
    bars, path = hourly_bars(coin.history.context), coin.history.path
    candles = find_odd_bars(
        "hourly candles",
        HOUR_MS,
        bars.close_ms,
        bars.high,
        bars.low,
        bars.close,
        from_ms=from_ms - int(config.history_days * DAY_MS),
    )
    if path.interval_ms == HOUR_MS:
        return (candles,)  # the path is those candles
    words = f"price path of {path.interval_ms // _MINUTE_MS} min"
    return (
        candles,
        find_odd_bars(words, path.interval_ms, path.end_ms, path.high, path.low, path.close, from_ms=from_ms),
    )


def _joined(parts: Sequence[tuple[HorizonOutcomes, ...]], order: Ints) -> tuple[HorizonOutcomes, ...]:
    return tuple(
        HorizonOutcomes(
            same[0].horizon,
            same[0].length_ms,
            _one_side([one.long for one in same], order),
            _one_side([one.short for one in same], order),
        )
        for same in zip(*parts, strict=True)
    )


def _one_side(parts: Sequence[SideOutcomes], order: Ints) -> SideOutcomes:
    names = ("state", "win", "net_frac", "cost_frac", "barrier_frac", "end_ms")
    return SideOutcomes(*(np.concatenate([getattr(one, name) for one in parts])[order] for name in names))


def at_headline(outcomes: Sequence[HorizonOutcomes]) -> HorizonOutcomes:
    """The outcomes at `RECORD_HORIZON`."""
    return next(one for one in outcomes if one.horizon == RECORD_HORIZON)


def _mode(
    mode: Mode, evaluations: Evaluations, outcomes: HorizonOutcomes, config: EngineConfig
) -> ModeReport:
    position = positions(
        evaluations.score, evaluations.coverage, config.thresholds[mode], config.least_coverage_frac
    )
    stats = score_trades(mode.value, position, evaluations, outcomes)
    return ModeReport(mode, _mean(position == LONG), _mean(position == SHORT), stats)


def _sensitivity(
    evaluations: Evaluations, outcomes: HorizonOutcomes, config: EngineConfig
) -> tuple[VariantReport, ...]:
    rules = [Rule(one.name, position_of(one, evaluations, config)) for one in sensitivity(config)]
    found = score_rules(rules, evaluations, outcomes, engine=evaluations.direction)
    return tuple(
        VariantReport(rule.name, _mean(rule.position == LONG), _mean(rule.position == SHORT), stats)
        for rule, stats in zip(rules, found, strict=True)
    )


def _curves(evaluations: Evaluations, outcomes: HorizonOutcomes, config: EngineConfig) -> tuple[Curve, ...]:
    rules = [Rule("engine", evaluations.direction)]
    covered = evaluations.coverage >= config.least_coverage_frac
    rules += baselines(evaluations, config.thresholds[Mode.BALANCED], covered)
    return tuple(_curve(rule.name, rule.position, outcomes) for rule in rules)


def _curve(name: str, position: Codes, outcomes: HorizonOutcomes) -> Curve:
    moments, total = running_total(take(position, outcomes))
    if not moments.size:
        return Curve(name, ())
    kept = np.unique(np.linspace(0, moments.size - 1, min(_MAX_POINTS, moments.size)).astype(np.int64))
    return Curve(name, tuple(zip(moments[kept].tolist(), total[kept].tolist(), strict=True)))


def _mean(flags: np.ndarray) -> float:
    return float(flags.mean()) if flags.size else 0.0
