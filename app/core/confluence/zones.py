"""The Smart Money zones that stand now, out of a run over closed candles.

A zone acts the way it should from here: a broken block is a breaker the other way, an inverted gap an inverse
one. Ended, taken, superseded and wholly filled ones are left out. What trades through a zone is known at each
close; the state is as of the last closed candle.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.core.domain.liquidity import SmcZone, ZoneKind, ZoneState
from app.core.smc.bars import Bars, Bools, Floats
from app.core.smc.periods import Period, period_start_ms, standing_levels
from app.core.smc.records import Blocks, Gaps, Pools, SmcRun

# Thinner gaps are the tick of the market, not a gap anybody trades.
MIN_GAP_ATR = 0.1
MAX_DISTANCE_ATR = 10.0
# Zones of candles that closed longer ago are history: nothing is planned on them.
MAX_CANDLE_BARS = 2
_PERIODS = ((Period.DAY, "day"), (Period.WEEK, "week"))


def live_zones(bars: Bars, run: SmcRun, price_usd: float, atr_usd: float) -> tuple[SmcZone, ...]:
    """Zones within 10 ATR of the price, nearest first.

    The run may be of a longer history that begins with these bars: of it counts what was known at the last of
    them, which by law 1 is what a run over the bars alone finds.
    """
    place = _Place(bars, price_usd, MAX_DISTANCE_ATR * atr_usd)
    found = [
        *_swept(place, run),
        *_blocks(place, run.blocks),
        *_gaps(place, run.gaps),
        *_pools(place, run.pools),
        *(zone for zone in _previous(bars) if _distance(zone, price_usd) <= place.reach_usd),
    ]
    return tuple(sorted(found, key=lambda zone: (_distance(zone, price_usd), zone.known_ms)))


@dataclass(frozen=True, slots=True)
class _Place:
    """The last bar, and the prices that count around it."""

    bars: Bars
    price_usd: float
    reach_usd: float

    @property
    def last(self) -> int:
        """Position of the last bar; what happens later has not happened."""
        return len(self.bars) - 1

    def is_near(self, bottom: Floats, top: Floats) -> Bools:
        """Which zones lie within reach of the price."""
        return np.maximum(bottom - self.price_usd, self.price_usd - top) <= self.reach_usd


def _distance(zone: SmcZone, price_usd: float) -> float:
    return max(zone.bottom_usd - price_usd, price_usd - zone.top_usd, 0.0)


def _blocks(place: _Place, table: Blocks) -> Iterator[SmcZone]:
    bars, last = place.bars, place.last
    stands = (table.confirmed_at <= last) & (table.ended_at > last)
    for row in (stands & place.is_near(table.bottom, table.top)).nonzero()[0].tolist():
        bottom, top = float(table.bottom[row]), float(table.top[row])
        broken_at = int(table.broken_at[row])
        if broken_at == last and _closed_back(bars, bool(table.dir[row] > 0), (bottom, top)):
            continue  # reclaimed: see `_swept`
        is_broken = broken_at <= last
        is_bullish = bool(table.dir[row] > 0) != is_broken
        state = ZoneState.UNTOUCHED
        if is_broken or table.touched_at[row] <= last:
            # What broke a block traded through all of it; as a breaker it is no longer fresh.
            state = ZoneState.HALF_FILLED if table.mitigated_at[row] <= last else ZoneState.TOUCHED
            state = ZoneState.TOUCHED if is_broken else state
        yield SmcZone(
            kind=ZoneKind.BREAKER if is_broken else ZoneKind.ORDER_BLOCK,
            is_bullish=is_bullish,
            top_usd=top,
            bottom_usd=bottom,
            state=state,
            label=f"{_word(is_bullish)} {'breaker' if is_broken else 'order block'}",
            formed_ms=int(bars.close_ms[table.i[row]]),
            known_ms=int(bars.close_ms[broken_at if is_broken else table.confirmed_at[row]]),
        )


def _swept(place: _Place, run: SmcRun) -> Iterator[SmcZone]:
    """Blocks and pools that the last candle traded through and closed back beyond: reclaimed, this once."""
    bars, last = place.bars, place.last
    if last < 0:
        return
    blocks, pools = run.blocks, run.pools
    broken = (blocks.broken_at == last) & place.is_near(blocks.bottom, blocks.top)
    for row in broken.nonzero()[0].tolist():
        is_bullish = bool(blocks.dir[row] > 0)
        edges = float(blocks.bottom[row]), float(blocks.top[row])
        if _closed_back(bars, is_bullish, edges):
            formed, label = int(blocks.i[row]), f"{_word(is_bullish)} order block, swept"
            yield _reclaimed(bars, ZoneKind.ORDER_BLOCK, is_bullish, edges, label, formed)
    taken = (pools.taken_at == last) & (pools.superseded_at > last) & place.is_near(*_edges(pools))
    for row in taken.nonzero()[0].tolist():
        is_lows = bool(pools.dir[row] < 0)
        level, edge = float(pools.level[row]), float(pools.edge[row])
        edges = min(level, edge), max(level, edge)
        if _closed_back(bars, is_lows, edges):
            formed, label = int(pools.newest_i[row]), f"equal {'lows' if is_lows else 'highs'}, swept"
            yield _reclaimed(bars, ZoneKind.LIQUIDITY_POOL, is_lows, edges, label, formed)


def _edges(pools: Pools) -> tuple[Floats, Floats]:
    """Bottom and top of every pool."""
    return np.minimum(pools.level, pools.edge), np.maximum(pools.level, pools.edge)


def _closed_back(bars: Bars, is_bullish: bool, edges: tuple[float, float]) -> bool:
    """Did the last candle close beyond the zone, on the side it came from?"""
    close = float(bars.close[-1])
    return close > edges[1] if is_bullish else close < edges[0]


def _reclaimed(
    bars: Bars, kind: ZoneKind, is_bullish: bool, edges: tuple[float, float], label: str, formed: int
) -> SmcZone:
    return SmcZone(
        kind=kind,
        is_bullish=is_bullish,
        top_usd=edges[1],
        bottom_usd=edges[0],
        state=ZoneState.TOUCHED,
        label=label,
        formed_ms=int(bars.close_ms[formed]),
        known_ms=int(bars.close_ms[-1]),
    )


def _gaps(place: _Place, table: Gaps) -> Iterator[SmcZone]:
    bars, last = place.bars, place.last
    stands = (table.confirmed_at <= last) & (table.ended_at > last)
    stands &= (table.filled_at > last) | (table.inverted_at <= last)
    stands &= ~(table.size_atr < MIN_GAP_ATR)
    for row in (stands & place.is_near(table.bottom, table.top)).nonzero()[0].tolist():
        inverted_at = int(table.inverted_at[row])
        is_inverse = inverted_at <= last
        is_bullish = bool(table.dir[row] > 0) != is_inverse
        state = ZoneState.UNTOUCHED
        if is_inverse or table.touched_at[row] <= last:
            half = table.mid_at[row] <= last and not is_inverse
            state = ZoneState.HALF_FILLED if half else ZoneState.TOUCHED
        yield SmcZone(
            kind=ZoneKind.INVERSE_GAP if is_inverse else ZoneKind.FAIR_VALUE_GAP,
            is_bullish=is_bullish,
            top_usd=float(table.top[row]),
            bottom_usd=float(table.bottom[row]),
            state=state,
            label=f"{_word(is_bullish)} {'inverse ' if is_inverse else ''}fair value gap",
            formed_ms=int(bars.close_ms[table.i[row]]),
            known_ms=int(bars.close_ms[inverted_at if is_inverse else table.confirmed_at[row]]),
        )


def _pools(place: _Place, table: Pools) -> Iterator[SmcZone]:
    """Stops rest beyond equal lows (bullish once swept) and above equal highs (bearish)."""
    bars, last = place.bars, place.last
    stands = (table.confirmed_at <= last) & (table.taken_at > last) & (table.superseded_at > last)
    bottom, top = _edges(table)
    for row in (stands & place.is_near(bottom, top)).nonzero()[0].tolist():
        is_lows = bool(table.dir[row] < 0)
        yield SmcZone(
            kind=ZoneKind.LIQUIDITY_POOL,
            is_bullish=is_lows,
            top_usd=float(top[row]),
            bottom_usd=float(bottom[row]),
            state=ZoneState.UNTOUCHED,
            label=f"equal {'lows' if is_lows else 'highs'}, {int(table.count[row])} touches",
            formed_ms=int(bars.close_ms[table.newest_i[row]]),
            known_ms=int(bars.close_ms[table.confirmed_at[row]]),
        )


def _previous(bars: Bars) -> Iterator[SmcZone]:
    """High and low of the day and week before, while this one has not traded beyond."""
    if not len(bars):
        return
    for period, word in _PERIODS:
        if period is Period.DAY and bars.interval_ms >= 24 * 3_600_000:
            continue
        row = standing_levels(bars, period)
        if row is None or row.is_partial:
            continue
        # Known since the period ended, which is when this one began.
        since_ms = period_start_ms(period, int(bars.close_ms[-1]))
        for is_low, level, is_broken in (
            (True, row.low, row.broken_low),
            (False, row.high, row.broken_high),
        ):
            if is_broken:
                continue
            yield SmcZone(
                kind=ZoneKind.PREVIOUS_LEVEL,
                is_bullish=is_low,
                top_usd=level,
                bottom_usd=level,
                state=ZoneState.UNTOUCHED,
                label=f"{'low' if is_low else 'high'} of the {word} before",
                formed_ms=since_ms,
                known_ms=since_ms,
            )


def _word(is_bullish: bool) -> str:
    return "bullish" if is_bullish else "bearish"
