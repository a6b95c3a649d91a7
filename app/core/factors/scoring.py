"""From evidence to a factor's score: live (the newest point) and as columns (every moment of a history).

Owns freshness, the choice between rank and absolute scale, and the sentence. Both paths read the same
evidence columns; the live one ranks only the last point. Called by the signal engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.core.domain.context import EnhancedSignalContext
from app.core.domain.engine_config import EngineConfig
from app.core.domain.formatting import format_age, format_ordinal
from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.domain.quality import Missing
from app.core.domain.signal import Basis, FactorName, FactorScore, FactorStatus
from app.core.factors.base import Evidence, Factor
from app.core.factors.ranking import Floats, Int64s, history_starts, share_below


@dataclass(frozen=True, slots=True)
class FactorColumn:
    """One factor at many moments: v (0 where not ok) and whether the factor counted."""

    name: FactorName
    v: Floats
    ok: NDArray[np.bool_]


def score_factor(factor: Factor, context: EnhancedSignalContext, config: EngineConfig) -> FactorScore:
    """Score one factor at `context.as_of_ms`; a missing or stale one has v 0, so it scores exactly 50."""
    evidence = factor.evidence(context, config)
    weight = config.weights[factor.name]
    if isinstance(evidence, Missing):
        return _missing(factor, weight, evidence.detail)
    start = _start_of_last(evidence.close_ms, factor.window_ms(config), config.min_history_points)
    return _score_last(factor, weight, evidence, start, context.as_of_ms, config)


def _start_of_last(close_ms: Int64s, window_ms: int, min_points: int) -> int:
    """`history_starts` of the newest point alone, without building the column."""
    by_time = int(np.searchsorted(close_ms, close_ms[-1] - window_ms, side="left"))
    return max(0, min(by_time, close_ms.size - 1 - min_points))


def _missing(factor: Factor, weight: float, detail: str) -> FactorScore:
    return FactorScore(
        name=factor.name,
        weight=weight,
        v=0.0,
        status=FactorStatus.MISSING,
        provider=None,
        ts_event_ms=None,
        basis=None,
        evidence=None,
        evidence_unit=factor.unit,
        percentile=None,
        history_n=0,
        detail=detail,
        sentence="",
    )


def _score_last(
    factor: Factor, weight: float, evidence: Evidence, start: int, as_of_ms: int, config: EngineConfig
) -> FactorScore:
    x = float(evidence.x[-1])
    history = evidence.x[start:-1]
    ranked = history.size >= config.min_history_points
    parts = {name: float(column[-1]) for name, column in evidence.parts.items()}
    status, detail = _freshness(evidence, as_of_ms)
    if status is FactorStatus.OK and not ranked and factor.absolute is None:
        status = FactorStatus.MISSING
        detail = f"building history {history.size}/{config.min_history_points}"
    v, sentence = 0.0, ""
    if status is FactorStatus.OK:
        v = _v_last(factor, evidence.x, start, config)
        rank_text = _rank_text(factor, evidence, start) if ranked else _absolute_text(history.size)
        sentence = _sentence(factor, x, v, parts, rank_text)
    return FactorScore(
        name=factor.name,
        weight=weight,
        v=v,
        status=status,
        provider=evidence.provider,
        ts_event_ms=min(int(item.close_ms[-1]) for item in evidence.inputs),
        basis=(Basis.RANK if ranked else Basis.ABSOLUTE) if status is FactorStatus.OK else None,
        evidence=x,
        evidence_unit=factor.unit,
        percentile=share_below(history, x) if ranked else None,
        history_n=history.size,
        detail=detail,
        sentence=sentence,
        metrics=tuple(parts.items()),
    )


def _v_last(factor: Factor, x: Floats, start: int, config: EngineConfig) -> float:
    if x.size - 1 - start >= config.min_history_points or factor.absolute is None:
        return factor.ranking.v_last(x, start)
    return float(factor.absolute(x[-1:], config.scales)[0])


def _freshness(evidence: Evidence, as_of_ms: int) -> tuple[FactorStatus, str]:
    """Stale when any input behind the newest point is older than its allowance; names the worst one."""
    ages = [(as_of_ms - int(item.close_ms[-1]), item) for item in evidence.inputs]
    age_ms, worst = max(ages, key=lambda pair: pair[0] - pair[1].max_age_ms)
    if age_ms <= worst.max_age_ms:
        return FactorStatus.OK, ""
    allowed = format_age(worst.max_age_ms / 1000)
    return (
        FactorStatus.STALE,
        f"stale: {worst.capability.value} {format_age(age_ms / 1000)} old, allowed {allowed}",
    )


def _rank_text(factor: Factor, evidence: Evidence, start: int) -> str:
    """`97th percentile of 30 days`, with the history that was really there."""
    ranked = factor.ranking.ranked(evidence.x[start:])
    share = share_below(ranked[:-1], float(ranked[-1]))
    percentile = format_ordinal(min(99, max(1, round(share * 100))))
    span_ms = int(evidence.close_ms[-1] - evidence.close_ms[start])
    span = f"{span_ms / DAY_MS:.0f} days" if span_ms >= 2 * DAY_MS else f"{span_ms / HOUR_MS:.0f} hours"
    # The sign of signed evidence is in its number; what is ranked is its size.
    return f"{percentile} percentile of {span}" + (" by size" if factor.ranking.signed else "")


def _absolute_text(history_n: int) -> str:
    short = f"only {history_n} points of history" if history_n else "no history yet"
    return f"{short}, absolute scale"


def _sentence(factor: Factor, x: float, v: float, parts: Mapping[str, float], rank_text: str) -> str:
    """The one place that says bullish or bearish, from the sign of v, so words and score cannot disagree."""
    sign = int(np.sign(v))
    fact, meaning = factor.words(x, sign, parts)
    lean = {1: "bullish", 0: "neutral", -1: "bearish"}[sign]
    return f"{fact}, {rank_text}: {meaning}, {lean}"


def v_column(factor: Factor, evidence: Evidence, config: EngineConfig) -> Floats:
    """v at every point of the evidence, NaN where the factor has neither history nor an absolute scale."""
    starts = history_starts(evidence.close_ms, factor.window_ms(config), config.min_history_points)
    ranked = factor.ranking.v_column(evidence.x, starts)
    enough = np.arange(evidence.x.size) - starts >= config.min_history_points
    if factor.absolute is None:
        return np.where(enough, ranked, np.nan)
    return np.where(enough, ranked, factor.absolute(evidence.x, config.scales))


def factor_column(
    factor: Factor, context: EnhancedSignalContext, config: EngineConfig, at_ms: Int64s
) -> FactorColumn:
    """The factor at each moment `at_ms` (ascending) from bars closed by then; equals `score_factor`."""
    evidence = factor.evidence(context, config)
    if isinstance(evidence, Missing):
        return FactorColumn(factor.name, np.zeros(at_ms.size), np.zeros(at_ms.size, dtype=np.bool_))
    index = np.searchsorted(evidence.close_ms, at_ms, side="right") - 1
    ok = index >= 0
    for item in evidence.inputs:
        ok &= at_ms - item.close_ms[index] <= item.max_age_ms
    v = v_column(factor, evidence, config)[index]
    ok &= np.isfinite(v)
    return FactorColumn(factor.name, np.where(ok, v, 0.0), ok)
