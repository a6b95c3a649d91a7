"""What the typed derivatives routes compute from what providers said: percentiles, spreads, changes.

Pure; fractions in and out. Nothing here scores. Called by the render modules of the API.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.core.domain.derivatives import Margin, OpenInterestHistory, VenueFunding, VenueOpenInterest
from app.core.domain.market import DAY_MS, HOUR_MS, Series

# Below this many earlier points a percentile says more about the sample than about the market.
MIN_POINTS = 20
OI_WINDOWS_MS: Mapping[str, int] = {"1h": HOUR_MS, "4h": 4 * HOUR_MS, "24h": DAY_MS}


def percentile_frac(values: Sequence[float]) -> float | None:
    """Share of the earlier values below the newest one, ties half; None with fewer than 20 earlier values.

    Worked number: 1..100 and then 75.5 -> 0.75.
    """
    if len(values) <= MIN_POINTS:
        return None
    newest, earlier = values[-1], values[:-1]
    below = sum(value < newest for value in earlier) + 0.5 * sum(value == newest for value in earlier)
    return below / len(earlier)


def long_short_ratio(long_frac: float) -> float | None:
    """Longs divided by shorts; None when there are no shorts. Worked number: 0.75 -> 3."""
    return long_frac / (1 - long_frac) if long_frac < 1 else None


def change_over(close_ms: Sequence[int], values: Sequence[float], span_ms: int) -> float | None:
    """Newest value minus the one exactly `span_ms` before; None where that bar is absent.

    Never over another span: a 24 h change taken over 20 h would look calmer than it was.
    """
    before = _value_at(close_ms, values, close_ms[-1] - span_ms) if close_ms else None
    return None if before is None else values[-1] - before


def _value_at(close_ms: Sequence[int], values: Sequence[float], at_ms: int) -> float | None:
    index = bisect_right(close_ms, at_ms) - 1
    return values[index] if index >= 0 and close_ms[index] == at_ms else None


def share_change_24h(series: Series) -> float | None:
    """Change of a share over 24 h in fractions (0.01 = one percentage point)."""
    return change_over(series.close_ms, series.values, DAY_MS)


@dataclass(frozen=True, slots=True)
class FundingSpread:
    """Two venues whose funding differs most. A holder of both legs earns `spread_8h_frac` every 8 h, before
    fees and price risk: long where funding is lowest, short where it is highest."""

    long_exchange: str
    short_exchange: str
    spread_8h_frac: float
    annualised_frac: float


def funding_spread(venues: Sequence[VenueFunding]) -> FundingSpread | None:
    """The widest spread among stablecoin-margined venues, each normalised to 8 h; None with fewer than two.

    Worked number: 0.0001 per 8 h against 0.0001 per 4 h (0.0002 per 8 h) -> 0.0001 per 8 h, 0.1095 a year.
    """
    usable = [venue for venue in venues if venue.margin is Margin.STABLECOIN]
    if len(usable) < 2:
        return None
    low = min(usable, key=lambda venue: (venue.rate_8h_frac, venue.exchange))
    high = max(usable, key=lambda venue: (venue.rate_8h_frac, venue.exchange))
    return FundingSpread(
        long_exchange=low.exchange,
        short_exchange=high.exchange,
        spread_8h_frac=high.rate_8h_frac - low.rate_8h_frac,
        annualised_frac=high.annualised_frac - low.annualised_frac,
    )


def open_interest_changes(
    history: OpenInterestHistory | None, now: VenueOpenInterest | None
) -> dict[str, float | None]:
    """Change over 1h, 4h and 24h as fractions: those stated with the newest figure, else from the bars.

    now: the row the newest figure is taken from; `history` has to cover the same exchanges. From bars only
    where one ends exactly that long ago. Worked number: 110 now, 100 a day ago -> +0.1.
    """
    changes: dict[str, float | None] = {}
    for window, span_ms in OI_WINDOWS_MS.items():
        stated = now.change_frac.get(window) if now is not None else None
        changes[window] = stated if stated is not None else _bar_change(history, span_ms)
    return changes


def _bar_change(history: OpenInterestHistory | None, span_ms: int) -> float | None:
    if history is None or not history.close_ms:
        return None
    before = _value_at(history.close_ms, history.close, history.close_ms[-1] - span_ms)
    return None if before is None or before <= 0 else history.close[-1] / before - 1
