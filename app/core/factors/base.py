"""What every factor is made of: evidence over a whole history, and the few array tools they share.

Owns the `Factor` description, `Evidence` columns and the look-ahead guard (nothing after `as_of_ms` is ever
read). Does not rank or score (`ranking`, `scoring`) and knows no single factor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from app.core.domain.context import Capability, EnhancedSignalContext
from app.core.domain.engine_config import AbsoluteScales, EngineConfig
from app.core.domain.market import DAY_MS, HOUR_MS, Candles, LiquidationHistory, Series
from app.core.domain.quality import Missing, MissingReason, Reading
from app.core.domain.signal import FactorName
from app.core.factors.ranking import Floats, Int64s, Ranking


@dataclass(frozen=True, slots=True)
class Input:
    """The bars of one input behind each point of evidence.

    close_ms: parallel to the evidence, close of the bar used; max_age_ms: oldest that still counts.
    """

    capability: Capability
    close_ms: Int64s
    max_age_ms: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """x over the whole history: the live value is the last element of the same column.

    close_ms: first moment at which x was knowable, strictly increasing; x: finite; parts: every
    sub-computation as a column parallel to x, units in the names; provider: of the leading input.
    """

    provider: str
    close_ms: Int64s
    x: Floats
    inputs: tuple[Input, ...]
    parts: Mapping[str, Floats]


@dataclass(frozen=True, slots=True)
class Factor:
    """One of the eight factors.

    evidence: all points computable from the context, or why there are none.
    absolute: v from x while the history is too short; None: then the factor is missing.
    words: (fact with its number, what it means) for x, sign of v and the sub-computations; the
    bullish / bearish word itself is added by the scoring so that it cannot disagree with v.
    history_days: length of the ranking window.
    """

    name: FactorName
    unit: str
    ranking: Ranking
    evidence: Callable[[EnhancedSignalContext, EngineConfig], Evidence | Missing]
    absolute: Callable[[Floats, AbsoluteScales], Floats] | None
    words: Callable[[float, int, Mapping[str, float]], tuple[str, str]]
    history_days: Callable[[EngineConfig], float] = lambda config: config.history_days

    def window_ms(self, config: EngineConfig) -> int:
        """Length of the ranking window in ms."""
        return int(self.history_days(config) * DAY_MS)


def build_evidence(
    provider: str,
    close_ms: Int64s,
    x: Floats,
    inputs: tuple[Input, ...],
    parts: Mapping[str, Floats],
    *,
    need: str,
) -> Evidence | Missing:
    """Keep the points where x could be computed; `need` says in words what is required for one."""
    known = np.isfinite(x)
    if not known.any():
        return Missing(MissingReason.NO_DATA, f"not computable: needs {need}")
    if known.all():
        return Evidence(provider, close_ms, x, inputs, parts)
    return Evidence(
        provider,
        close_ms[known],
        x[known],
        tuple(Input(item.capability, item.close_ms[known], item.max_age_ms) for item in inputs),
        {name: column[known] for name, column in parts.items()},
    )


def level_evidence(
    context: EnhancedSignalContext, config: EngineConfig, capability: Capability, part: str
) -> Evidence | Missing:
    """Evidence that is the series itself (funding, ratios, scores); `part` names it with its unit."""
    reading: Reading[Series] | Missing = getattr(context, capability.value)
    if isinstance(reading, Missing):
        return missing_input(capability, reading)
    close_ms, (values,) = known_columns(reading.value, context.as_of_ms, reading.value.values)
    limit = config.max_age.limit_ms(capability, reading.value.interval_ms)
    return build_evidence(
        reading.provider,
        close_ms,
        values,
        (Input(capability, close_ms, limit),),
        {part: values},
        need="one closed bar",
    )


def missing_input(capability: Capability, missing: Missing) -> Missing:
    """Why a factor is missing: its input's own reason, with the input named."""
    detail = f": {missing.detail}" if missing.detail else ""
    return Missing(missing.reason, f"{capability.value} {missing.reason.value}{detail}", missing.attempts)


def known_columns(
    history: Series | Candles | LiquidationHistory, as_of_ms: int, *columns: tuple[float, ...]
) -> tuple[Int64s, tuple[Floats, ...]]:
    """Close times and columns as arrays, cut at `as_of_ms`: a value from the future is impossible to use."""
    close_ms = np.array(history.close_ms, dtype=np.int64)
    count = int(np.searchsorted(close_ms, as_of_ms, side="right"))
    return close_ms[:count], tuple(np.array(column, dtype=np.float64)[:count] for column in columns)


def index_at(close_ms: Int64s, at_ms: Int64s, tolerance_ms: int = 0) -> Int64s:
    """Index of the newest bar at or before each moment, -1 when it is older than `tolerance_ms` or absent.

    By time, never by row count, so a missing bar cannot turn 24 h into 25 h.
    """
    index = np.searchsorted(close_ms, at_ms, side="right").astype(np.int64) - 1
    if close_ms.size == 0:
        return index
    return np.where((index >= 0) & (at_ms - close_ms[index] <= tolerance_ms), index, -1)


def take(values: Floats, index: Int64s) -> Floats:
    """`values[index]`, NaN where the index is -1."""
    if values.size == 0:
        return np.full(index.shape, np.nan)
    return np.where(index >= 0, values[index], np.nan)


def log_return(close_ms: Int64s, log_price: Floats, span_ms: int) -> Floats:
    """Log return over exactly `span_ms` ending at each bar; NaN where the earlier bar is absent."""
    return log_price - take(log_price, index_at(close_ms, close_ms - span_ms))


def hourly_sigma(close_ms: Int64s, log_price: Floats, interval_ms: int, halflife_h: float) -> Floats:
    """Volatility per square root of an hour: EWMA of squared hourly log returns, newest included.

    Bars longer than an hour use their own return, scaled to one hour; shorter bars use the (overlapping)
    return over the last hour. Weights are normalised, so there is no start-up bias; a bar after a gap has no
    return and adds nothing. Worked number: returns +0.01, -0.01, +0.01, ... -> 0.01.
    """
    span_ms = max(interval_ms, HOUR_MS)
    squares = log_return(close_ms, log_price, span_ms) ** 2 * (HOUR_MS / span_ms)
    decay = 0.5 ** (interval_ms / (halflife_h * HOUR_MS))
    weighted = weight = 0.0
    variances = []
    for square in squares.tolist():
        weighted *= decay
        weight *= decay
        if square == square:  # not NaN, the cheapest test in a hot loop
            weighted += square
            weight += 1.0
        variances.append(weighted / weight if weight else np.nan)
    return np.sqrt(np.array(variances, dtype=np.float64))


def in_sigmas(log_move: Floats, sigma: Floats, span_h: float) -> Floats:
    """A log move in standard deviations of its span; no move in a flat market is 0, never 0 / 0."""
    scale = sigma * np.sqrt(span_h)
    sigmas: Floats = np.where(log_move == 0.0, 0.0, np.nan)
    np.divide(log_move, scale, out=sigmas, where=scale > 0.0)
    return sigmas


def clip_unit(values: Floats) -> Floats:
    """max(-1, min(1, x))."""
    return np.clip(values, -1.0, 1.0)
