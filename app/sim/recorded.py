"""A recorded market: a folder of CSV files answered as `MarketSource`, for replays and tests on real data.

Owns which file answers what, units (percent to fraction) and the rule that only what was knowable at now is
shown: a bar once it has ended, an event once its stamp has passed. There are no forming bars, nothing is
made up, and a bar with a hole in it is absent. Built by `python -m app.sim --source FOLDER`.

Scopes: liquidations and USD open interest of a coin with a CoinGlass file are the sum of Binance, OKX and
Bybit, and answer to "All"; coin-unit open interest is Binance alone, and answers to "Binance" and "All".
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np

from app.core.domain.market import HOUR_MS
from app.sim.bars import (
    MINUTE_MS,
    Groups,
    ceil_open,
    floor_open,
    is_interval,
    no_candles,
    no_liquidations,
    no_values,
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
from app.sim.recorded_events import list_coins, read_funding, read_liquidations, read_trades
from app.sim.recorded_files import Table, find_files
from app.sim.recorded_tables import Tables, closed, last_levels

_LIQUIDATION_SCOPE = {"Binance", "OKX", "Bybit"}
_PRICE_ORDER = ("OKX", "Binance", "Bybit")
_MAX_HOLD_MS = 15 * MINUTE_MS  # how long a snapshot of open interest stands for the present
_EIGHT_HOURS_MS = 8 * HOUR_MS
_Event = TypeVar("_Event", LiquidationEvent, TradeEvent)


class RecordedSource:
    """`MarketSource` over a folder; files are read on first use and kept.

    Args:
        folder: where the files are, at any depth.
        now_ms: market time of the replay.

    Raises:
        ValueError: no such folder, nothing known in it, or (on first use) a file without the columns its
            name promises.
    """

    def __init__(self, folder: Path | str, now_ms: Callable[[], int]) -> None:
        self._files = find_files(Path(folder))
        self._tables = Tables(self._files)
        self._clock = now_ms

    def now_ms(self) -> int:
        return self._clock()

    def coins(self) -> tuple[Coin, ...]:
        """Coins with candles first, then those that occur in liquidation events only (no price)."""
        return self._coins

    @cached_property
    def _coins(self) -> tuple[Coin, ...]:
        return list_coins(self.priced(), self._liquidations)

    def priced(self) -> tuple[str, ...]:
        """Coins that have files of candles, by the names of those; no file is read."""
        return tuple(dict.fromkeys(file.base for file in self._files if file.kind == "candles"))

    def exchanges(self) -> tuple[str, ...]:
        return self._exchanges

    @cached_property
    def _exchanges(self) -> tuple[str, ...]:
        named = {file.exchange for file in self._files if file.exchange}
        named |= {exchange for exchange, _ in self._funding}
        return tuple(sorted(named, key=lambda name: (name not in _PRICE_ORDER, name)))

    def last_price(self, base: str) -> tuple[float, int] | None:
        """The last closed close: OKX, then Binance, then Bybit; the first that is at most one bar old.

        Its time is now while the close is at most one bar old (between bars the price is that close), else
        the end of its bar.
        """
        now = self._clock()
        closes = [close for name in _PRICE_ORDER if (close := self._last_close(base, name, now)) is not None]
        if not closes:
            return None
        price, end_ms, interval_ms = next(
            (close for close in closes if now - close[1] <= close[2]), max(closes, key=lambda close: close[1])
        )
        return price, now if now - end_ms <= interval_ms else end_ms

    def _last_close(self, base: str, exchange: str, now: int) -> tuple[float, int, int] | None:
        found = []
        for interval_ms in self._tables.intervals("candles", base, exchange):
            table = self._tables.table("candles", base, exchange, interval_ms)
            if table is not None:
                row = int(np.searchsorted(table.time_ms, now - interval_ms, side="right")) - 1
                if row >= 0:
                    end_ms = int(table.time_ms[row]) + interval_ms
                    found.append((float(table.columns["close"][row]), end_ms, interval_ms))
        return max(found, key=lambda close: close[1], default=None)

    def candles(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> CandleColumns:
        """From the file of that interval, else built from the longest shorter one that has the time."""
        for row_ms in self._tables.intervals("candles", base, exchange):
            rows = self._rows(("candles", base, exchange, row_ms), interval_ms, start_ms, end_ms)
            if rows is None:
                continue
            groups = Groups(rows.time_ms, interval_ms, row_ms=row_ms)
            if groups.open_ms.size:
                c = rows.columns
                return CandleColumns(
                    groups.open_ms,
                    groups.first(c["open"]),
                    groups.highest(c["high"]),
                    groups.lowest(c["low"]),
                    groups.last(c["close"]),
                    groups.total(c["volume"]),
                    np.ones(groups.open_ms.size, bool),
                )
        return no_candles()

    # Open interest, liquidations, positions

    def open_interest(
        self, base: str, exchange: str, unit: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> ValueColumns:
        """See the scopes above. A coin without a CoinGlass file answers "All" in USD with Binance's too."""
        if exchange == "All" and unit == "usd" and self._tables.intervals("coinglass", base, ""):
            return self._coinglass_level("oi_close", base, interval_ms, start_ms, end_ms)
        return self._snapshots(
            f"oi_{unit}", base, "Binance" if exchange == "All" else exchange, interval_ms, start_ms, end_ms
        )

    def _snapshots(
        self, name: str, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> ValueColumns:
        """A bar's value is the last snapshot at or before its end, at most 15 minutes old."""
        for step_ms in self._tables.intervals("open_interest", base, exchange):
            table = self._tables.table("open_interest", base, exchange, step_ms)
            if table is None or not is_interval(interval_ms) or interval_ms < step_ms:
                continue
            first = ceil_open(max(start_ms, table.first_ms - interval_ms), interval_ms)
            stop = min(end_ms, table.last_ms + 1, floor_open(self._clock(), interval_ms))
            opens = np.arange(first, stop, interval_ms, dtype=np.int64)
            row = np.searchsorted(table.time_ms, opens + interval_ms, side="right") - 1
            known = (row >= 0) & (opens + interval_ms - table.time_ms[row] <= _MAX_HOLD_MS)
            return closed(opens[known], table.columns[name][row[known]])
        return no_values()

    def liquidations(
        self, base: str, exchanges: tuple[str, ...], interval_ms: int, start_ms: int, end_ms: int
    ) -> LiquidationColumns:
        """The recorded sum of Binance, OKX and Bybit, for "All" and for any list that holds the three.

        An hour with nothing on either side is a hole of the recording, not a quiet hour: it is absent.
        """
        if "All" not in exchanges and not set(exchanges) >= _LIQUIDATION_SCOPE:
            return no_liquidations()
        rows = self._rows(("coinglass", base, "", HOUR_MS), interval_ms, start_ms, end_ms)
        if rows is None:
            return no_liquidations()
        longs, shorts = rows.columns["liquidation_long_usd"], rows.columns["liquidation_short_usd"]
        known = (longs > 0) | (shorts > 0)
        groups = Groups(rows.time_ms[known], interval_ms, row_ms=HOUR_MS)
        return LiquidationColumns(
            groups.open_ms,
            groups.total(longs[known]),
            groups.total(shorts[known]),
            np.ones(groups.open_ms.size, bool),
        )

    def account_long_share(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> ValueColumns:
        """Recorded in percent, served as a fraction; rows count as bars stamped by open."""
        for row_ms in self._tables.intervals("accounts", base, exchange):
            rows = self._rows(("accounts", base, exchange, row_ms), interval_ms, start_ms, end_ms)
            if rows is not None:
                share = rows.columns["long_pct"] / 100
                return last_levels(rows, share, row_ms=row_ms, interval_ms=interval_ms)
        return no_values()

    def top_account_long_share(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> ValueColumns:
        """No recording has it."""
        return no_values()

    def top_position_long_share(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> ValueColumns:
        """No recording has it."""
        return no_values()

    def taker_volume(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> tuple[ValueColumns, ValueColumns]:
        """No recording has it."""
        return no_values(), no_values()

    # Funding

    def funding_weighted(self, base: str, interval_ms: int, start_ms: int, end_ms: int) -> ValueColumns:
        """Recorded in percent per 8 h (0.0041 is 0.0041 %), served as a fraction (0.000041)."""
        weighted = self._coinglass_level("oi_weight_close", base, interval_ms, start_ms, end_ms)
        return closed(weighted.open_ms, weighted.values / 100)

    def funding_settled(self, base: str, exchange: str, start_ms: int, end_ms: int) -> ValueColumns:
        rates = self._funding.get((exchange, base))
        if rates is None:
            return no_values()
        stamps, values = rates
        first, stop = np.searchsorted(stamps, [start_ms, min(end_ms, self._clock() + 1)])
        return closed(stamps[first:stop], values[first:stop])

    def funding_current(self, base: str, exchange: str) -> tuple[float, int, int] | None:
        """The last SETTLED rate with its settlement and the next one.

        The running period's own rate is the next row of the recording, which is the future. None once the
        next settlement has passed without a row.
        """
        now = self._clock()
        known = self.funding_settled(base, exchange, 0, now + 1)
        if known.values.size == 0:
            return None
        steps = np.diff(known.open_ms[-9:])
        period_ms = int(np.median(steps)) if steps.size else _EIGHT_HOURS_MS
        previous = int(known.open_ms[-1])
        if now >= previous + period_ms:
            return None
        return float(known.values[-1]), previous, previous + period_ms

    @cached_property
    def _funding(self) -> dict[tuple[str, str], tuple[Int64s, Floats]]:
        return read_funding([file for file in self._files if file.kind == "funding"])

    # Sentiment and events

    def galaxy_score(self, base: str, interval_ms: int, start_ms: int, end_ms: int) -> ValueColumns:
        """No recording has it."""
        return no_values()

    def fear_greed(self, start_ms: int, end_ms: int) -> ValueColumns:
        """A day's index is known from 00:00 of its day."""
        table = self._tables.table("fear_greed", "", "", 0)
        if table is None:
            return no_values()
        first, stop = np.searchsorted(table.time_ms, [start_ms, min(end_ms, self._clock() + 1)])
        return closed(table.time_ms[first:stop], table.columns["value"][first:stop])

    def liquidation_events(
        self, start_ms: int, end_ms: int, base: str | None = None
    ) -> list[LiquidationEvent]:
        events = self._passed(self._liquidations, start_ms, end_ms)
        return [event for event in events if base in (None, event.base)]

    def trade_events(self, base: str, start_ms: int, end_ms: int) -> list[TradeEvent]:
        return self._passed(self._trades.get(base, []), start_ms, end_ms)

    @cached_property
    def _liquidations(self) -> list[LiquidationEvent]:
        return read_liquidations([file for file in self._files if file.kind == "events"])

    @cached_property
    def _trades(self) -> dict[str, list[TradeEvent]]:
        trades: dict[str, list[TradeEvent]] = {}
        for trade in read_trades([file for file in self._files if file.kind == "trades"]):
            trades.setdefault(trade.base, []).append(trade)
        return trades

    def _passed(self, events: Sequence[_Event], start_ms: int, end_ms: int) -> list[_Event]:
        """Events in [start, end) whose stamp is not after now."""
        stop_ms = min(end_ms, self._clock() + 1)
        first = bisect_left(events, start_ms, key=_time_of)
        return list(events[first : bisect_left(events, stop_ms, lo=first, key=_time_of)])

    def _rows(
        self, key: tuple[str, str, str, int], interval_ms: int, start_ms: int, end_ms: int
    ) -> Table | None:
        return self._tables.closed_rows(key, interval_ms, start_ms, end_ms, now_ms=self._clock())

    def _coinglass_level(
        self, name: str, base: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> ValueColumns:
        rows = self._rows(("coinglass", base, "", HOUR_MS), interval_ms, start_ms, end_ms)
        if rows is None:
            return no_values()
        return last_levels(rows, rows.columns[name], row_ms=HOUR_MS, interval_ms=interval_ms)


def _time_of(event: LiquidationEvent | TradeEvent) -> int:
    return event.ts_ms
