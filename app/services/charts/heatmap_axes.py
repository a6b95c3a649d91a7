"""Where things stand on the heatmap's picture, and in which colour: ranges, ticks, ramps. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from app.core.domain.heatmap import BUCKET_GROWTH, GridRow

Colour = tuple[int, int, int]

# Orange and blue differ in brightness as well as in hue, and stay apart in all three kinds of colour
# blindness (Okabe and Ito's pair). Each runs from barely there to nearly white.
LONG_RAMP: tuple[Colour, ...] = ((58, 36, 14), (166, 98, 8), (240, 160, 20), (255, 224, 140))
SHORT_RAMP: tuple[Colour, ...] = ((16, 42, 68), (22, 98, 160), (74, 168, 240), (176, 224, 255))
# Sums of money span decades: the ramp is logarithmic over this much of them below the largest.
_DECADES = 3.0
# Share of the USD that may lie outside the shown prices, so that one stray order does not squeeze the rest.
_OUTSIDE_FRAC = 0.005
_FEWEST_BUCKETS, _FEWEST_ROWS = 12, 6
_TIME_STEPS_MIN = (1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1440, 2880)


@dataclass(frozen=True, slots=True)
class PriceRange:
    """Shown prices; the axis between them is logarithmic, as the rows are."""

    low_usd: float
    high_usd: float

    def frac(self, price_usd: float) -> float:
        """0 at the lower end, 1 at the upper end, beyond them outside."""
        return math.log(price_usd / self.low_usd) / math.log(self.high_usd / self.low_usd)

    def holds(self, price_usd: float) -> bool:
        return self.low_usd <= price_usd <= self.high_usd


def price_range(rows: Sequence[GridRow], price_usd: float | None, buckets_per_row: int) -> PriceRange:
    """Prices that hold 99.5 % of the USD, the current one if it is near, at least 12 buckets and 6 rows.

    Worked number: one row from 100 to 100.25 -> 98.64 to 101.64, six buckets around its middle.
    """
    total = math.fsum(row.long_usd + row.short_usd for row in rows)
    low = _edge(rows, total).low_usd
    high = _edge(rows[::-1], total).high_usd
    half = BUCKET_GROWTH ** (max(_FEWEST_BUCKETS, _FEWEST_ROWS * buckets_per_row) / 2)
    if price_usd is not None:
        # Near: half of what is shown anyway.
        widest = max(math.sqrt(high / low), half)
        if low / widest <= price_usd <= high * widest:
            low, high = min(low, price_usd), max(high, price_usd)
    middle = math.sqrt(low) * math.sqrt(high)
    return PriceRange(min(low / BUCKET_GROWTH, middle / half), max(high * BUCKET_GROWTH, middle * half))


def _edge(rows: Sequence[GridRow], total_usd: float) -> GridRow:
    """The first row, counted from one end, that is not in the stray half of a half percent."""
    passed = 0.0
    for row in rows:
        passed += row.long_usd + row.short_usd
        if passed > total_usd * _OUTSIDE_FRAC / 2:
            return row
    return rows[0]


def price_ticks(shown: PriceRange, *, most: int) -> list[tuple[float, str]]:
    """Round prices with as many digits as tell them apart: 96,000 and 96,500, or 0.0000118."""
    step = _nice_step((shown.high_usd - shown.low_usd) / most)
    # As many decimals as the step itself has: 500 -> 0, 0.25 -> 2, 0.00000005 -> 8.
    decimals = next(n for n in range(20) if abs(step * 10**n - round(step * 10**n)) < 1e-6 * step * 10**n)
    first = math.ceil(shown.low_usd / step)
    last = math.floor(shown.high_usd / step)
    return [(n * step, f"${n * step:,.{decimals}f}") for n in range(first, last + 1)]


def _nice_step(at_least: float) -> float:
    """1, 2, 2.5 or 5 times a power of ten: 430 -> 500, 0.013 -> 0.02."""
    power = 10.0 ** math.floor(math.log10(at_least))
    return power * next(step for step in (1.0, 2.0, 2.5, 5.0, 10.0) if step * power >= at_least * 0.999999)


def time_ticks(from_min: int, to_min: int, *, most: int) -> list[tuple[int, str]]:
    """Minutes on the clock in UTC; midnight is written as its date."""
    step = next((s for s in _TIME_STEPS_MIN if (to_min - from_min) / s <= most), _TIME_STEPS_MIN[-1])
    ticks = []
    for minute in range(-(-from_min // step) * step, to_min + 1, step):
        moment = datetime.fromtimestamp(minute * 60, UTC)
        is_midnight = moment.hour == moment.minute == 0
        ticks.append((minute, f"{moment:%b} {moment.day}" if is_midnight else f"{moment:%H:%M}"))
    return ticks


def strength(usd: float, largest_usd: float) -> float:
    """0..1 on a log scale of three decades: the largest 1, a tenth of it 0.667, a thousandth and less 0."""
    if usd <= 0 or largest_usd <= 0:
        return 0.0
    return min(1.0, max(0.0, 1.0 + math.log10(usd / largest_usd) / _DECADES))


def ramp_colour(ramp: Sequence[Colour], at: float) -> Colour:
    """The colour at 0..1 of the ramp, its stops evenly spaced."""
    place = min(max(at, 0.0), 1.0) * (len(ramp) - 1)
    index = min(int(place), len(ramp) - 2)
    part = place - index
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(ramp[index], ramp[index + 1], strict=True))
    return red, green, blue
