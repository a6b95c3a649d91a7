"""Every event of every coin through windows and detectors: liquidations, trades and prices in, findings out.

Pure and deterministic: the same events in the same order give the same findings, and stored rows give the
same windows again. Knows no gate, no store, no clock. Called by the pipeline for each frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import groupby
from operator import itemgetter
from typing import Final

from app.core.domain.flow import Finding, FlowSnapshot, PriceTick, StreamGap, TradeEvent
from app.core.domain.flow_config import FlowConfig
from app.core.domain.stored import LiquidationRow
from app.core.flow.coin import Coin
from app.core.flow.columns import EXACT_USD, Totals
from app.core.flow.coverage import Coverage
from app.core.flow.market import MARKET, CoinMarket, Figures

IDLE_MS: Final = 86_400_000  # all windows of a coin are empty by then
_SWEEP_MS: Final = 60_000
_EVICTED_AT_ONCE: Final = 16  # a sixteenth of the coins, when there are too many

_by_time = itemgetter(1)


def _minute_of(row: LiquidationRow) -> int:
    return row.ts_event_ms // 60_000


class Scope(StrEnum):
    """What an engine speaks of: in a partition either its coins or, in the market's own, all together."""

    BOTH = "both"
    COINS = "coins"
    MARKET = "market"


