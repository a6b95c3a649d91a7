"""What the study of cascades replays: recorded forced orders and trades, or the simulator's. A part of
`flow_study`, split off.

Owns which recordings belong together, which price path a coin has and what an hour's ATR was; judges nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

from app.backtest_data import load_recordings
from app.core.domain.alerts import Alert
from app.core.domain.flow import Finding, LiquidationEvent, PriceTick, StreamFrame, TradeEvent
from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.domain.outcomes import Unscorable
from app.core.domain.stored import LiquidationRow
from app.core.flow.identify import Identifier
from app.core.outcomes.baseline import Twins
from app.core.outcomes.first_touch import PathBar, Plan, Result, tick
from app.core.smc.bars import Bars, bars_of_columns
from app.recorded_cells import Reading
from app.recorded_liquidations import read_liquidations
from app.sim.market import CandleColumns
from app.sim.market import LiquidationEvent as SimulatedOrder
from app.sim.recorded_events import read_funding, read_trades
from app.sim.recorded_files import DataFile, find_files, read_table
from app.sim.world import SyntheticWorld
from app.sim.world_tide import EPOCH_MS

_MINUTE_MS = 60_000
# A trade may run this long after the last event of a capture.
_AFTER_MS = 25 * HOUR_MS
_FUNDING_EXCHANGE = "Binance"
_PRICES = ("open", "high", "low", "close")

SIM_COINS = ("BTC", "ETH", "SOL")
SIM_DAYS = 7
# Far enough into the world that its hours have a past.
_SIM_FIRST_DAY = 400
_SIM_TICK_MS = 15_000


@dataclass(slots=True)
class Capture:
    """One stretch of recording. unsided: forced orders that do not say whose position was closed."""

    name: str
    liquidations: list[LiquidationRow]
    trades: list[TradeEvent]
    ticks: list[PriceTick]
    unsided: int = 0

    @property
    def first_ms(self) -> int:
        stamps = [row.ts_event_ms for row in self.liquidations[:1]]
        return min(stamps + [trade.ts_event_ms for trade in self.trades[:1]])

    @property
    def last_ms(self) -> int:
        stamps = [row.ts_event_ms for row in self.liquidations[-1:]]
        return max(stamps + [trade.ts_event_ms for trade in self.trades[-1:]])


@dataclass(slots=True)
class Prices:
    """Price paths of coins, finest first, hourly bars for the ATR, funding settlements."""

    paths: dict[str, list[tuple[str, list[PathBar]]]] = field(default_factory=dict)
    hours: dict[str, Bars] = field(default_factory=dict)
    funding: dict[str, list[tuple[int, float]]] = field(default_factory=dict)

    def atr(self, symbol: str, at_ms: int) -> float | None:
        """ATR(1h) in USD of the newest hour that had closed by then; None unknown or older than an hour."""
        bars = self.hours.get(symbol)
        if bars is None:
            return None
        row = int(bars.close_ms.searchsorted(at_ms, side="right")) - 1
        if row < 0 or at_ms - int(bars.close_ms[row]) > HOUR_MS:
            return None
        atr = float(bars.atr[row])
        return atr if atr > 0 else None

    def settlements(self, symbol: str, from_ms: int, to_ms: int) -> Sequence[tuple[int, float]] | None:
        """Real funding stamps around a trade; None where the recording does not reach."""
        rates = self.funding.get(symbol)
        if not rates or from_ms < rates[0][0] or to_ms > rates[-1][0]:
            return None
        first = bisect_right(rates, from_ms, key=lambda rate: rate[0])
        return rates[first : bisect_right(rates, to_ms, key=lambda rate: rate[0])]


@dataclass(slots=True)
class Cascade:
    """One cascade from its first finding to its last. usd: all that it liquidated. phases: in the
    order in which they came, each once."""

    first: Finding
    last: Finding
    usd: float
    phases: list[str]


@dataclass(frozen=True, slots=True)
class Scored:
    """One directional alert at one horizon. result None: unscorable, for this reason."""

    alert: Alert
    horizon: str
    path: str
    plan: Plan | None
    result: Result | None
    reason: Unscorable | None
    twins: Twins | None


@dataclass(slots=True)
class Study:
    """What one capture showed. alerts: by kind and direction, each episode once."""

    capture: Capture
    cascades: list[Cascade] = field(default_factory=list)
    alerts: Counter[str] = field(default_factory=Counter)
    scored: list[Scored] = field(default_factory=list)


def load_captures(folder: Path) -> tuple[Capture, ...]:
    """Recorded forced orders and trades; recordings that overlap in time are one capture, in order of time.

    Raises:
        ValueError: no folder, or nothing in it that can be replayed.
    """
    parts = [part for file in find_files(folder) if (part := _part(file)) is not None]
    if not parts:
        raise ValueError(f"no recorded forced orders or trades in {folder}")
    parts.sort(key=lambda part: part.first_ms)
    joined = [parts[0]]
    for part in parts[1:]:
        if part.first_ms <= joined[-1].last_ms:
            joined[-1] = _join(joined[-1], part)
        else:
            joined.append(part)
    return tuple(joined)


def _part(file: DataFile) -> Capture | None:
    if file.kind == "trades":
        trades = [
            TradeEvent(
                one.base,
                one.exchange,
                f"{one.base}USDT",
                one.taker == "buy",
                one.price_usd,
                one.usd,
                one.ts_ms,
            )
            for one in read_trades([file])
        ]
        return Capture(f"{file.exchange} trades", [], trades, []) if trades else None
    if file.kind != "events":
        return None
    reading = Reading(file, 0)
    rows = [row._replace(ts_init_ms=row.ts_event_ms) for row in read_liquidations(reading)]
    if not rows:
        return None
    # `extras` names the order's price where the row's own is that of the fill: only a fill was traded.
    ticks = [
        PriceTick(row.symbol, row.exchange, row.price, row.ts_event_ms)
        for row in rows
        if row.extras is not None
    ]
    return Capture(f"{file.exchange} forced orders", rows, [], ticks, sum(reading.skipped.values()))


def _join(one: Capture, other: Capture) -> Capture:
    return Capture(
        " + ".join(dict.fromkeys([*one.name.split(" + "), other.name])),
        sorted([*one.liquidations, *other.liquidations], key=lambda row: row.ts_event_ms),
        sorted([*one.trades, *other.trades], key=lambda row: row.ts_event_ms),
        sorted([*one.ticks, *other.ticks], key=lambda row: row.ts_event_ms),
        one.unsided + other.unsided,
    )


def load_prices(folder: Path, captures: Iterable[Capture]) -> Prices:
    """Traded prices of the captures themselves, recorded candles of perpetuals around them, hours for ATR."""
    prices, files, captures = Prices(), find_files(folder), list(captures)
    for symbol, path in _traded(captures).items():
        prices.paths[symbol] = [("trades and fills", path)]
    candles = sorted((file for file in files if file.kind == "candles"), key=lambda file: file.interval_ms)
    for file in candles:
        table = read_table([file.path], "open_time_ms", _PRICES)
        rows = zip(table.time_ms.tolist(), *(table.columns[name].tolist() for name in _PRICES), strict=True)
        path = [PathBar(at, at + file.interval_ms, *ohlc) for at, *ohlc in rows if _is_near(at, captures)]
        if path:
            name = f"{file.exchange} {file.interval_ms // _MINUTE_MS} min"
            prices.paths.setdefault(file.base, []).append((name, path))
    prices.hours = {one.base: one.bars for one in load_recordings(folder, HOUR_MS)}
    funding = read_funding([file for file in files if file.kind == "funding"])
    for (exchange, base), (stamps, rates) in funding.items():
        if exchange == _FUNDING_EXCHANGE:
            prices.funding[base] = list(zip(stamps.tolist(), rates.tolist(), strict=True))
    return prices


def _traded(captures: Sequence[Capture]) -> Mapping[str, list[PathBar]]:
    found: dict[str, list[PathBar]] = {}
    for capture in captures:
        prices = [(one.ts_event_ms, one.symbol, one.price) for one in capture.trades]
        prices += [(one.ts_event_ms, one.symbol, one.price) for one in capture.ticks]
        for at_ms, symbol, price in sorted(prices, key=itemgetter(0)):
            found.setdefault(symbol, []).append(tick(at_ms, price))
    return found


def _is_near(at_ms: int, captures: Sequence[Capture]) -> bool:
    return any(one.first_ms - HOUR_MS <= at_ms <= one.last_ms + _AFTER_MS for one in captures)


def simulate(seed: int, *, days: int = SIM_DAYS, coins: Sequence[str] = SIM_COINS) -> tuple[Capture, Prices]:
    """Some days of the simulator's world, with one-minute candles for a path and a price every 15 seconds."""
    start_ms = EPOCH_MS + _SIM_FIRST_DAY * DAY_MS
    end_ms = start_ms + days * DAY_MS
    world = SyntheticWorld(seed, lambda: end_ms + 2 * DAY_MS)
    prices, ticks, events = Prices(), [], []
    for coin in coins:
        events += world.liquidation_events(start_ms, end_ms, coin)
        minutes = _candles(world, coin, _MINUTE_MS, start_ms, end_ms + _AFTER_MS)
        path = [PathBar(*row) for row in _rows_of(minutes, _MINUTE_MS)]
        prices.paths[coin] = [("simulated minutes", path)]
        ticks += [one for bar in path if bar.start_ms < end_ms for one in _ticks(coin, bar)]
        hours = _candles(world, coin, HOUR_MS, start_ms - 2 * DAY_MS, end_ms + _AFTER_MS)
        prices.hours[coin] = _bars(hours)
    ticks.sort(key=lambda one: one.ts_event_ms)
    name = f"Simulated world, seed {seed}, {days} days of {', '.join(coins)}"
    return Capture(name, _identified(events), [], ticks), prices


