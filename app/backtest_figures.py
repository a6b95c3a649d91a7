"""Figures of a backtest's report as text: signs, units, sensible digits, and `-` where a figure is unknown.

Owns how one number or interval reads; what stands beside what is `backtest_tables`. A part of `backtest`.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TypeGuard

from app.core.domain.formatting import format_percent, format_signed_percent
from app.core.domain.history import END_OF_TIME_MS
from app.core.domain.track_record import Mean, Share, TradeStats

UNKNOWN = "-"
# From here on digits are noise: powers of ten.
_HUGE = 1e6


def signed(value: float | None, decimals: int) -> str:
    """With its sign, zero without one. Worked numbers with 3 decimals: 0.0084 -> `+0.008`, -0.0001 ->
    `0.000`, 2.5e9 -> `+2.50e+09`."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if abs(value) >= _HUGE:
        return f"{value:+.2e}"
    kept = round(value, decimals)
    return f"{kept:+.{decimals}f}" if kept else f"{0:.{decimals}f}"


def unsigned(value: float | None, decimals: int) -> str:
    """What cannot be negative, such as a Brier score. Worked number with 4 decimals: 0.24913 -> `0.2491`."""
    return signed(value, decimals).removeprefix("+")


def plain(value: float) -> str:
    """In as few digits as it takes: 20.0 -> `20`, 18.75 -> `18.75`."""
    return f"{value:g}" if math.isfinite(value) else UNKNOWN


def bp(frac: float | None) -> str:
    """A fraction in basis points, without the unit: -0.00312 -> `-31.2`."""
    return signed(None if frac is None else frac * 1e4, 1)


def percent(frac: float | None) -> str:
    """A share: 0.4717 -> `47.2 %`."""
    if frac is None or not math.isfinite(frac):
        return UNKNOWN
    if abs(frac) * 100 >= _HUGE:
        return f"{unsigned(frac * 100, 1)} %" if math.isfinite(frac * 100) else UNKNOWN
    return format_percent(frac)


def signed_percent(frac: float | None) -> str:
    """A total in percent of one stake: -0.1234 -> `-12.3 %`."""
    if frac is None or not math.isfinite(frac * 100):
        return UNKNOWN
    if abs(frac) * 100 >= _HUGE:
        return f"{signed(frac * 100, 1)} %"
    kept = round(frac, 3)
    return format_signed_percent(kept) if kept else format_percent(0.0)


def chance(probability: float | None) -> str:
    """A probability that never reads as certain: 0.1234 -> `12 %`, 0.0002 -> `below 0.1 %`, 0.9951 ->
    `99.5 %`, 0.99996 -> `above 99.9 %`."""
    if probability is None or not math.isfinite(probability):
        return UNKNOWN
    if probability < 0.001:
        return "below 0.1 %"
    if probability > 0.999:
        return "above 99.9 %"
    return format_percent(probability, 0 if 0.01 <= probability <= 0.99 else 1)


def count(value: int) -> str:
    """2161 -> `2,161`."""
    return f"{value:,}" if abs(value) < 1e12 else f"{float(value):.2e}"


def effective(value: float | None) -> str:
    """Cut, not rounded: 399.6 has not reached the 400 that a record needs."""
    return UNKNOWN if value is None or not math.isfinite(value) else count(int(value))


def share_interval(share: Share | None) -> str:
    """The interval alone: `41.0 to 53.2 %`."""
    if share is None or not math.isfinite(share.low + share.high):
        return UNKNOWN
    return f"{percent(share.low).removesuffix(' %')} to {percent(share.high)}"


def is_known(mean: Mean | None) -> TypeGuard[Mean]:
    """There is a mean, and all of it can be shown."""
    return mean is not None and all(math.isfinite(part * 1e4) for part in (mean.mean, mean.low, mean.high))


def mean_bp(mean: Mean | None) -> str:
    """With its interval, in basis points: `-3.1 [-12.0, +5.8]`."""
    return UNKNOWN if not is_known(mean) else f"{bp(mean.mean)} [{bp(mean.low)}, {bp(mean.high)}]"


def mean_plain(mean: Mean | None, decimals: int = 3) -> str:
    """With its interval, as it is: `+0.008 [-0.040, +0.056]`."""
    if not is_known(mean):
        return UNKNOWN
    low, high = signed(mean.low, decimals), signed(mean.high, decimals)
    return f"{signed(mean.mean, decimals)} [{low}, {high}]"


def hit_rate(stats: TradeStats) -> str:
    """`47.2 %`, or `-` when nothing was scored."""
    return UNKNOWN if stats.hit_rate is None else percent(stats.hit_rate.share)


def day(at_ms: int | None) -> str:
    """`2025-12-05`."""
    return moment(at_ms)[:10]


def moment(at_ms: int | None) -> str:
    """`2025-12-05 06:00`, in UTC."""
    if at_ms is None or not 0 <= at_ms < END_OF_TIME_MS:
        return UNKNOWN
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M}"
