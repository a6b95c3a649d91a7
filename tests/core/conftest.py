"""A small market whose every column can be set: contexts for factor, engine and property tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.domain.context import Capability, DataMode, EnhancedSignalContext
from app.core.domain.market import (
    DAY_MS,
    HOUR_MS,
    Candles,
    LiquidationHistory,
    Price,
    PriceKind,
    Series,
    Unit,
)
from app.core.domain.quality import CacheState, Missing, MissingReason, Reading
from app.core.domain.symbol import Symbol

Floats = NDArray[np.float64]
T = TypeVar("T")

# 2025-10-09 00:00 UTC: a day boundary, so hourly, 4-hourly and daily closes all meet here.
NEWEST_CLOSE_MS = 1_759_968_000_000


@dataclass(frozen=True)
class World:
    """Every input of one coin as columns, newest last; hourly except fear & greed (daily).

    missing: capabilities that answer `Missing`. age_ms: how long after the newest close the context is made.
    """

    close: Floats
    long_usd: Floats
    short_usd: Floats
    oi_usd: Floats
    oi_base: Floats
    funding: Floats
    accounts: Floats
    top: Floats
    social: Floats
    fear_greed: Floats
    interval_ms: int = HOUR_MS
    age_ms: int = 1_000
    price_age_ms: int = 1_000
    missing: frozenset[Capability] = frozenset()

    def times(self, column: Floats, interval_ms: int) -> tuple[int, ...]:
        return tuple(NEWEST_CLOSE_MS - (column.size - 1 - i) * interval_ms for i in range(column.size))

    def context(self) -> EnhancedSignalContext:
        as_of_ms = NEWEST_CLOSE_MS + self.age_ms
        step = self.interval_ms
        prices = tuple(self.close.tolist())
        times = self.times(self.close, step)
        history = LiquidationHistory(
            step,
            self.times(self.long_usd, step),
            tuple(self.long_usd.tolist()),
            tuple(self.short_usd.tolist()),
            "Binance,OKX,Bybit",
        )
        return EnhancedSignalContext(
            symbol=Symbol("BTC"),
            as_of_ms=as_of_ms,
            data_mode=DataMode.DEMO,
            price=self._reading(
                Capability.PRICE, Price(prices[-1], PriceKind.LAST_TRADE, "OKX"), as_of_ms - self.price_age_ms
            ),
            candles=self._reading(
                Capability.CANDLES, Candles("OKX", step, times, prices, prices, prices, prices)
            ),
            liquidations=self._reading(Capability.LIQUIDATIONS, history),
            open_interest_usd=self._series(Capability.OPEN_INTEREST_USD, self.oi_usd, Unit.USD),
            open_interest_base=self._series(Capability.OPEN_INTEREST_BASE, self.oi_base, Unit.BASE),
            funding=self._series(Capability.FUNDING, self.funding, Unit.FRAC_PER_8H),
            account_ratio=self._series(Capability.ACCOUNT_RATIO, self.accounts, Unit.FRAC),
            top_position_ratio=self._series(Capability.TOP_POSITION_RATIO, self.top, Unit.FRAC),
            social=self._series(Capability.SOCIAL, self.social, Unit.SCORE),
            fear_greed=self._series(Capability.FEAR_GREED, self.fear_greed, Unit.SCORE, DAY_MS),
        )

    def without(self, *capabilities: Capability) -> World:
        return replace(self, missing=self.missing | set(capabilities))

    def mirrored(self) -> World:
        """The same market with long and short exchanged, histories included; open interest stays."""
        return replace(
            self,
            close=1.0 / self.close,
            long_usd=self.short_usd,
            short_usd=self.long_usd,
            funding=0.0002 - self.funding,
            accounts=1.0 - self.accounts,
            top=1.0 - self.top,
            social=100.0 - self.social,
            fear_greed=100.0 - self.fear_greed,
        )

    def _series(
        self, capability: Capability, column: Floats, unit: Unit, interval_ms: int | None = None
    ) -> Reading[Series] | Missing:
        step = interval_ms or self.interval_ms
        return self._reading(capability, Series(unit, step, self.times(column, step), tuple(column.tolist())))

    def _reading(
        self, capability: Capability, value: T, ts_ms: int = NEWEST_CLOSE_MS
    ) -> Reading[T] | Missing:
        if capability in self.missing:
            return Missing(MissingReason.NOT_CONFIGURED, "no key set")
        return Reading(value, "provider", capability.value, ts_ms, ts_ms, CacheState.MISS)


def random_world(seed: int, points: int = 800, interval_ms: int = HOUR_MS) -> World:
    """A seeded market without structure: every column wanders on its own."""
    rng = np.random.default_rng(seed)

    def walk(start: float, step: float) -> Floats:
        return start * np.exp(np.cumsum(rng.normal(0.0, step, points)))

    return World(
        close=walk(96_200.0, 0.006),
        long_usd=rng.exponential(2e6, points),
        short_usd=rng.exponential(2e6, points),
        oi_usd=walk(8e9, 0.004),
        oi_base=walk(9e4, 0.004),
        funding=rng.normal(1e-4, 8e-5, points),
        accounts=rng.uniform(0.3, 0.8, points),
        top=rng.uniform(0.3, 0.8, points),
        social=rng.uniform(20.0, 90.0, points),
        fear_greed=rng.uniform(5.0, 95.0, 400),
        interval_ms=interval_ms,
    )


@pytest.fixture(scope="session")
def make_world() -> Callable[..., World]:
    return random_world
