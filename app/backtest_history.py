"""What a backtest knows of a coin, out of a recorded folder or the simulator's world. A part of `backtest`.

Owns which source stands for which input and says so in words; units and stamps are the market's
(`sim.market`): bars by open, fractions, closed ones only. What the market does not have is `Missing`, never
made up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from app.backtest_figures import day
from app.core.backtest.evaluating import CoinData, History
from app.core.backtest.price_path import PricePath, Settlements
from app.core.domain.context import DataMode, EnhancedSignalContext
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
from app.services.okx.funding import periods_h
from app.services.okx.parse import per_8h
from app.sim.market import CandleColumns, Int64s, LiquidationColumns, ValueColumns

MINUTE_MS = 60_000
T = TypeVar("T")
# Who is asked first; of candles and paths whoever has most.
_EXCHANGES = ("OKX", "Binance", "Bybit")
_PATH_MS = (MINUTE_MS, 3 * MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS, HOUR_MS)
# A finer path with more holes than this would score less than a coarser one.
_COVERED = 0.95
_EIGHT_H = 8
_NOT_RECORDED = "not recorded"
_NOT_THERE = Missing(MissingReason.NO_DATA, _NOT_RECORDED)
_PAID = "funding paid"


class NoCandles(ValueError):
    """No exchange has hourly candles of the coin."""


class HistorySource(Protocol):
    """What is asked of a recorded folder, the simulator's world or the store: the part of
    `sim.market.MarketSource` that has to do with closed bars, as described there."""

    def exchanges(self) -> tuple[str, ...]: ...

    def candles(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> CandleColumns: ...

    def open_interest(
        self, base: str, exchange: str, unit: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> ValueColumns: ...

    def funding_weighted(self, base: str, interval_ms: int, start_ms: int, end_ms: int) -> ValueColumns: ...

    def funding_settled(self, base: str, exchange: str, start_ms: int, end_ms: int) -> ValueColumns: ...

    def liquidations(
        self, base: str, exchanges: tuple[str, ...], interval_ms: int, start_ms: int, end_ms: int
    ) -> LiquidationColumns: ...

    def account_long_share(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> ValueColumns: ...

    def top_position_long_share(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> ValueColumns: ...

    def galaxy_score(self, base: str, interval_ms: int, start_ms: int, end_ms: int) -> ValueColumns: ...

    def fear_greed(self, start_ms: int, end_ms: int) -> ValueColumns: ...


def load_history(
    source: HistorySource,
    base: str,
    *,
    from_ms: int,
    to_ms: int,
    tier: int,
    data_mode: DataMode,
    finest_ms: int = MINUTE_MS,
) -> CoinData:
    """Everything the source has of the coin up to `to_ms`; the price path from `from_ms` on.

    finest_ms: no finer path than this is looked for.

    Raises:
        NoCandles: no exchange has hourly ones of the coin.
        ValueError: a file of the source is broken.
    """
    reader = _Reader(source, base, from_ms, to_ms)
    candles, exchange = reader.candles()
    path, path_exchange, path_ms = reader.path(exchange, finest_ms)
    context = reader.context(candles, exchange, data_mode)
    reader.sources["price path"] = f"{path_exchange}, {path_ms // MINUTE_MS} min"
    settlements = reader.settlements(path_exchange)
    inputs = (("candles", f"{exchange}, 1h"), *reader.sources.items())
    return CoinData(History(base, tier, context, path, settlements), inputs)


class _Reader:
    """Reads one coin; `sources` fills up with where each input came from."""

    def __init__(self, source: HistorySource, base: str, from_ms: int, to_ms: int) -> None:
        self._source = source
        self._base = base
        self._from_ms = from_ms
        self._to_ms = to_ms
        # Stamped with the moment from which they are known: what is stamped `to_ms` is known by then.
        self._known_end_ms = to_ms + 1
        # From the coin's first hour to its last one within the time asked for.
        self._lived_ms = (0, to_ms)
        self._exchanges = [name for name in _EXCHANGES if name in source.exchanges()]
        self.sources: dict[str, str] = {}

    def candles(self) -> tuple[Candles, str]:
        """Hourly ones of the exchange that has most of them."""
        best, exchange = self._most(HOUR_MS, 0)
        if best is None:
            raise NoCandles(f"no hourly candles of {self._base}")
        columns = (best.open, best.high, best.low, best.close, best.volume_base)
        close_ms = tuple((best.open_ms + HOUR_MS).tolist())
        self._lived_ms = (close_ms[0] - HOUR_MS, min(self._to_ms, close_ms[-1]))
        return Candles(exchange, HOUR_MS, close_ms, *(tuple(one.tolist()) for one in columns)), exchange

    def path(self, exchange: str, finest_ms: int) -> tuple[PricePath, str, int]:
        """The finest one that covers the time in which there is such a coin; else the hourly candles
        themselves."""
        from_ms = self._from_ms - self._from_ms % HOUR_MS
        first_ms, last_ms = self._lived_ms
        lived_ms = max(0, last_ms - max(first_ms, from_ms))
        for length_ms in _PATH_MS:
            if length_ms < finest_ms and length_ms != HOUR_MS:
                continue
            found, name = self._most(length_ms, from_ms, first=exchange)
            if found is not None and found.open_ms.size * length_ms >= _COVERED * lived_ms:
                return _path(found, length_ms), name, length_ms
        hourly = self._closed(exchange, HOUR_MS, from_ms)
        return _path(hourly, HOUR_MS), exchange, HOUR_MS

    def settlements(self, first: str) -> Settlements | None:
        """Rates that were paid, of the exchange of the path where it has them in the period."""
        for exchange in (first, "Binance", "OKX"):
            settled = self._source.funding_settled(self._base, exchange, 0, self._known_end_ms)
            if settled.open_ms.size and settled.open_ms[-1] >= self._from_ms:
                break
        if self._name(_PAID, f"{exchange}, at its stamps", settled.open_ms):
            return Settlements(settled.open_ms, settled.values)
        self.sources[_PAID] = f"{_NOT_RECORDED}: not charged"
        return None

    def context(self, candles: Candles, exchange: str, data_mode: DataMode) -> EnhancedSignalContext:
        price = Price(candles.close[-1], PriceKind.LAST_CLOSE, exchange)
        newest_ms = candles.close_ms[-1]
        return EnhancedSignalContext(
            symbol=Symbol(self._base),
            as_of_ms=self._to_ms,
            data_mode=data_mode,
            price=_reading(price, exchange, newest_ms),
            candles=_reading(candles, exchange, newest_ms),
            liquidations=self._liquidations(),
            open_interest_usd=self._interest("open interest in USD", "usd", Unit.USD),
            open_interest_base=self._interest("open interest in coins", "base", Unit.BASE),
            funding=self._funding(),
            account_ratio=self._share("account ratio", self._source.account_long_share),
            top_position_ratio=self._share("top traders", self._source.top_position_long_share),
            social=self._social(),
            fear_greed=self._fear_greed(),
        )

    def _most(self, length_ms: int, from_ms: int, first: str = "") -> tuple[CandleColumns | None, str]:
        """Whoever has most candles; of equals the exchange named `first`."""
        names = sorted(self._exchanges, key=lambda name: name != first)
        found = [(name, self._closed(name, length_ms, from_ms)) for name in names]
        held = [(name, one) for name, one in found if one.open_ms.size]
        if not held:
            return None, ""
        name, best = max(held, key=lambda pair: pair[1].open_ms.size)
        return best, name

    def _closed(self, exchange: str, length_ms: int, from_ms: int) -> CandleColumns:
        found = self._source.candles(self._base, exchange, length_ms, from_ms, self._to_ms)
        kept = found.is_closed & (found.open_ms + length_ms <= self._to_ms)
        return CandleColumns(
            open_ms=found.open_ms[kept],
            open=found.open[kept],
            high=found.high[kept],
            low=found.low[kept],
            close=found.close[kept],
            volume_base=found.volume_base[kept],
            is_closed=found.is_closed[kept],
        )

    def _liquidations(self) -> Reading[LiquidationHistory] | Missing:
        found = self._source.liquidations(self._base, ("All",), HOUR_MS, 0, self._to_ms)
        close_ms = found.open_ms[found.is_closed] + HOUR_MS
        self._name("liquidations", "CoinGlass, 1h", close_ms)
        if not close_ms.size:
            return _NOT_THERE
        long_usd, short_usd = (
            tuple(side[found.is_closed].tolist()) for side in (found.long_usd, found.short_usd)
        )
        history = LiquidationHistory(HOUR_MS, tuple(close_ms.tolist()), long_usd, short_usd, "All")
        return _reading(history, "coinglass", int(close_ms[-1]))

    def _interest(self, name: str, unit: str, kind: Unit) -> Reading[Series] | Missing:
        found = self._source.open_interest(self._base, "All", unit, HOUR_MS, 0, self._to_ms)
        return self._series(name, found, kind, HOUR_MS, "coinglass", "CoinGlass and Binance, 1h")

    def _funding(self) -> Reading[Series] | Missing:
        weighted = self._source.funding_weighted(self._base, HOUR_MS, 0, self._to_ms)
        found = self._series(
            "funding", weighted, Unit.FRAC_PER_8H, HOUR_MS, "coinglass", "CoinGlass OI-weighted, 1h"
        )
        if isinstance(found, Reading):
            return found
        for exchange in ("OKX", "Binance"):
            settled = self._source.funding_settled(self._base, exchange, 0, self._known_end_ms)
            if settled.values.size:
                stamps = settled.open_ms.tolist()
                lengths = periods_h(stamps, _EIGHT_H)
                rates = map(per_8h, settled.values.tolist(), lengths)
                self._name("funding", f"{exchange}, settled", settled.open_ms)
                series = Series(Unit.FRAC_PER_8H, _EIGHT_H * HOUR_MS, tuple(stamps), tuple(rates))
                return _reading(series, exchange.lower(), stamps[-1])
        return _NOT_THERE

    def _share(
        self, name: str, ask: Callable[[str, str, int, int, int], ValueColumns]
    ) -> Reading[Series] | Missing:
        for exchange in ("Binance", "OKX"):
            found = ask(self._base, exchange, HOUR_MS, 0, self._to_ms)
            if found.values.size:
                break
        return self._series(name, found, Unit.FRAC, HOUR_MS, "coinglass", f"{exchange}, 1h")

    def _social(self) -> Reading[Series] | Missing:
        found = self._source.galaxy_score(self._base, HOUR_MS, 0, self._to_ms)
        return self._series("social", found, Unit.SCORE, HOUR_MS, "lunarcrush", "LunarCrush, 1h")

    def _fear_greed(self) -> Reading[Series] | Missing:
        found = self._source.fear_greed(0, self._known_end_ms)
        self._name("fear & greed", "alternative.me, daily", found.open_ms)
        if not found.values.size:
            return _NOT_THERE
        # A day's index is known from 00:00 of its day: its stamp is the moment it can be used.
        stamps = tuple(found.open_ms.tolist())
        series = Series(Unit.SCORE, DAY_MS, stamps, tuple(found.values.tolist()))
        return _reading(series, "alternative_me", stamps[-1])

    def _name(self, name: str, words: str, close_ms: Int64s) -> bool:
        """Say where an input came from, and how far it reaches when it ends early; False: not even into the
        period."""
        newest_ms = int(close_ms[-1]) if close_ms.size else 0
        if newest_ms < self._from_ms:
            words = f"{_NOT_RECORDED} in this period" if newest_ms else "none"
        elif newest_ms < self._lived_ms[1] - 2 * DAY_MS:
            words += f", until {day(newest_ms)}"
        self.sources[name] = words
        return newest_ms >= self._from_ms

    def _series(
        self, name: str, found: ValueColumns, unit: Unit, length_ms: int, provider: str, words: str
    ) -> Reading[Series] | Missing:
        kept = found.is_closed & (found.open_ms + length_ms <= self._to_ms)
        self._name(name, words, found.open_ms[kept] + length_ms)
        if not kept.any():
            return _NOT_THERE
        close_ms = tuple((found.open_ms[kept] + length_ms).tolist())
        series = Series(unit, length_ms, close_ms, tuple(found.values[kept].tolist()))
        return _reading(series, provider, close_ms[-1])


def _path(found: CandleColumns, length_ms: int) -> PricePath:
    return PricePath(length_ms, found.open_ms, found.open, found.high, found.low, found.close)


def _reading(value: T, provider: str, newest_ms: int) -> Reading[T]:
    return Reading(value, provider, "history", newest_ms, newest_ms, CacheState.MISS)
