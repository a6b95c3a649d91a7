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


def estimate_levels(
    bars: Sequence[InterestBar], price_usd: float, margin_frac: float, *, atr_usd: float
) -> tuple[Level, ...]:
    """Levels still alive after `bars`, within 10 ATR of the price, lowest first.

    New interest opens longs (takers' buys) and shorts at the bar's price at each leverage; falling interest
    thins all levels alike; every level halves in 72 h and is gone from the first later bar that trades at it.
    """
    usable = {lev: share for lev, share in LEVERAGE_WEIGHTS.items() if 1.0 / lev > margin_frac}
    leverages = np.array(list(usable), dtype=np.float64)
    shares = np.array(list(usable.values()))
    long_at = (1.0 - 1.0 / leverages) / (1.0 - margin_frac)
    short_at = (1.0 + 1.0 / leverages) / (1.0 + margin_frac)
    price, usd, held = np.empty(0), np.empty(0), np.empty(0)
    is_long = np.empty(0, dtype=np.bool_)
    for bar in bars:
        alive = np.where(is_long, bar.low_usd > price, bar.high_usd < price)
        price, is_long, held = price[alive], is_long[alive], held[alive]
        usd = usd[alive] * 2.0 ** (-bar.interval_ms / HALF_LIFE_MS)
        if bar.new_usd <= 0:
            usd = usd * bar.left_frac if bar.new_usd < 0 else usd
            continue
        price = np.concatenate((price, bar.typical_usd * long_at, bar.typical_usd * short_at))
        bought = bar.new_usd * bar.buy_frac * shares
        usd = np.concatenate((usd, bought, bar.new_usd * (1.0 - bar.buy_frac) * shares))
        is_long = np.concatenate((is_long, np.repeat([True, False], leverages.size)))
        held = np.concatenate((held, leverages, leverages))
    found = sorted(zip(price.tolist(), usd.tolist(), is_long.tolist(), held.tolist(), strict=True))
    return tuple(
        Level(level_usd, size, PositionSide.LONG if long else PositionSide.SHORT, leverage)
        for level_usd, size, long, leverage in found
        # A level on the wrong side of the price would have been traded at: the newest trade is after the
        # bars.
        if size > 0
        and long == (level_usd < price_usd)
        and abs(level_usd - price_usd) <= MAX_DISTANCE_ATR * atr_usd
    )
