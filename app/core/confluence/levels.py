"""Liquidation levels: read off CoinGlass's map or heatmap, or estimated from open interest and candles.

The side follows from the price alone: below it longs would be closed (forced sells), above it shorts.
Confluence model, section 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from app.core.domain.derivatives import HeatmapCell, LiquidationLevels, PositionSide
from app.core.domain.liquidity import Level
from app.core.domain.market import DAY_MS, HOUR_MS, Candles, Series, Unit
from app.core.smc.bars import Bools, Floats

# Shares of new positions by leverage. Public tools centre on 25x; where positions can be seen, 85 % of open
# interest sits at 7x or less. ADR 0027 tells why the low end weighs most here.
LEVERAGE_WEIGHTS: Mapping[int, float] = MappingProxyType(
    {3: 0.30, 5: 0.30, 10: 0.20, 20: 0.10, 25: 0.04, 50: 0.04, 100: 0.02}
)
MAINTENANCE_MAJOR = 0.004
MAINTENANCE_OTHER = 0.01
_MAJORS = frozenset({"BTC", "ETH"})
LOOKBACK_MS = 7 * DAY_MS
HALF_LIFE_MS = 72 * HOUR_MS
MAX_DISTANCE_ATR = 10.0
# An estimate stands on hourly bars: its newest figure is up to an hour and its delay old.
MAX_ESTIMATE_AGE_MS = 2 * HOUR_MS


def maintenance_frac(base: str) -> float:
    """Maintenance margin assumed for a coin."""
    return MAINTENANCE_MAJOR if base in _MAJORS else MAINTENANCE_OTHER


def liquidation_price(entry_usd: float, leverage: float, margin_frac: float, *, is_long: bool) -> float:
    """Where a position opened at `entry_usd` is closed by force.

    long entry (1 - 1/l)/(1 - m), short entry (1 + 1/l)/(1 + m). Worked number: entry 60,000, 10x, m 0.004 ->
    54,216.867470 and 65,737.051793.
    """
    if is_long:
        return entry_usd * (1.0 - 1.0 / leverage) / (1.0 - margin_frac)
    return entry_usd * (1.0 + 1.0 / leverage) / (1.0 + margin_frac)


def levels_of_map(found: LiquidationLevels, price_usd: float) -> tuple[Level, ...]:
    """CoinGlass's map; sides by the price of now."""
    return _sided(((level.price_usd, level.size_usd) for level in found.levels), price_usd)


def levels_of_heatmap(cells: Sequence[HeatmapCell], price_usd: float) -> tuple[Level, ...]:
    """The newest column only: a level that is still alive reaches it, and every column repeats it."""
    newest_ms = max((cell.ts_event_ms for cell in cells), default=0)
    return _sided(((c.price_usd, c.size_usd) for c in cells if c.ts_event_ms == newest_ms), price_usd)


def levels_of_record(cells: Sequence[HeatmapCell], price_usd: float) -> tuple[Level, ...]:
    """Liquidations that happened, summed by price over all columns."""
    sums: dict[float, float] = {}
    for cell in cells:
        sums[cell.price_usd] = sums.get(cell.price_usd, 0.0) + cell.size_usd
    return _sided(sums.items(), price_usd)


def _sided(levels: Iterable[tuple[float, float]], price_usd: float) -> tuple[Level, ...]:
    return tuple(
        Level(level_usd, usd, PositionSide.LONG if level_usd < price_usd else PositionSide.SHORT)
        for level_usd, usd in sorted(levels)
        if usd > 0 and level_usd > 0 and level_usd != price_usd
    )


@dataclass(frozen=True, slots=True)
class InterestBar:
    """One bar of the estimate. new_usd: positions that came (above 0) or went (below 0), in USD at the bar's
    price; left_frac: open interest over the bar before's; buy_frac: takers' buys of all taker volume."""

    close_ms: int
    interval_ms: int
    typical_usd: float
    high_usd: float
    low_usd: float
    new_usd: float
    left_frac: float
    buy_frac: float = 0.5


def interest_bars(
    candles: Candles, interest: Series, *, from_ms: int, until_ms: int
) -> tuple[InterestBar, ...]:
    """Candles that closed after `from_ms` and up to `until_ms`, with the change of open interest over each,
    oldest first; empty when none has it at both ends.

    A bar of which it is not known opens nothing, but what it traded still ends levels. Coins are priced at
    the bar, so that a move of the price alone opens no position; of a series in USD the change is taken as it
    stands.
    """
    held = dict(zip(interest.close_ms, interest.values, strict=True))
    found, is_known = [], False
    rows = zip(candles.close_ms, candles.high, candles.low, candles.close, strict=True)
    for close_ms, high, low, close in rows:
        if not from_ms < close_ms <= until_ms:
            continue
        typical = (high + low + close) / 3.0
        now, before = held.get(close_ms), held.get(close_ms - candles.interval_ms)
        new_usd, left = 0.0, 1.0
        if now is not None and before is not None and before > 0:
            new_usd = (now - before) * (typical if interest.unit is Unit.BASE else 1.0)
            left, is_known = now / before, True
        found.append(InterestBar(close_ms, candles.interval_ms, typical, high, low, new_usd, left))
    return tuple(found) if is_known else ()


@dataclass(frozen=True, slots=True)
class SideLevels:
    """Levels of one side as columns, in any order. leverage: as many, or none where nobody states one."""

    price_usd: Floats
    usd: Floats
    leverage: Floats


