"""Liquidations: who was forced out over 24 h, relative to open interest. Flushed longs are read as bullish.

x = (L - S) / OI with L, S the USD of long and short positions liquidated in the 24 h that end at each bar
and OI the USD open interest at the same moment. Capitulation: positive x scores above neutral.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from app.core.domain.context import Capability, EnhancedSignalContext
from app.core.domain.engine_config import AbsoluteScales, EngineConfig
from app.core.domain.formatting import format_small_signed_percent, format_usd_compact
from app.core.domain.market import DAY_MS, HOUR_MS, LiquidationHistory
from app.core.domain.quality import Missing, MissingReason
from app.core.domain.signal import FactorName
from app.core.factors.base import (
    Evidence,
    Factor,
    Input,
    build_evidence,
    clip_unit,
    index_at,
    known_columns,
    missing_input,
    take,
)
from app.core.factors.ranking import Floats, Int64s, Ranking

# A day with up to four missing hours still tells who was flushed; with fewer the sum is not a day's sum.
MIN_HOURS = 20


def day_sums(close_ms: Int64s, interval_ms: int, *columns: Floats) -> tuple[Floats, ...]:
    """Sums over the 24 h ending at each bar, NaN unless at least 20 of those hours are present; by time.

    Worked number: 24 hourly bars of 1, 2, ... 24 -> 300 at the last one.
    """
    ends = np.arange(1, close_ms.size + 1)
    starts = np.searchsorted(close_ms, close_ms - DAY_MS, side="right")
    enough = (ends - starts) * interval_ms >= MIN_HOURS * HOUR_MS
    totals = (np.concatenate(([0.0], np.cumsum(column))) for column in columns)
    return tuple(np.where(enough, total[ends] - total[starts], np.nan) for total in totals)


def evidence(context: EnhancedSignalContext, config: EngineConfig) -> Evidence | Missing:
    """x per liquidation bar; needs open interest in USD no more than two of its intervals earlier."""
    if isinstance(context.liquidations, Missing):
        return missing_input(Capability.LIQUIDATIONS, context.liquidations)
    if isinstance(context.open_interest_usd, Missing):
        return missing_input(Capability.OPEN_INTEREST_USD, context.open_interest_usd)
    if context.liquidations.provider != context.open_interest_usd.provider:
        return Missing(
            MissingReason.NO_DATA,
            f"liquidations come from {context.liquidations.provider} but open interest from "
            f"{context.open_interest_usd.provider}: not the same market, so there is no ratio",
        )
    history: LiquidationHistory = context.liquidations.value
    interest = context.open_interest_usd.value
    close_ms, sides = known_columns(history, context.as_of_ms, history.long_usd, history.short_usd)
    long_usd, short_usd = day_sums(close_ms, history.interval_ms, *sides)
    oi_close_ms, (oi_values,) = known_columns(interest, context.as_of_ms, interest.values)
    at = index_at(oi_close_ms, close_ms, tolerance_ms=2 * interest.interval_ms)
    oi_usd = take(oi_values, at)
    used_oi_ms = np.where(at >= 0, oi_close_ms[at], 0) if oi_close_ms.size else np.zeros_like(close_ms)
    limit = config.max_age.limit_ms
    return build_evidence(
        context.liquidations.provider,
        close_ms,
        (long_usd - short_usd) / oi_usd,
        (
            Input(Capability.LIQUIDATIONS, close_ms, limit(Capability.LIQUIDATIONS, history.interval_ms)),
            Input(
                Capability.OPEN_INTEREST_USD,
                used_oi_ms,
                limit(Capability.OPEN_INTEREST_USD, interest.interval_ms),
            ),
        ),
        {"long_24h_usd": long_usd, "short_24h_usd": short_usd, "open_interest_usd": oi_usd},
        need=f"{MIN_HOURS} of the last 24 h of liquidations and open interest at the same time",
    )


def absolute(x: Floats, scales: AbsoluteScales) -> Floats:
    """clip(x / 0.002). Worked number: 0.001 of open interest net long -> v 0.5."""
    return clip_unit(x / scales.liquidations_frac)


def words(x: float, sign: int, parts: Mapping[str, float]) -> tuple[str, str]:
    fact = (
        f"{format_usd_compact(parts['long_24h_usd'])} of longs and "
        f"{format_usd_compact(parts['short_24h_usd'])} of shorts liquidated in 24 h "
        f"({format_small_signed_percent(x)} of open interest net)"
    )
    return fact, {1: "longs were flushed", 0: "balanced", -1: "shorts were squeezed"}[sign]


LIQUIDATIONS = Factor(
    name=FactorName.LIQUIDATIONS,
    unit="fraction of open interest",
    ranking=Ranking(signed=True),
    evidence=evidence,
    absolute=absolute,
    words=words,
)
