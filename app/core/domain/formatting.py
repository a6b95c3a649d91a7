"""Numbers as text for sentences: USD with significant digits, fractions as percent, ordinals, ages.

The one place that turns a fraction into a percent text. Lives in the domain so that every part of the
core can share it. Symmetric in sign, never prints a small price as $0.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

_COMPACT = ((1e12, "T"), (1e9, "B"), (1e6, "M"))


def format_usd(value_usd: float) -> str:
    """A price with enough significant digits, never a small price as $0.

    Whole dollars from 1000, cents from 1, four significant digits below 1 (trailing zeros dropped).
    Worked numbers: 96200 -> `$96,200`, 1.5 -> `$1.50`, 0.00001182 -> `$0.00001182`.
    """
    sign = "-" if value_usd < 0 else ""
    size = abs(value_usd)
    if size >= 999.995:
        return f"{sign}${size:,.0f}"
    if size >= 0.99995 or size == 0:
        return f"{sign}${size:,.2f}"
    decimals = 3 - math.floor(math.log10(size))
    return f"{sign}${size:.{decimals}f}".rstrip("0")


def format_usd_compact(value_usd: float) -> str:
    """A sum of money in three significant digits: 12_345_678 -> `$12.3M`, 4200 -> `$4,200`."""
    sign = "-" if value_usd < 0 else ""
    size = abs(value_usd)
    for unit, letter in _COMPACT:
        scaled = size / unit
        if scaled >= 0.9995:
            decimals = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
            return f"{sign}${scaled:.{decimals}f}{letter}"
    return sign + format_usd(size)


def format_count(count: int, one: str) -> str:
    """How many of a thing, singular or plural: 1 -> `1 evaluation`, 1200 -> `1,200 evaluations`."""
    return f"{count:,} {one}" if count == 1 else f"{count:,} {one}s"


def format_effective_n(effective_n: float) -> str:
    """Cut, not rounded, so that 399.6 does not read as the 400 it has not reached: -> `399`."""
    return f"{int(effective_n):,}"


def format_percent(frac: float, decimals: int = 1) -> str:
    """A fraction as percent: 0.716 -> `71.6 %`."""
    return f"{frac * 100:.{decimals}f} %"


def format_signed_percent(frac: float, decimals: int = 1) -> str:
    """A change as percent with its sign: 0.031 -> `+3.1 %`, 0.00015 with 4 decimals -> `+0.0150 %`."""
    return f"{frac * 100:+.{decimals}f} %"


def format_small_signed_percent(frac: float) -> str:
    """A change as percent in three significant digits, so that a small one does not read as none.

    Worked numbers: -0.00501 -> `-0.501 %`, 0.000004 -> `+0.0004 %`.
    """
    percent = frac * 100
    if percent == 0 or abs(percent) >= 0.1:
        return format_signed_percent(frac, 3)
    decimals = 2 - math.floor(math.log10(abs(percent)))
    number = f"{percent:+.{decimals}f}".rstrip("0")
    return f"{number} %"


def toward_neutral(score: float, decimals: int) -> float:
    """A score cut, not rounded, toward 50, so that what is shown never lies past a threshold it missed.

    Worked numbers with one decimal: 64.96 -> 64.9, 35.04 -> 35.1, 65.0 -> 65.0.
    """
    steps = 10.0**decimals
    lean = (score - 50.0) * steps
    # A hair of tolerance: 35.1 - 50 is -14.899999999999999, which must stay -14.9.
    return round(50.0 + math.trunc(lean + math.copysign(1e-9, lean)) / steps, decimals)


def format_ordinal(number: int) -> str:
    """1 -> `1st`, 12 -> `12th`, 93 -> `93rd`."""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def format_minutes(minutes: int) -> str:
    """A whole span in its largest exact unit: 90 -> `90 min`, 1440 -> `24 h`, 10080 -> `7 d`."""
    if minutes % 1_440 == 0 and minutes > 1_440:
        return f"{minutes // 1_440} d"
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"


def format_moment(at_ms: int, now_ms: int) -> str:
    """A moment in UTC, with its day unless that is today: `14:05 UTC`, `2026-01-15 14:05 UTC`."""
    moment, now = (datetime.fromtimestamp(ms / 1000, UTC) for ms in (at_ms, now_ms))
    return f"{moment:%H:%M} UTC" if moment.date() == now.date() else f"{moment:%Y-%m-%d %H:%M} UTC"


def format_age(seconds: float) -> str:
    """A duration in its largest fitting unit: 95 -> `95 s`, 11520 -> `3.2 h`, 259200 -> `3.0 d`."""
    for limit_s, unit_s, letter in ((120, 1, "s"), (7_200, 60, "min"), (172_800, 3_600, "h")):
        if seconds < limit_s:
            decimals = 1 if letter == "h" else 0
            return f"{seconds / unit_s:.{decimals}f} {letter}"
    return f"{seconds / 86_400:.1f} d"
