"""Hands every closed bar that a signal was computed from to the store, each about once.

Owns the memory of what was handed on; rows are made in `history_rows`, buffered and written behind the
`MarketWriter`. Never waits and never fails an answer.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from app.core.domain.context import EnhancedSignalContext
from app.core.domain.derivatives import OpenInterestHistory
from app.core.domain.market import Candles, Series
from app.core.domain.quality import Missing, Reading
from app.core.domain.stored import MarketRow, RatioScope, SeriesName
from app.core.store_ports import MarketWriter
from app.services.history_rows import (
    as_interest,
    candle_rows,
    exchange_of,
    funding_rows,
    interest_rows,
    interval_text,
    pick_bars,
    ratio_rows,
)

# Seven histories a coin: room for 700 coins. One that falls out is handed on again, which changes nothing.
MAX_KEYS = 5_000

_Key: TypeAlias = tuple[str, ...]
_Bars: TypeAlias = Candles | Series | OpenInterestHistory


class HistoryRecorder:
    """Remembers the newest bar handed on of every history.

    A bar is handed on when it is first seen and once more with the bar after it: providers correct their
    newest bar for a while, and a row written twice is one row. What a full buffer turned away is handed on
    again with the next signal.
    """

    def __init__(self, writer: MarketWriter, *, max_keys: int = MAX_KEYS) -> None:
        self._writer = writer
        self._max_keys = max_keys
        self._newest: OrderedDict[_Key, int] = OrderedDict()

    def record(self, context: EnhancedSignalContext) -> None:
        """Hand on the new bars of a context. Bars that were not closed at its `as_of_ms` stay out."""
        coin, until_ms = context.symbol.base, context.as_of_ms
        if isinstance(context.candles, Reading):
            self._candles(coin, context.candles, until_ms)
        if isinstance(context.funding, Reading):
            self._funding(coin, context.funding, until_ms)
        self._ratio(coin, RatioScope.GLOBAL_ACCOUNT, context.account_ratio, until_ms)
        self._ratio(coin, RatioScope.TOP_POSITION, context.top_position_ratio, until_ms)
        found = (context.open_interest_usd, context.open_interest_base)
        self._interest(coin, [_with_bars(item) for item in found if isinstance(item, Reading)], until_ms, "")

    def record_interest(self, coin: str, reading: Reading[OpenInterestHistory], until_ms: int) -> None:
        """Hand on the new bars of one open interest history with its open, high and low.

        They complete bars of which a signal kept the close, so they count as learned now: the store lets no
        older word change a newer one.
        """
        learned = replace(reading, ts_init_ms=max(reading.ts_init_ms, until_ms))
        self._interest(coin, [learned], until_ms, "ohlc")

    def _candles(self, coin: str, reading: Reading[Candles], until_ms: int) -> None:
        interval = interval_text(reading.value.interval_ms)
        if interval is not None:
            key = (SeriesName.CANDLES, coin, reading.value.exchange, interval)
            self._hand_on(key, reading.value, until_ms, lambda p: candle_rows(coin, interval, reading, p))

    def _funding(self, coin: str, reading: Reading[Series], until_ms: int) -> None:
        place = _place(reading.value, reading.provider)
        if place is not None:
            key = (SeriesName.FUNDING, coin, *place)
            self._hand_on(key, reading.value, until_ms, lambda p: funding_rows(coin, *place, reading, p))

    def _ratio(self, coin: str, scope: RatioScope, reading: Reading[Series] | Missing, until_ms: int) -> None:
        place = _place(reading.value, reading.provider) if isinstance(reading, Reading) else None
        if isinstance(reading, Reading) and place is not None:
            key = (SeriesName.LONG_SHORT, scope, coin, *place)
            self._hand_on(key, reading.value, until_ms, lambda p: ratio_rows(coin, scope, *place, reading, p))

    def _interest(
        self, coin: str, readings: Sequence[Reading[OpenInterestHistory]], until_ms: int, detail: str
    ) -> None:
        """USD and coins of the same exchange, bar size and provider go into one row, others into rows of
        their own: the total of all exchanges must never stand beside the coins of one."""
        groups: dict[tuple[str, ...], list[Reading[OpenInterestHistory]]] = {}
        for reading in readings:
            place = _place(reading.value, reading.provider)
            if place is not None:
                groups.setdefault((*place, reading.provider), []).append(reading)
        for (exchange, interval, _), group in groups.items():
            newest: dict[_Key, int] = {}
            closes: set[int] = set()
            for reading in group:
                key = (SeriesName.OPEN_INTEREST, coin, exchange, interval, reading.value.unit, detail)
                picked = self._pick(key, reading.value, until_ms)
                if picked:
                    newest[key] = reading.value.close_ms[picked[-1]]
                    closes |= {reading.value.close_ms[index] for index in picked}
            if closes:
                self._put(newest, interest_rows(coin, exchange, interval, group, sorted(closes)))

    def _hand_on(
        self, key: _Key, bars: _Bars, until_ms: int, build: Callable[[list[int]], Sequence[MarketRow]]
    ) -> None:
        picked = self._pick(key, bars, until_ms)
        if picked:
            self._put({key: bars.close_ms[picked[-1]]}, build(picked))

    def _pick(self, key: _Key, bars: _Bars, until_ms: int) -> list[int]:
        """Bars from the newest one handed on, that one included; none while it is still the newest."""
        known_ms = self._newest.get(key)
        picked = pick_bars(bars.close_ms, bars.interval_ms, from_ms=known_ms or 0, until_ms=until_ms)
        if picked and known_ms is not None and bars.close_ms[picked[-1]] <= known_ms:
            return []
        return picked

    def _put(self, newest: dict[_Key, int], rows: Sequence[MarketRow]) -> None:
        if self._writer.put(rows) < len(rows):
            return  # not remembered, so that the next signal hands them on again
        for key, close_ms in newest.items():
            self._newest[key] = close_ms
            self._newest.move_to_end(key)
        while len(self._newest) > self._max_keys:
            self._newest.popitem(last=False)


def _place(bars: Series | OpenInterestHistory, provider: str) -> tuple[str, str] | None:
    """Exchange and bar size, None when the store has no name for one of them."""
    exchange, interval = exchange_of(bars.label, provider), interval_text(bars.interval_ms)
    return None if exchange is None or interval is None else (exchange, interval)


def _with_bars(reading: Reading[Series]) -> Reading[OpenInterestHistory]:
    return Reading(
        value=as_interest(reading.value),
        provider=reading.provider,
        endpoint=reading.endpoint,
        ts_event_ms=reading.ts_event_ms,
        ts_init_ms=reading.ts_init_ms,
        cache=reading.cache,
    )
