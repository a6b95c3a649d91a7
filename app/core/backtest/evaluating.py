"""The engine over a whole history: evaluations at many moments, as they would have been answered live.

Every moment sees bars closed by then. Scores are `signal_engine.score_columns`, levels of confidence
`confidence_columns`; what zones over liquidations say lowers a level as it does live. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from app.core.backtest.confluence_columns import confluence_directions
from app.core.backtest.daily_trend import daily_trend
from app.core.backtest.price_path import PricePath, Settlements
from app.core.backtest.sweep import hourly_atr
from app.core.backtest.variants import positions
from app.core.confidence import confidence_columns
from app.core.domain.context import EnhancedSignalContext
from app.core.domain.engine_config import EngineConfig
from app.core.domain.market import HOUR_MS
from app.core.domain.quality import Missing
from app.core.domain.signal import Mode
from app.core.errors import InvariantViolation
from app.core.record.columns import FACTOR_ORDER, NEUTRAL, Codes, Evaluations, Flags, Floats, Ints
from app.core.record.regimes import CoinRegimes, volatility_codes
from app.core.signal_engine import ENGINE_VERSION, score_columns
from app.core.smc.bars import Bars, build_bars


@dataclass(frozen=True, slots=True)
class History:
    """What is known of one coin.

    context: its histories up to the end, hourly candles among them. path: the finest prices that trades can
    be followed on. settlements: None where funding that was really paid is not known.
    """

    base: str
    tier: int
    context: EnhancedSignalContext
    path: PricePath
    settlements: Settlements | None


@dataclass(frozen=True, slots=True)
class CoinData:
    """A coin's history. inputs: (what, where from) in words."""

    history: History
    inputs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Evaluations of one coin with what their trades need. atr_usd: ATR(1h) at each, NaN unknown."""

    evaluations: Evaluations
    atr_usd: Floats


def evaluate_history(history: History, config: EngineConfig, at_ms: Ints) -> Evaluated:
    """Evaluate at these moments (ascending). Moments without a closed candle of the last hour are left out:
    live they would have had no price.

    Raises:
        InvariantViolation: the history has no hourly candles.
    """
    bars = hourly_bars(history.context)
    row = np.searchsorted(bars.close_ms, at_ms, side="right") - 1
    has_price = (row >= 0) & (at_ms - bars.close_ms[np.maximum(row, 0)] < HOUR_MS)
    at_ms, row = at_ms[has_price], row[has_price]
    columns = score_columns(history.context, config, at_ms)
    by_name = {column.name: column for column in columns.factors}
    v = np.stack([by_name[name].v for name in FACTOR_ORDER], axis=1)
    ok = np.stack([by_name[name].ok for name in FACTOR_ORDER], axis=1)
    pair = config.thresholds[Mode.BALANCED]
    direction = positions(columns.score, columns.coverage, pair, config.least_coverage_frac)
    weights = np.array([config.weights[name] for name in FACTOR_ORDER])
    _, level = confidence_columns(
        weights, v, columns.score, columns.coverage, min_coverage_frac=config.least_coverage_frac
    )
    against = _contradicted(history, bars, row, direction)
    regimes = _regimes(bars)
    evaluations = Evaluations(
        symbols=(history.base,),
        versions=(ENGINE_VERSION,),
        at_ms=at_ms,
        coin=np.zeros(at_ms.size, dtype=np.int64),
        tier=np.full(at_ms.size, history.tier, dtype=np.int8),
        score=columns.score,
        coverage=columns.coverage,
        direction=direction,
        level=np.where(against, np.maximum(level - 1, 0), level).astype(np.int8),
        v=np.where(ok, v, np.nan),
        volatility=regimes.volatility_at(at_ms),
        trend=regimes.trend_at(at_ms),
    )
    return Evaluated(evaluations, hourly_atr(bars)[row])


def _regimes(bars: Bars) -> CoinRegimes:
    prices = (bars.open, bars.high, bars.low, bars.close)
    until_ms = int(bars.close_ms[-1]) if len(bars) else 0
    days, trend = daily_trend(bars.close_ms, *prices, until_ms=until_ms)
    return CoinRegimes(bars.close_ms, volatility_codes(bars.close_ms, bars.close), days, trend)


def _contradicted(history: History, bars: Bars, row: Ints, direction: Codes) -> Flags:
    """Where zones point the other way, as of the last close. Only what has a direction can be contradicted,
    and zones change once an hour: each hour is asked for once."""
    against = np.zeros(row.size, dtype=np.bool_)
    asked = np.flatnonzero(direction != NEUTRAL)
    if asked.size:
        hours, place = np.unique(row[asked], return_inverse=True)
        said = confluence_of(history, bars.close_ms[hours], bars.close[hours])
        against[asked] = said[place] == -direction[asked]
    return against


def confluence_of(history: History, at_ms: Ints, price_usd: Floats) -> Codes:
    """Direction of the confluence at moments of a coin; NEUTRAL throughout where it has no open interest."""
    candles, interest = history.context.candles, history.context.open_interest_base
    if isinstance(interest, Missing):
        interest = history.context.open_interest_usd
    if isinstance(candles, Missing) or isinstance(interest, Missing):
        return np.full(at_ms.size, NEUTRAL, dtype=np.int8)
    return confluence_directions(history.base, candles.value, interest.value, at_ms, price_usd)


def hourly_bars(context: EnhancedSignalContext) -> Bars:
    """The candles of a context as bars.

    Raises:
        InvariantViolation: there are none, or they are not hourly.
    """
    if isinstance(context.candles, Missing) or context.candles.value.interval_ms != HOUR_MS:
        raise InvariantViolation(f"no hourly candles of {context.symbol.base}")
    return build_bars(context.candles.value, context.as_of_ms)


def join(parts: Sequence[Evaluations]) -> tuple[Evaluations, Ints]:
    """Several coins as one list in order of (time, coin), and where each row of the parts, one after the
    other, went to: `joined.column == concatenated.column[order]`."""
    symbols = tuple(symbol for part in parts for symbol in part.symbols)
    coin = np.concatenate([part.coin + index for index, part in enumerate(parts)])
    at_ms = np.concatenate([part.at_ms for part in parts])
    order = np.lexsort((coin, at_ms))
    columns = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts])[order]
        for field in fields(Evaluations)
        if field.name not in ("symbols", "versions", "coin", "at_ms")
    }
    versions = tuple(sorted({version for part in parts for version in part.versions}))
    return Evaluations(symbols, versions, at_ms=at_ms[order], coin=coin[order], **columns), order
