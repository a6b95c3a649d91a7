"""The signal engine: eight factor scores -> composite, direction, confidence and reasons. Pure.

`evaluate` answers for one moment; `score_columns` gives the same numbers for every moment of a history (the
live value is its last column, tested equal). Called by the signal service; the backtest is to come.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, replace

import numpy as np

from app.core.confidence import compute_confidence, lowered
from app.core.domain.context import Capability, EnhancedSignalContext
from app.core.domain.engine_config import EngineConfig, Thresholds
from app.core.domain.formatting import format_age, toward_neutral
from app.core.domain.market import Price, Series
from app.core.domain.quality import Missing, Reading
from app.core.domain.signal import (
    Confidence,
    ConfidenceLevel,
    Confluence,
    Direction,
    FactorScore,
    FactorStatus,
    Figure,
    Mode,
    Signal,
)
from app.core.errors import NoPriceAvailable
from app.core.factors.ranking import Floats, Int64s
from app.core.factors.registry import FACTORS
from app.core.factors.scoring import FactorColumn, factor_column, score_factor

# Stored with every signal; raise it with any change that can change a score.
ENGINE_VERSION = "1.1.0"
MAX_REASONS = 3


def evaluate(
    context: EnhancedSignalContext,
    config: EngineConfig,
    mode: Mode,
    confluence: Confluence | None = None,
    no_confluence: str = "not computed",
) -> Signal:
    """Score one context. confluence: what zones over liquidations say; it never moves the score.

    Raises:
        NoPriceAvailable: no provider has a price, or the newest is past all use; carries who failed and why.
    """
    price = _usable_price(context, config)
    price_stale = price.age_s(context.as_of_ms) > config.max_age.price_s
    factors = tuple(score_factor(factor, context, config) for factor in FACTORS)
    score = composite(factors)
    confidence = compute_confidence(factors, score, min_coverage_frac=config.min_coverage_frac)
    if price_stale:
        confidence = replace(confidence, level=ConfidenceLevel.LOW)
    overruled = _overruling_notes(price, price_stale, context.as_of_ms, factors, confidence, config)
    direction = Direction.NEUTRAL if overruled else direction_of(score, config.thresholds[mode])
    if _is_against(confluence, direction):
        confidence = replace(confidence, level=lowered(confidence.level))
    strongest = _strongest(factors)
    why = "; ".join(overruled) or _why(direction, factors, strongest)
    return Signal(
        symbol=context.symbol,
        as_of_ms=context.as_of_ms,
        data_mode=context.data_mode,
        mode=mode,
        direction=direction,
        score=score,
        confidence=confidence,
        coverage=confidence.coverage,
        price=price,
        price_stale=price_stale,
        funding_8h_frac=_newest(context.funding, context.as_of_ms),
        open_interest_usd=_fresh_open_interest(context, config),
        social_score=_newest(context.social, context.as_of_ms),
        factors=factors,
        reasons=tuple(factor.sentence for factor in strongest),
        reason=_one_line(direction, score, confidence.coverage, why) + _beside(confluence, direction),
        missing=tuple((factor.name.value, factor.detail) for factor in _uncounted(factors)),
        engine_version=ENGINE_VERSION,
        confluence=confluence,
        no_confluence="" if confluence is not None else no_confluence,
    )


def _is_against(confluence: Confluence | None, direction: Direction) -> bool:
    """Does it point the other way? A NEUTRAL signal has no other way."""
    return (
        confluence is not None
        and direction is not Direction.NEUTRAL
        and confluence.direction is not direction
    )


def _beside(confluence: Confluence | None, direction: Direction) -> str:
    """Named in the line of a LONG or SHORT, whichever way it points."""
    if confluence is None or direction is Direction.NEUTRAL:
        return ""
    if _is_against(confluence, direction):
        return f"; confluence against it, confidence one level lower: {confluence.sentence}"
    return f"; confluence agrees: {confluence.sentence}"


def _one_line(direction: Direction, score: float, coverage: float, why: str) -> str:
    """What must survive being cut stands first. 64.96 reads 64.9: a text never crosses its threshold."""
    shown = toward_neutral(score, 1)
    return f"{direction.value} {shown:.1f}, coverage {coverage * 100:.0f} %: {why}"


def composite(factors: tuple[FactorScore, ...]) -> float:
    """sum(w s) / 100 within 0..100; a missing factor counts 50 at its full weight, never re-normalised."""
    return min(100.0, max(0.0, math.fsum(factor.weight * factor.score for factor in factors) / 100.0))


def direction_of(score: float, thresholds: Thresholds) -> Direction:
    """LONG at `thresholds.long` and above, SHORT at `thresholds.short` and below."""
    if score >= thresholds.long:
        return Direction.LONG
    return Direction.SHORT if score <= thresholds.short else Direction.NEUTRAL


def _usable_price(context: EnhancedSignalContext, config: EngineConfig) -> Reading[Price]:
    """No price, no signal: neither an absent one nor one past all use."""
    price = context.price
    if isinstance(price, Missing):
        tried = tuple(
            f"{item.provider} {item.endpoint}: {item.detail or item.outcome}" for item in price.attempts
        )
        raise NoPriceAvailable(context.symbol.base, tried or (f"{price.reason.value}: {price.detail}",))
    age_s = price.age_s(context.as_of_ms)
    if age_s > config.max_age.price_unusable_s:
        raise NoPriceAvailable(
            context.symbol.base, (f"{price.provider} {price.endpoint}: stale, {format_age(age_s)} old",)
        )
    return price


def _uncounted(factors: tuple[FactorScore, ...]) -> list[FactorScore]:
    return [factor for factor in factors if factor.status is not FactorStatus.OK]


def _overruling_notes(
    price: Reading[Price],
    price_stale: bool,
    as_of_ms: int,
    factors: tuple[FactorScore, ...],
    confidence: Confidence,
    config: EngineConfig,
) -> list[str]:
    """What forces NEUTRAL whatever the score: an old price, or too little fresh data to judge by."""
    notes = []
    if price_stale:
        age, allowed = format_age(price.age_s(as_of_ms)), format_age(config.max_age.price_s)
        notes.append(f"price is {age} old, allowed {allowed}")
    if confidence.coverage < config.min_coverage_frac:
        names = ", ".join(factor.name.value for factor in _uncounted(factors))
        notes.append(f"under {config.min_coverage_frac * 100:.0f} % coverage, missing {names}")
    return notes


def _strongest(factors: tuple[FactorScore, ...]) -> tuple[FactorScore, ...]:
    """Up to three fresh factors that lean, largest w |v| first; ties keep the order of the table."""
    leaning = [factor for factor in factors if factor.status is FactorStatus.OK and factor.v != 0.0]
    return tuple(sorted(leaning, key=lambda factor: -factor.weight * abs(factor.v))[:MAX_REASONS])


def _why(direction: Direction, factors: tuple[FactorScore, ...], strongest: tuple[FactorScore, ...]) -> str:
    """The strongest reason; where it points the other way, the strongest that agrees comes before it."""
    if not strongest:
        return "no factor leans either way"
    first = strongest[0]
    if direction is Direction.NEUTRAL:
        return f"no threshold reached, strongest reason: {first.sentence}"
    wanted = 1.0 if direction is Direction.LONG else -1.0
    if first.v * wanted > 0:
        return first.sentence
    agreeing = max(factors, key=lambda factor: factor.weight * factor.v * wanted)
    return f"{agreeing.sentence}; against it: {first.sentence}"


def _newest(reading: Reading[Series] | Missing, as_of_ms: int) -> float | None:
    """The newest value known at `as_of_ms`, stale or not (the factor's status flags it)."""
    if isinstance(reading, Missing):
        return None
    series = reading.value
    known = bisect_right(series.close_ms, as_of_ms)
    return series.values[known - 1] if known else None


def _fresh_open_interest(context: EnhancedSignalContext, config: EngineConfig) -> Figure | None:
    """The newest USD open interest with its source; None when too old, because no factor would flag it."""
    reading = context.open_interest_usd
    if isinstance(reading, Missing):
        return None
    series = reading.value
    known = bisect_right(series.close_ms, context.as_of_ms)
    limit_ms = config.max_age.limit_ms(Capability.OPEN_INTEREST_USD, series.interval_ms)
    if not known or context.as_of_ms - series.close_ms[known - 1] > limit_ms:
        return None
    return Figure(series.values[known - 1], reading.provider, series.close_ms[known - 1])


@dataclass(frozen=True, slots=True)
class ScoreColumns:
    """The engine at many moments: score 0-100, coverage 0..1, and every factor's column."""

    at_ms: Int64s
    score: Floats
    coverage: Floats
    factors: tuple[FactorColumn, ...]


def score_columns(context: EnhancedSignalContext, config: EngineConfig, at_ms: Int64s) -> ScoreColumns:
    """Score a whole history at once: `context` holds it, `at_ms` (ascending) are the moments to score.

    Each moment uses only bars closed by then. Prices and directions are the caller's: see `direction_of`
    and `EngineConfig.min_coverage_frac`.
    """
    columns = tuple(factor_column(factor, context, config, at_ms) for factor in FACTORS)
    score, coverage = np.full(at_ms.size, 50.0), np.zeros(at_ms.size)
    for column in columns:
        weight = config.weights[column.name]
        score += weight * 0.5 * column.v
        coverage += weight / 100.0 * column.ok
    return ScoreColumns(at_ms, np.clip(score, 0.0, 100.0), coverage, columns)
