"""Funding and open interest of a signal's context, ranked in the coin's own 30 days, and levels of its map.

Pure. Only bars that had closed by then are read; with fewer than `MIN_POINTS` there is no rank and the reason
is named. Called by `services.streaming.poller`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from app.core.domain.context import EnhancedSignalContext
from app.core.domain.liquidity_answer import LiquidityAnswer
from app.core.domain.market import DAY_MS, HOUR_MS, Series
from app.core.domain.market_figures import LevelFigures, MarketFigures
from app.core.domain.quality import Missing, Reading
from app.core.flow.ranks import rank_in

WINDOW_MS = 30 * DAY_MS
MIN_POINTS = 100
# A newest bar older than this many of its own intervals says nothing about now.
MAX_BARS_OLD = 2
MAX_CLUSTERS = 5


@dataclass(frozen=True, slots=True)
class _Ranked:
    """value: the newest; None with a reason."""

    value: float | None
    percentile: float | None
    days: float
    why: str


def measure_market(context: EnhancedSignalContext) -> MarketFigures:
    """Newest funding and the change of open interest over the last closed hour, each against the past."""
    now_ms = context.as_of_ms
    funding = _rank_newest(context.funding, now_ms, "funding")
    interest = _rank_change(context, now_ms)
    unknown = tuple(found.why for found in (funding, interest) if found.why)
    return MarketFigures(
        symbol=context.symbol.base,
        as_of_ms=now_ms,
        funding_8h_frac=funding.value,
        funding_percentile=funding.percentile,
        funding_days=funding.days,
        oi_change_1h_frac=interest.value,
        oi_change_percentile=interest.percentile,
        oi_days=interest.days,
        unknown=unknown,
    )


def measure_levels(answer: LiquidityAnswer) -> LevelFigures:
    """ATR of the hour and the clusters around the price, nearest first; none from inputs that are stale."""
    usd = answer.price.value.price_usd
    clusters = answer.liquidity.clusters if answer.liquidity is not None and not answer.stale else ()
    prices = [cluster.price_usd for cluster in clusters]
    return LevelFigures(
        symbol=answer.symbol.base,
        as_of_ms=answer.as_of_ms,
        atr_1h_usd=answer.atr_1h_usd,
        below=tuple(sorted((p for p in prices if p < usd), reverse=True)[:MAX_CLUSTERS]),
        above=tuple(sorted(p for p in prices if p > usd)[:MAX_CLUSTERS]),
    )


def _rank_newest(found: Reading[Series] | Missing, now_ms: int, name: str) -> _Ranked:
    if isinstance(found, Missing):
        return _Ranked(None, None, 0.0, f"{name}: {found.reason.value}")
    return _ranked(_closed(found.value, now_ms), found.value.interval_ms, now_ms, name)


def _rank_change(context: EnhancedSignalContext, now_ms: int) -> _Ranked:
    """In coins where they are known: a move of the price alone is no change of positions."""
    name = "open interest"
    found = context.open_interest_base
    if isinstance(found, Missing):
        found = context.open_interest_usd
    if isinstance(found, Missing):
        return _Ranked(None, None, 0.0, f"{name}: {found.reason.value}")
    if found.value.interval_ms != HOUR_MS:
        return _Ranked(None, None, 0.0, f"{name}: no hourly bars")
    points = _closed(found.value, now_ms)
    changes = [
        (at_ms, value / before - 1)
        for (before_ms, before), (at_ms, value) in pairwise(points)
        if at_ms - before_ms == HOUR_MS and before > 0
    ]
    return _ranked(changes, HOUR_MS, now_ms, name)


def _closed(series: Series, now_ms: int) -> list[tuple[int, float]]:
    """Points of the window that had closed by `now_ms`."""
    pairs = zip(series.close_ms, series.values, strict=True)
    return [(at_ms, value) for at_ms, value in pairs if now_ms - WINDOW_MS <= at_ms <= now_ms]


def _ranked(points: list[tuple[int, float]], interval_ms: int, now_ms: int, name: str) -> _Ranked:
    """The newest point within those before it."""
    if not points:
        return _Ranked(None, None, 0.0, f"{name}: no closed bar in 30 days")
    newest_ms, value = points[-1]
    days = (newest_ms - points[0][0]) / DAY_MS
    if now_ms - newest_ms > MAX_BARS_OLD * interval_ms:
        return _Ranked(None, None, days, f"{name}: the newest bar is older than {MAX_BARS_OLD} bars")
    past = [one for _, one in points[:-1]]
    if len(past) < MIN_POINTS:
        return _Ranked(value, None, days, f"{name}: {len(past)} bars of the past, {MIN_POINTS} are needed")
    return _Ranked(value, rank_in(past, value), days, "")