def _candles(world: SyntheticWorld, coin: str, length_ms: int, start_ms: int, end_ms: int) -> CandleColumns:
    return world.candles(coin, _FUNDING_EXCHANGE, length_ms, start_ms, end_ms)


def _rows_of(candles: CandleColumns, length_ms: int) -> Iterable[tuple[int, int, float, float, float, float]]:
    columns = (candles.open, candles.high, candles.low, candles.close)
    opens = candles.open_ms.tolist()
    ends = [at + length_ms for at in opens]
    return zip(opens, ends, *(column.tolist() for column in columns), strict=True)


def _bars(hours: CandleColumns) -> Bars:
    ends = hours.open_ms + HOUR_MS
    return bars_of_columns(HOUR_MS, ends, hours.open, hours.high, hours.low, hours.close, hours.volume_base)


def _ticks(coin: str, bar: PathBar) -> Iterable[PriceTick]:
    """On the line from open to close, where that world has the prices of its forced orders."""
    for at_ms in range(bar.start_ms, bar.end_ms, _SIM_TICK_MS):
        part = (at_ms - bar.start_ms) / _MINUTE_MS
        yield PriceTick(coin, "simulated", bar.open + (bar.close - bar.open) * part, at_ms)


def _identified(events: Iterable[SimulatedOrder]) -> list[LiquidationRow]:
    identifier = Identifier()
    rows: list[LiquidationRow] = []
    for one in sorted(events, key=lambda event: event.ts_ms):
        side = one.liquidated.upper()
        pair = f"{one.base}USDT"
        event = LiquidationEvent(one.base, one.exchange, pair, side, one.price_usd, one.usd, None, one.ts_ms)
        rows += identifier.identify(StreamFrame("simulated", one.ts_ms, (event,)))
    return rows