class LevelBook:
    """The estimate bar by bar.

    New interest opens longs (takers' buys) and shorts at the bar's price at each leverage; falling interest
    thins all levels alike; every level halves in 72 h and is gone from the first later bar that trades at it.
    Two tables, longs and shorts: one row per bar that opened positions, oldest first, and a column per
    leverage; a level that is gone holds nothing.
    """

    __slots__ = ("_born_ms", "_end", "_entry_frac", "_first", "_leverage", "_price", "_share", "_usd")

    def __init__(self, margin_frac: float, *, rows: int = 2 * LOOKBACK_MS // HOUR_MS) -> None:
        """rows: memory for so many bars at first; it grows when they are not enough."""
        usable = {lev: share for lev, share in LEVERAGE_WEIGHTS.items() if 1.0 / lev > margin_frac}
        self._leverage = np.array(list(usable), dtype=np.float64)
        self._share = np.array(list(usable.values()))
        long_at = (1.0 - 1.0 / self._leverage) / (1.0 - margin_frac)
        short_at = (1.0 + 1.0 / self._leverage) / (1.0 + margin_frac)
        self._entry_frac = np.array((long_at, short_at))
        self._born_ms = np.empty(max(rows, 1), dtype=np.int64)
        self._price = np.empty((2, max(rows, 1), len(usable)))
        self._usd = np.empty_like(self._price)
        self._first = self._end = 0

    def take(self, bar: InterestBar) -> None:
        """The next bar: it ends the levels it trades at, and opens new ones."""
        held = slice(self._first, self._end)
        longs, shorts = self._usd[:, held]
        longs[self._price[0, held] >= bar.low_usd] = 0.0
        shorts[self._price[1, held] <= bar.high_usd] = 0.0
        usd = self._usd[:, held]
        usd *= 2.0 ** (-bar.interval_ms / HALF_LIFE_MS)
        if bar.new_usd < 0:
            usd *= bar.left_frac
        elif bar.new_usd > 0:
            self._open(bar)

    def _open(self, bar: InterestBar) -> None:
        if self._end == self._born_ms.size:
            self._make_room()
        self._born_ms[self._end] = bar.close_ms
        self._price[:, self._end] = bar.typical_usd * self._entry_frac
        self._usd[0, self._end] = bar.new_usd * bar.buy_frac * self._share
        self._usd[1, self._end] = bar.new_usd * (1.0 - bar.buy_frac) * self._share
        self._end += 1

    def _make_room(self) -> None:
        """Move what is held to the front, of more memory where more than half of it is held."""
        held, count = slice(self._first, self._end), self._end - self._first
        rows = max(self._born_ms.size, 2 * count)
        born_ms, price = np.empty(rows, dtype=np.int64), np.empty((2, rows, self._leverage.size))
        usd = np.empty_like(price)
        born_ms[:count], price[:, :count] = self._born_ms[held], self._price[:, held]
        usd[:, :count] = self._usd[:, held]
        self._born_ms, self._price, self._usd = born_ms, price, usd
        self._first, self._end = 0, count

    def forget(self, until_ms: int) -> None:
        """Drop what was opened by bars that closed at `until_ms` or before: the look-back of the estimate."""
        born = self._born_ms[self._first : self._end]
        self._first += int(born.searchsorted(until_ms, side="right"))

    def near(self, price_usd: float, atr_usd: float) -> tuple[SideLevels, SideLevels]:
        """Longs and shorts still alive within 10 ATR of the price.

        A level on the wrong side of the price would have been traded at: the newest trade is after the bars.
        """
        (longs, shorts), held = self._price[:, self._first : self._end], slice(self._first, self._end)
        reach = MAX_DISTANCE_ATR * atr_usd
        is_long = (longs < price_usd) & (np.abs(longs - price_usd) <= reach) & (self._usd[0, held] > 0)
        is_short = (shorts >= price_usd) & (np.abs(shorts - price_usd) <= reach) & (self._usd[1, held] > 0)
        return self._picked(0, is_long), self._picked(1, is_short)

    def levels(self, price_usd: float, atr_usd: float) -> tuple[Level, ...]:
        """The same one by one, lowest first: every long lies below the price, and no short does."""
        longs, shorts = self.near(price_usd, atr_usd)
        return (*_listed(longs, PositionSide.LONG), *_listed(shorts, PositionSide.SHORT))

    def _picked(self, side: int, kept: Bools) -> SideLevels:
        held = slice(self._first, self._end)
        leverage = self._leverage[kept.nonzero()[1]]
        return SideLevels(self._price[side, held][kept], self._usd[side, held][kept], leverage)


def estimate_levels(
    bars: Sequence[InterestBar], price_usd: float, margin_frac: float, *, atr_usd: float
) -> tuple[Level, ...]:
    """Levels still alive after `bars` (see `LevelBook`), within 10 ATR of the price, lowest first."""
    book = LevelBook(margin_frac, rows=len(bars))
    for bar in bars:
        book.take(bar)
    return book.levels(price_usd, atr_usd)


def _listed(levels: SideLevels, side: PositionSide) -> list[Level]:
    columns = (levels.price_usd, levels.usd, levels.leverage)
    rows = sorted(zip(*(column.tolist() for column in columns), strict=True))
    return [Level(price, usd, side, leverage) for price, usd, leverage in rows]
