"""What became of a published probability, out of candles. Section 6: bars wholly inside of (t, t +
horizon]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

# When less of the time is covered by whole bars, nobody knows: hours cover three of four.
MIN_COVERED = 0.9


class Bar(NamedTuple):
    """One closed candle, stamped by its close."""

    close_ms: int
    high: float
    low: float


def resolve_level(
    bars: Sequence[Bar], interval_ms: int, *, at_ms: int, due_ms: int, level_usd: float, is_above: bool
) -> bool | None:
    """Did price trade at the level? None when too few of the bars are there to say that it did not.

    A bar that is only partly inside says nothing: what it traded may have been before.
    """
    inside = {
        bar.close_ms: bar for bar in bars if at_ms <= bar.close_ms - interval_ms and bar.close_ms <= due_ms
    }
    if any(bar.high >= level_usd if is_above else bar.low <= level_usd for bar in inside.values()):
        return True
    expected = (due_ms - at_ms) / interval_ms
    return False if len(inside) >= MIN_COVERED * expected else None