class FlowEngine:
    """One per process (or per partition of symbols).

    A frame's findings are those of its state after the last of its events, one for each episode, and each
    change of phase on the way; the events of a frame arrived at the same instant, and a cascade only grows.
    """

    def __init__(self, config: FlowConfig, *, scope: Scope = Scope.BOTH) -> None:
        self._config = config
        self._scope = scope
        self._coverage = Coverage()
        self._coins: dict[str, Coin] = {}
        self._busy: dict[str, Coin] = {}
        self._market = Coin(CoinMarket(MARKET, config, self._coverage))
        self._pulse = Pulse(self._market)
        self._adds: dict[str, Callable[[int, bool, float, float], bool]] = {}
        self._lag = EventLag()
        self._source = ""
        self._figures: dict[str, Figures] = {}
        self._swept_ms = 0
        self._events = self._trades = self._ticks = self._evicted = self._late = self._findings = 0

    def on_liquidations(self, rows: Sequence[LiquidationRow], now_ms: int) -> list[Finding]:
        """New liquidations of one frame, in any order. now_ms: arrival."""
        if not rows:
            return []
        # Events of one frame in the order in which they happened: less patching, and no detector sees a later
        # event before an earlier one that is already here.
        ordered = sorted(rows, key=_by_time)
        self._coverage.begin(ordered[0].ts_event_ms)
        self._lag.note(now_ms, ordered[-1].ts_event_ms)
        self._source = ordered[-1].source
        return self._count(self._feed(ordered))

    def _feed(self, ordered: Sequence[LiquidationRow]) -> list[Finding]:
        """The hot loop: under a microsecond per event while nothing is near a threshold."""
        adds = self._adds
        touched: dict[str, Coin] = {}
        found: list[Finding] = []
        coins = () if self._scope is Scope.MARKET else ordered
        for symbol, ts_ms, _, _, _, _, side, price, usd, _, _, _, _ in coins:
            add = adds.get(symbol)
            if add is None:
                add = self._admit(symbol).market.windows.add
            if add(ts_ms, side == "LONG", usd, price):
                coin = touched[symbol] = self._coins[symbol]
                found += coin.analyse()
        self._events += len(ordered)
        if self._scope is not Scope.COINS and self._pulse.feed(ordered):
            touched[MARKET] = self._pulse.coin
        for symbol, coin in touched.items():
            found += coin.standing()
            self._note_busy(symbol, coin)
        return found

    def on_trades(self, trades: Sequence[TradeEvent], now_ms: int) -> list[Finding]:
        """Trades of one frame, in any order."""
        found: list[Finding] = []
        touched: dict[str, Coin] = {}
        for symbol, exchange, _, is_buy, price, usd, ts_ms in sorted(trades, key=itemgetter(6)):
            coin = touched[symbol] = self._coins.get(symbol) or self._admit(symbol)
            found += coin.trade(ts_ms, is_buy, price, usd, exchange)
        self._trades += len(trades)
        if trades:
            self._lag.note(now_ms, max(trade.ts_event_ms for trade in trades))
        for symbol, coin in touched.items():
            found += coin.flow.standing()
            self._note_busy(symbol, coin)
        return self._count(found)

    def on_ticks(self, ticks: Sequence[PriceTick], now_ms: int) -> list[Finding]:
        """Last traded prices of one frame, in any order."""
        found: list[Finding] = []
        for symbol, exchange, price, ts_ms in sorted(ticks, key=itemgetter(3)):
            coin = self._coins.get(symbol) or self._admit(symbol)
            found += coin.price(ts_ms, price, exchange)
            self._note_busy(symbol, coin)
        self._ticks += len(ticks)
        if ticks:
            self._lag.note(now_ms, max(tick.ts_event_ms for tick in ticks))
        return self._count(found)

    def advance(self, now_ms: int) -> list[Finding]:
        """Time passes without events: phases, verdicts, ends. Call about once a second."""
        if self._lag.is_unknown:
            return []
        as_of_ms = self._lag.event_time(now_ms)
        found: list[Finding] = []
        for symbol, coin in list(self._busy.items()):
            found += coin.pass_time(as_of_ms)
            self._note_busy(symbol, coin)
        if abs(as_of_ms - self._swept_ms) >= _SWEEP_MS:
            self._swept_ms = as_of_ms
            self._evict(symbol for symbol, coin in self._coins.items() if _is_idle(coin, as_of_ms))
        return self._count(found)

    def restore(self, rows: Iterable[LiquidationRow], now_ms: int) -> None:
        """The windows again from stored rows, at the start. What was found then has been said then."""
        ordered = sorted(rows, key=_by_time)
        if not ordered:
            return
        self._coverage.begin(ordered[0].ts_event_ms)
        self._source = ordered[-1].source
        for _, rows_of_minute in groupby(ordered, _minute_of):
            self._feed(list(rows_of_minute))
        for coin in (*self._coins.values(), self._market):
            coin.pass_time(now_ms)
            self._note_busy(coin.market.symbol, coin)

    def note_gap(self, gap: StreamGap) -> None:
        """Events may be missing in this time: comparisons with the past know it from here on."""
        self._coverage.note_gap(gap)
        for coin in self._coins.values():
            coin.break_off()

    def note_market(
        self,
        symbol: str,
        *,
        atr: float | None,
        below: Sequence[float],
        above: Sequence[float],
        as_of_ms: int | None = None,
    ) -> None:
        """What levels are built from: ATR of 1 h in USD, prices of clusters, nearest first; as_of_ms: when
        they were measured. Kept for a coin that nobody saw yet: its first event may be a cascade's."""
        self._figures.pop(symbol, None)
        figures = self._figures[symbol] = Figures(atr, tuple(below), tuple(above), as_of_ms)
        if len(self._figures) > self._config.max_symbols:
            del self._figures[next(iter(self._figures))]
        coin = self._coins.get(symbol)
        if coin is not None:
            coin.market.figures = figures

    def snapshot(self, symbol: str, now_ms: int) -> FlowSnapshot | None:
        """Rolling aggregates as of now; MARKET for all coins together; None for a coin nobody saw."""
        coin = self._market if symbol == MARKET else self._coins.get(symbol)
        return None if coin is None else coin.snapshot(now_ms, source=self._source)

    def symbols(self) -> Sequence[str]:
        """Coins with any event within a day."""
        return tuple(self._coins)

    def counters(self) -> Mapping[str, int]:
        """Since the start. late: liquidations more than the allowed disorder behind; evicted: coins."""
        late = self._late + sum(coin.market.windows.late for coin in self._coins.values())
        return {
            "events": self._events,
            "trades": self._trades,
            "ticks": self._ticks,
            "late": late,
            "symbols": len(self._coins),
            "busy": len(self._busy),
            "evicted": self._evicted,
            "findings": self._findings,
        }

    def _count(self, found: list[Finding]) -> list[Finding]:
        self._findings += len(found)
        return found

    def _note_busy(self, symbol: str, coin: Coin) -> None:
        if coin.is_busy:
            self._busy[symbol] = coin
        else:
            self._busy.pop(symbol, None)

    def _admit(self, symbol: str) -> Coin:
        """A coin seen for the first time; where there are too many, the idlest make room."""
        if len(self._coins) >= self._config.max_symbols:
            many = max(1, len(self._coins) // _EVICTED_AT_ONCE)
            self._evict(sorted(self._coins, key=lambda name: self._coins[name].market.newest_ms)[:many])
        coin = self._coins[symbol] = Coin(CoinMarket(symbol, self._config, self._coverage))
        self._adds[symbol] = coin.market.windows.add
        figures = self._figures.get(symbol)
        if figures is not None:
            coin.market.figures = figures
        return coin

    def _evict(self, symbols: Iterable[str]) -> None:
        for symbol in list(symbols):
            coin = self._coins.pop(symbol)
            del self._adds[symbol]
            self._busy.pop(symbol, None)
            self._late += coin.market.windows.late
            self._evicted += 1


def _is_idle(coin: Coin, as_of_ms: int) -> bool:
    return not coin.is_busy and as_of_ms - coin.market.newest_ms > IDLE_MS


class Pulse:
    """All coins together under the name MARKET: windows without prices, and their z-score."""

    def __init__(self, coin: Coin) -> None:
        self.coin = coin
        self._is_awake = False

    def feed(self, ordered: Sequence[LiquidationRow]) -> bool:
        """The events of one frame, oldest first, summed second by second; whether something may have to be
        said."""
        self._is_awake = False
        current, long_usd, short_usd, longs, shorts, largest = 0, 0.0, 0.0, 0, 0, 0.0
        for row in ordered:
            second = row[1] // 1000
            if second != current:
                self._add(current, Totals(long_usd, short_usd, longs, shorts), largest)
                current, long_usd, short_usd, longs, shorts, largest = second, 0.0, 0.0, 0, 0, 0.0
            usd = (row[8] + EXACT_USD) - EXACT_USD
            if row[6] == "LONG":
                long_usd += usd
                longs += 1
            else:
                short_usd += usd
                shorts += 1
            if usd > largest:
                largest = usd
        self._add(current, Totals(long_usd, short_usd, longs, shorts), largest)
        if self._is_awake:
            self.coin.zscore.look()
        return self._is_awake

    def _add(self, second: int, sums: Totals, largest: float) -> None:
        if second:
            self._is_awake |= self.coin.market.windows.add_sums(second, sums, largest)


class EventLag:
    """How far event time lies behind our clock: the least lag of the last one to two minutes.

    Normally some tenths of a second. Where all venues' clocks (or ours) are minutes off, time still passes at
    the right moment for the windows; a single hour-old event changes nothing.
    """

    def __init__(self) -> None:
        self._minute = 0
        self._now: int | None = None
        self._before: int | None = None

    @property
    def is_unknown(self) -> bool:
        return self._now is None

    def note(self, now_ms: int, newest_event_ms: int) -> None:
        """A frame arrived whose newest event is this."""
        lag = now_ms - newest_event_ms
        if now_ms // 60_000 != self._minute or self._now is None:
            self._minute, self._before, self._now = now_ms // 60_000, self._now, lag
        self._now = min(self._now, lag)

    def event_time(self, now_ms: int) -> int:
        """Event time of this moment."""
        known = [lag for lag in (self._now, self._before) if lag is not None]
        return now_ms - min(known, default=0)
