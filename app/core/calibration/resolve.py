"""What became of a published probability, out of candles. Section 6: bars wholly inside of (t, t +
horizon]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

# With fewer of the bars that lie wholly inside, nobody knows.
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
    inside = [bar for bar in bars if bar.close_ms - interval_ms >= at_ms and bar.close_ms <= due_ms]
    if any(bar.high >= level_usd if is_above else bar.low <= level_usd for bar in inside):
        return True
    first_ms = -(-at_ms // interval_ms) * interval_ms
    expected = max(0, due_ms // interval_ms * interval_ms - first_ms) // interval_ms
    return False if expected and len(inside) >= MIN_COVERED * expected else None
