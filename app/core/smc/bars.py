"""The candles the Smart Money engine works on: closed, ordered, columnar, with ATR and volume mean.

Owns what happens to bad input (`build_bars`) and the two running figures every detector shares. Arithmetic is
sequential, so that a bar-by-bar run (`engine`) comes to the same bits. Source: the definitions, conventions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from app.core.domain.market import Candles
from app.core.errors import InvariantViolation

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
# Columns of one table on their way there: their types differ.
Columns: TypeAlias = list[NDArray[Any]]

# "Not happened (yet)": later than every bar. Compares as it should, and indexing with it raises.
NEVER = 1 << 60
ATR_BARS = 14  # Wilder's
VOLUME_BARS = 20


@dataclass(frozen=True, slots=True)
class Bars:
    """Closed candles in order of time, all columns of one length.

    close_ms: when each bar closed (strictly increasing). Prices in the quote currency; volume in base coins,
    NaN throughout where the provider gives none. atr: Wilder's ATR(14), NaN for the first 13 bars.
    volume_mean: mean volume of 20 bars, NaN for the first 19. missing_bars: holes between the bars.
    """

    interval_ms: int
    close_ms: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    atr: Floats
    volume_mean: Floats
    missing_bars: int

    def __len__(self) -> int:
        return self.close_ms.size

    def tail(self, bars: int) -> Bars:
        """The newest bars only, with the ATR and means they had in the whole."""
        return self._cut(slice(-bars, None))

    def first(self, bars: int) -> Bars:
        """The oldest bars only."""
        return self._cut(slice(None, bars))

    def _cut(self, part: slice) -> Bars:
        return Bars(
            self.interval_ms,
            self.close_ms[part],
            self.open[part],
            self.high[part],
            self.low[part],
            self.close[part],
            self.volume[part],
            self.atr[part],
            self.volume_mean[part],
            self.missing_bars,
        )

    def mirrored(self) -> Bars:
        """The market upside down: (O, H, L, C) -> (-O, -L, -H, -C); ATR and volume stay as they are."""
        return Bars(
            self.interval_ms,
            self.close_ms,
            -self.open,
            -self.low,
            -self.high,
            -self.close,
            self.volume,
            self.atr,
            self.volume_mean,
            self.missing_bars,
        )


def build_bars(candles: Candles, as_of_ms: int) -> Bars:
    """Bars out of whatever order the candles come in.

    A candle that had not closed at `as_of_ms` is left out (a forming candle is never input), of two with the
    same close the later given counts, the order of time is restored, holes are counted and not filled.

    Raises:
        InvariantViolation: a price that is not finite, or an open or close outside of high and low.
    """
    order = {close_ms: index for index, close_ms in enumerate(candles.close_ms) if close_ms <= as_of_ms}
    kept = [order[close_ms] for close_ms in sorted(order)]
    open_, high, low, close = (
        np.array([column[index] for index in kept], dtype=np.float64)
        for column in (candles.open, candles.high, candles.low, candles.close)
    )
    volume = np.full(len(kept), np.nan)
    if candles.volume_base is not None:
        volume = np.array([candles.volume_base[index] for index in kept], dtype=np.float64)
    close_ms = np.array(sorted(order), dtype=np.int64)
    return bars_of_columns(candles.interval_ms, close_ms, open_, high, low, close, volume)


def bars_of_columns(
    interval_ms: int, close_ms: Ints, open_: Floats, high: Floats, low: Floats, close: Floats, volume: Floats
) -> Bars:
    """Bars out of clean columns. Raises: InvariantViolation, see `build_bars`."""
    if close_ms.size and not (
        np.isfinite(open_ + high + low + close).all()
        and (high >= np.maximum(open_, close)).all()
        and (low <= np.minimum(open_, close)).all()
    ):
        raise InvariantViolation("a candle has a price that is not finite or outside of its high and low")
    steps = np.diff(close_ms)
    if (steps <= 0).any():
        raise InvariantViolation("candles are not in order of time")
    missing = int((steps // interval_ms - 1).clip(0).sum())
    atr = wilder_atr(high, low, close)
    return Bars(
        interval_ms,
        close_ms,
        open_,
        high,
        low,
        close,
        volume,
        atr,
        running_mean(volume, VOLUME_BARS),
        missing,
    )


def wilder_atr(high: Floats, low: Floats, close: Floats) -> Floats:
    """Average true range. ATR_13 = mean(TR_0..TR_13), then (13 ATR + TR)/14; NaN before bar 13.

    Worked number: fourteen bars of range 2 that do not jump, then one of range 16 -> 2, then 3.
    """
    ranges = high - low
    if close.size > 1:
        before = close[:-1]
        wider = np.maximum(np.abs(high[1:] - before), np.abs(low[1:] - before))
        ranges = np.concatenate((ranges[:1], np.maximum(ranges[1:], wider)))
    atr = np.full(ranges.size, np.nan)
    if ranges.size >= ATR_BARS:
        listed = ranges.tolist()
        atr[ATR_BARS - 1] = now = mean_of(listed[:ATR_BARS])
        # `next_atr` written out: a call for each bar would take most of the time of a long history.
        atr[ATR_BARS:] = [now := (13.0 * now + true_range) / 14.0 for true_range in listed[ATR_BARS:]]
    return atr


def next_atr(atr: float, true_range: float) -> float:
    """One step of Wilder's average."""
    return (13.0 * atr + true_range) / 14.0


def mean_of(values: Sequence[float]) -> float:
    """Left to right, in every form of the engine the same."""
    return list(accumulate(values))[-1] / len(values)


def running_mean(values: Floats, bars: int) -> Floats:
    """Mean of the last `bars` values out of running sums; NaN before there are so many."""
    found = np.full(values.size, np.nan)
    if values.size >= bars:
        sums = np.concatenate(([0.0], np.cumsum(values)))
        found[bars - 1 :] = (sums[bars:] - sums[:-bars]) / bars
    return found


def in_atr(distance: Floats, atr: Floats) -> Floats:
    """Distances in units of ATR; NaN where ATR is not known or zero (flat prices)."""
    found = np.full(atr.size, np.nan)
    np.divide(distance, atr, out=found, where=atr > 0)
    return found
