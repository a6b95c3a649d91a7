"""The synthetic market: a seeded, coherent world of coins that answers every question of `MarketSource`.

Owns the cut at now and the shaping into bars; the numbers come from world_tide, world_hours, world_minutes
and world_events. The same seed and time give the same values in every process; a closed bar never changes.
Built by `python -m app.sim --source synthetic`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from app.core.domain.market import DAY_MS, HOUR_MS
from app.sim.bars import (
    Groups,
    Span,
    ceil_open,
    no_candles,
    no_liquidations,
    no_values,
    span_of,
)
from app.sim.market import (
    CandleColumns,
    Coin,
    Floats,
    Int64s,
    LiquidationColumns,
    LiquidationEvent,
    TradeEvent,
    ValueColumns,
)
from app.sim.world_coin import CoinWorld
from app.sim.world_coins import EXCHANGES, MODELS, exchange_shares
from app.sim.world_tide import EPOCH_MS, Tide, generator

_FEAR_GREED_DAYS = 30  # the index looks back this far, so it starts this long after the world


class SyntheticWorld:
    """`MarketSource` of the demo. Coins are made on first use, about 20 ms each.

    Args:
        seed: which world; every int is a different one.
        now_ms: market time; nothing after it is revealed.
    """

    def __init__(self, seed: int, now_ms: Callable[[], int]) -> None:
        self._seed = seed
        self._clock = now_ms
        self._tide = Tide(seed)
        self._made: dict[str, CoinWorld] = {}

    def now_ms(self) -> int:
        return self._clock()

    def coins(self) -> tuple[Coin, ...]:
        return self._coins

    @cached_property
    def _coins(self) -> tuple[Coin, ...]:
        return tuple(model.coin for model in MODELS.values())

    def exchanges(self) -> tuple[str, ...]:
        return EXCHANGES

    def _coin(self, base: str) -> CoinWorld | None:
        if base not in self._made and base in MODELS:
            self._made[base] = CoinWorld(MODELS[base], self._tide, self._seed)
        return self._made.get(base)

    def _span(self, interval_ms: int, start_ms: int, end_ms: int) -> Span | None:
        return span_of(interval_ms, start_ms, end_ms, now_ms=self._clock(), floor_ms=EPOCH_MS)

    def last_price(self, base: str) -> tuple[float, int] | None:
        """The price of this very moment on the minute path."""
        now = self._clock()
        coin = self._coin(base)
        return None if coin is None or now <= EPOCH_MS else (coin.minutes.price_at(now), now)

    def candles(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> CandleColumns:
        """Prices are the same on every exchange; volumes are its share. "All" is the whole market."""
        coin, span = self._coin(base), self._span(interval_ms, start_ms, end_ms)
        share = _share(base, (exchange,))
        if coin is None or span is None or share == 0:
            return no_candles()
        rows = coin.rows(span)
        groups = Groups(rows.open_ms, interval_ms)
        volume = rows.flow * coin.hours(span.now_ms).volume_base[rows.hour] * share
        return CandleColumns(
            groups.open_ms,
            groups.first(rows.open),
            groups.highest(rows.high),
            groups.lowest(rows.low),
            groups.last(rows.close),
            groups.total(volume),
            span.closed(groups.open_ms),
        )

    def open_interest(
        self, base: str, exchange: str, unit: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> ValueColumns:
        """USD is coins times the price at the same moment."""
        coin, span = self._coin(base), self._span(interval_ms, start_ms, end_ms)
        share = _share(base, (exchange,))
        if coin is None or span is None or share == 0:
            return no_values()
        values = coin.level(span, "oi_base") * share
        if unit == "usd":
            rows = coin.rows(span)
            values = values * Groups(rows.open_ms, interval_ms).last(rows.close)
        return _values(span, values)

    def funding_weighted(self, base: str, interval_ms: int, start_ms: int, end_ms: int) -> ValueColumns:
        coin, span = self._coin(base), self._span(interval_ms, start_ms, end_ms)
        if coin is None or span is None:
            return no_values()
        return _values(span, coin.level(span, "funding_frac"))

    def funding_settled(self, base: str, exchange: str, start_ms: int, end_ms: int) -> ValueColumns:
        """Rates per period (an eight-hour rate times period / 8), known from the settlement on."""
        coin, now = self._coin(base), self._clock()
        if coin is None or not _is_listed(base, exchange):
            return no_values()
        period_ms = coin.model.coin.funding_interval_h * HOUR_MS
        first = ceil_open(max(start_ms, EPOCH_MS + period_ms), period_ms)
        stamps = np.arange(first, min(end_ms, now + 1), period_ms, dtype=np.int64)
        return ValueColumns(
            stamps, self._funding(coin, exchange, stamps), np.ones(stamps.size, bool)
        )  # a settled rate is final

    def funding_current(self, base: str, exchange: str) -> tuple[float, int, int] | None:
        coin, now = self._coin(base), self._clock()
        if coin is None or not _is_listed(base, exchange) or now <= EPOCH_MS:
            return None
        period_ms = coin.model.coin.funding_interval_h * HOUR_MS
        previous = now - now % period_ms
        rate = self._funding(coin, exchange, np.array([now], np.int64))
        return float(rate[0]), previous, previous + period_ms

    def _funding(self, coin: CoinWorld, exchange: str, at_ms: Int64s) -> Floats:
        # Exchanges differ by a steady premium of a few millionths on top of the market's rate.
        premium = generator(self._seed, coin.model.key, 5, EXCHANGES.index(exchange)).normal(0, 1.5e-5)
        f8 = coin.level_at(at_ms, "funding_frac") + premium
        return np.round(f8 * (coin.model.coin.funding_interval_h / 8), 8)

    def liquidations(
        self, base: str, exchanges: tuple[str, ...], interval_ms: int, start_ms: int, end_ms: int
    ) -> LiquidationColumns:
        coin, span = self._coin(base), self._span(interval_ms, start_ms, end_ms)
        share = _share(base, exchanges)
        if coin is None or span is None or share == 0:
            return no_liquidations()
        longs, shorts = coin.liquidated(span, exchanges, share)
        opens = span.opens()
        return LiquidationColumns(opens, longs, shorts, span.closed(opens))

    def liquidation_events(
        self, start_ms: int, end_ms: int, base: str | None = None
    ) -> list[LiquidationEvent]:
        stop = min(end_ms, self._clock() + 1)
        events = [
            LiquidationEvent(ts, EXCHANGES[venue], name, "short" if side else "long", price, usd)
            for name in MODELS
            if base in (None, name) and (coin := self._coin(name)) is not None
            for ts, side, venue, price, usd in coin.forced_orders(start_ms, stop)
        ]
        events.sort(key=lambda event: event.ts_ms)
        return events

    def trade_events(self, base: str, start_ms: int, end_ms: int) -> list[TradeEvent]:
        coin, stop = self._coin(base), min(end_ms, self._clock() + 1)
        if coin is None:
            return []
        return [
            TradeEvent(ts, EXCHANGES[venue], base, price, usd, "sell" if side else "buy")
            for ts, side, venue, price, usd in coin.trades(start_ms, stop)
        ]

    def account_long_share(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> ValueColumns:
        return self._crowd("account_share", base, exchange, interval_ms, start_ms, end_ms)

    def top_account_long_share(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> ValueColumns:
        return self._crowd("top_account_share", base, exchange, interval_ms, start_ms, end_ms)

    def top_position_long_share(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> ValueColumns:
        return self._crowd("top_position_share", base, exchange, interval_ms, start_ms, end_ms)

    def _crowd(
        self, name: str, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> ValueColumns:
        coin, span = self._coin(base), self._span(interval_ms, start_ms, end_ms)
        if coin is None or span is None or not _is_listed(base, exchange):
            return no_values()
        # The crowds of the exchanges lean the same way with a steady difference of under two points.
        lean = (EXCHANGES.index(exchange) - 2) * 0.004
        share = np.clip(coin.level(span, name) + lean, 0.02, 0.98)
        return _values(span, np.asarray(np.round(share, 4), np.float64))

    def taker_volume(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> tuple[ValueColumns, ValueColumns]:
        coin, span = self._coin(base), self._span(interval_ms, start_ms, end_ms)
        share = _share(base, (exchange,))
        if coin is None or span is None or share == 0:
            return no_values(), no_values()
        rows, hours = coin.rows(span), coin.hours(span.now_ms)
        groups = Groups(rows.open_ms, interval_ms)
        buy, sell = (
            _values(span, groups.total(rows.flow * side[rows.hour] * share))
            for side in (hours.buy_usd, hours.sell_usd)
        )
        return buy, sell

    def galaxy_score(self, base: str, interval_ms: int, start_ms: int, end_ms: int) -> ValueColumns:
        coin, span = self._coin(base), self._span(interval_ms, start_ms, end_ms)
        if coin is None or span is None:
            return no_values()
        return _values(span, np.asarray(np.round(coin.level(span, "galaxy"), 1), np.float64))

    def fear_greed(self, start_ms: int, end_ms: int) -> ValueColumns:
        """Greed after a month of rising BTC, fear after a falling one; whole numbers, final from 00:00."""
        coin = self._coin("BTC")
        floor = EPOCH_MS + _FEAR_GREED_DAYS * DAY_MS
        first = ceil_open(max(start_ms, floor), DAY_MS)
        stamps = np.arange(first, min(end_ms, self._clock() + 1), DAY_MS, dtype=np.int64)
        if coin is None or stamps.size == 0:
            return no_values()
        close = coin.hours(int(stamps[-1])).close
        hour = (stamps - EPOCH_MS) // HOUR_MS
        month = np.log(close[hour - 1] / close[np.maximum(hour - 1 - _FEAR_GREED_DAYS * 24, 0)])
        day = hour // 24
        wobble = generator(self._seed, 6).normal(0, 3, 4096)[day % 4096]
        index = np.clip(np.round(50 + 42 * np.tanh(month / 0.16) + wobble), 3, 97)
        return ValueColumns(stamps, index, np.ones(stamps.size, bool))


def _share(base: str, exchanges: tuple[str, ...]) -> float:
    """Part of the market these exchanges hold; 0 for names nobody knows. ("All",) is 1."""
    if base not in MODELS:
        return 0.0
    if "All" in exchanges:
        return 1.0
    shares = exchange_shares(base)
    return float(sum(shares[EXCHANGES.index(name)] for name in set(exchanges) if name in EXCHANGES))


def _is_listed(base: str, exchange: str) -> bool:
    """Whether this very exchange (not "All") lists the coin."""
    return exchange in EXCHANGES and _share(base, (exchange,)) > 0


def _values(span: Span, values: Floats) -> ValueColumns:
    opens = span.opens()
    return ValueColumns(opens, values, span.closed(opens))
