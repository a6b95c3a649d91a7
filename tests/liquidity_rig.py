"""The real liquidity service over a made-up coin: candles with swings, open interest, whatever is asked
for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from app.core.clock import ManualClock
from app.core.domain.context import DataMode, EnhancedSignalContext
from app.core.domain.engine_config import EngineConfig
from app.core.domain.liquidity_answer import LiquidityAnswer
from app.core.domain.market import (
    HOUR_MS,
    INTERVAL_MS,
    Candles,
    LiquidationHistory,
    Price,
    PriceKind,
    Series,
    Unit,
)
from app.core.domain.quality import CacheState, Missing, MissingReason, Reading
from app.core.domain.symbol import Symbol, resolve_symbol
from app.core.domain.views import Part, Parts, View, ViewQuery
from app.services.charts.zones_png import ZonePngPainter
from app.services.liquidity_service import LiquidityService

HOURS = 500
NO_KEY = Missing(MissingReason.NOT_CONFIGURED, "coinglass: no key set")


def reading(value: Any, at_ms: int, provider: str = "okx") -> Reading[Any]:
    return Reading(value, provider, "endpoint", at_ms, at_ms, CacheState.MISS)


def wavy_candles(end_ms: int, interval_ms: int, *, size: int = HOURS, seed: int = 4) -> Candles:
    """Candles that close up to `end_ms`, with waves, so that there are swings, breaks and zones."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0.0, 0.004, size) + 0.003 * np.sin(np.arange(size) / 9)
    close = 60_000.0 * np.exp(np.cumsum(steps))
    open_ = np.append(60_000.0, close[:-1])
    high = np.maximum(open_, close) * (1 + rng.exponential(0.002, size))
    low = np.minimum(open_, close) * (1 - rng.exponential(0.002, size))
    last_ms = end_ms // interval_ms * interval_ms
    times = tuple(last_ms - (size - 1 - n) * interval_ms for n in range(size))
    columns = [tuple(column.tolist()) for column in (open_, high, low, close, rng.exponential(500.0, size))]
    return Candles("OKX", interval_ms, times, *columns)


class LiquidityRig:
    """`context` and `parts` say what is known; both can be changed by a test."""

    def __init__(
        self, *, known: frozenset[str] = frozenset({"BTC", "ETH"}), now_ms: int = 1_772_000_000_000
    ) -> None:
        self.known = known
        self.now_ms = now_ms
        self.changes: dict[str, Any] = {}
        self.views: dict[View, Reading[Any] | Missing] = {}
        self.asked: list[View] = []
        self.answers: list[LiquidityAnswer] = []
        self.candles = wavy_candles(now_ms, HOUR_MS)
        self.service = LiquidityService(
            contexts=self,  # type: ignore[arg-type]
            derivatives=self,  # type: ignore[arg-type]
            resolve=lambda text: resolve_symbol(text, self.known),
            engine=EngineConfig(),
            painter=ZonePngPainter(),
            clock=ManualClock(now_ms),
            on_answer=self.answers.append,
        )

    async def gather(self, symbol: Symbol) -> EnhancedSignalContext:
        return self.context(symbol)

    async def parts(self, views: Sequence[View], query: ViewQuery) -> Parts:
        self.asked += views
        return {view: Part(view, self._view(view, query), None) for view in views}

    def _view(self, view: View, query: ViewQuery) -> Reading[Any] | Missing:
        if view in self.views:
            return self.views[view]
        if view is not View.CANDLES:
            return NO_KEY
        candles = wavy_candles(self.now_ms, INTERVAL_MS[query.interval or "1h"])
        return reading(candles, candles.close_ms[-1])

    def context(self, symbol: Symbol | None = None) -> EnhancedSignalContext:
        times, at_ms = self.candles.close_ms, self.candles.close_ms[-1]
        rng = np.random.default_rng(9)

        def series(unit: Unit, values: Any) -> Reading[Any]:
            return reading(Series(unit, HOUR_MS, times, tuple(map(float, values))), at_ms)

        coins = 9e4 * np.exp(np.cumsum(rng.normal(0.0, 0.004, HOURS)))
        flushed = tuple(map(float, rng.exponential(2e6, HOURS)))
        plain = EnhancedSignalContext(
            symbol=symbol or Symbol("BTC"),
            as_of_ms=self.now_ms,
            data_mode=DataMode.DEMO,
            price=reading(
                Price(self.candles.close[-1] * 1.001, PriceKind.LAST_TRADE, "OKX"), self.now_ms - 1_000
            ),
            candles=reading(self.candles, at_ms),
            liquidations=reading(LiquidationHistory(HOUR_MS, times, flushed, flushed[::-1], "OKX"), at_ms),
            open_interest_usd=series(Unit.USD, coins * np.array(self.candles.close)),
            open_interest_base=series(Unit.BASE, coins),
            funding=series(Unit.FRAC_PER_8H, rng.normal(1e-4, 5e-5, HOURS)),
            account_ratio=series(Unit.FRAC, rng.uniform(0.4, 0.7, HOURS)),
            top_position_ratio=series(Unit.FRAC, rng.uniform(0.4, 0.6, HOURS)),
            social=Missing(MissingReason.NOT_CONFIGURED, "no key"),
            fear_greed=series(Unit.SCORE, rng.uniform(20, 80, HOURS)),
        )
        return replace(plain, **self.changes)
