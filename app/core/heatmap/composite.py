"""The composite tile: 0.6 liquidations + 0.3 open-interest change + 0.1 nearness to a swing level.

Pure. Each part is scaled to 0..1 by its own 95th percentile over 24 h and clipped at 1. A part that is not
there is named and counts nothing, and the others are NOT raised in its place: a score stays comparable with
yesterday's, and no alert fires on half the evidence.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.core.domain.heatmap import AbsentPart, CompositeScore, HeatmapPart
from app.core.domain.quality import MissingReason
from app.core.domain.stored import CompositeRow, TileRow
from app.core.errors import InvariantViolation
from app.core.heatmap.buckets import bucket_mid

WINDOW_MIN = 24 * 60
LIQUIDATION_WEIGHT = 0.6
OPEN_INTEREST_WEIGHT = 0.3
SWING_WEIGHT = 0.1
_PERCENTILE = 95.0
# Fewer values have no 95th percentile worth the name: a single tiny tile would score 1.
MIN_TILES_FOR_ALERT = 20

_Place = tuple[int, int]  # minute, bucket


@dataclass(frozen=True, slots=True)
class InterestMinute:
    """Open interest of one closed minute. change_usd: signed; bucket: where the price traded at its close."""

    ts_min: int
    bucket: int
    change_usd: float


@dataclass(frozen=True, slots=True)
class Swings:
    """Confirmed swing highs and lows in USD, and ATR(15m) in USD: the distance at which a level fades."""

    levels_usd: tuple[float, ...]
    atr_15m_usd: float


def score_composite(
    symbol: str,
    ts_min: int,
    tiles: Sequence[TileRow] | AbsentPart,
    interest: Sequence[InterestMinute] | AbsentPart,
    swings: Swings | AbsentPart,
) -> CompositeScore:
    """Composite tiles of the closed minute `ts_min`, strongest first, against the 24 h that end with it.

    A tile is a bucket with liquidations in that minute, or the one where the price traded. Rows outside
    the window are left out.

    Worked numbers, all parts equal to their 95th percentile: 0.6 + 0.3 + 0.1 = 1. Without swings: 0.9, and
    `can_alert` is False.

    Raises:
        InvariantViolation: a figure that is not finite, or negative liquidated USD.
    """
    usd = change = None
    if not isinstance(tiles, AbsentPart):
        usd = _by_place(((t.ts_min, t.bucket, t.long_usd + t.short_usd) for t in tiles), ts_min)
    if not isinstance(interest, AbsentPart):
        change = _by_place(((m.ts_min, m.bucket, abs(m.change_usd)) for m in interest), ts_min)
    places = set(usd or ()) | set(change or ())
    nearness, no_swing = _nearness(swings, places)
    missing = [part for part in (tiles, interest, no_swing) if isinstance(part, AbsentPart)]
    now = sorted(place for place in places if place[0] == ts_min)
    columns = [_scaled(part, now) for part in (usd, change, nearness)]
    rows = [
        CompositeRow(symbol, ts_min, bucket, weigh(*parts), *parts)
        for (_, bucket), *parts in zip(now, *columns, strict=True)
    ]
    why = _why_no_alert(missing, len(usd or ()))
    return CompositeScore(
        ts_min=ts_min,
        tiles=tuple(sorted(rows, key=lambda row: (-row.score, row.bucket))),
        missing=tuple(missing),
        can_alert=not why,
        why_no_alert=why,
    )


def weigh(liquidation: float | None, open_interest: float | None, swing: float | None) -> float:
    """0.6, 0.3 and 0.1 of the parts; a missing one adds nothing. 0.5, None, 1.0 -> 0.4."""
    return min(
        1.0,
        LIQUIDATION_WEIGHT * (liquidation or 0.0)
        + OPEN_INTEREST_WEIGHT * (open_interest or 0.0)
        + SWING_WEIGHT * (swing or 0.0),
    )


def swing_nearness(price_usd: float, swings: Swings) -> float:
    """exp(-distance / ATR) to the nearest level. One ATR away -> 0.367879, on it -> 1."""
    distance_usd = min(abs(price_usd - level) for level in swings.levels_usd)
    return math.exp(-distance_usd / swings.atr_15m_usd)


def scale_by_percentile(values: Iterable[float], among: Iterable[float]) -> list[float]:
    """`values` over the 95th percentile of `among` (linear between ranks), clipped to 0..1.

    Worked numbers among 1, 2, ..., 100: the percentile is 95.05, so 47.525 -> 0.5 and 100 -> 1.
    Nearly everything zero makes the percentile zero: then zero stays 0 and anything above is 1.
    """
    sample = list(among)
    top = float(np.percentile(sample, _PERCENTILE)) if sample else 0.0
    # Compared before it is divided: a subnormal percentile would overflow.
    return [1.0 if value > 0 and value >= top else value / top if top > 0 else 0.0 for value in values]


def _by_place(figures: Iterable[tuple[int, int, float]], ts_min: int) -> dict[_Place, float]:
    """Figures (minute, bucket, USD) of the window, summed by place."""
    found: defaultdict[_Place, float] = defaultdict(float)
    for minute, bucket, usd in figures:
        if ts_min - WINDOW_MIN < minute <= ts_min:
            if not (math.isfinite(usd) and usd >= 0):
                raise InvariantViolation("a figure of a composite tile is not finite or below zero")
            found[minute, bucket] += usd
    return found


def _nearness(
    swings: Swings | AbsentPart, places: Iterable[_Place]
) -> tuple[dict[_Place, float] | None, AbsentPart | None]:
    """Nearness of each place, or why there is none."""
    if isinstance(swings, AbsentPart):
        return None, swings
    if not swings.levels_usd:
        return None, _no_swing("no confirmed swing level")
    if not (math.isfinite(swings.atr_15m_usd) and swings.atr_15m_usd > 0):
        return None, _no_swing("ATR(15m) is not above zero")
    if not all(map(math.isfinite, swings.levels_usd)):
        raise InvariantViolation("a swing level is not finite")
    # Many minutes share a bucket, and exp is the dear part.
    of_bucket = {bucket: 0.0 for _, bucket in places}
    for bucket in of_bucket:
        of_bucket[bucket] = swing_nearness(bucket_mid(bucket), swings)
    return {place: of_bucket[place[1]] for place in places}, None


def _no_swing(detail: str) -> AbsentPart:
    return AbsentPart(HeatmapPart.SWING_PROXIMITY, MissingReason.NO_DATA, detail)


def _scaled(part: Mapping[_Place, float] | None, now: Sequence[_Place]) -> list[float | None]:
    """The part of each place of this minute. There, but nothing at this place: 0, which is not None."""
    if part is None:
        return [None] * len(now)
    return list(scale_by_percentile([part.get(place, 0.0) for place in now], part.values()))


def _why_no_alert(missing: Sequence[AbsentPart], tiles: int) -> str:
    if missing:
        return f"missing: {', '.join(part.part.value for part in missing)}"
    if tiles < MIN_TILES_FOR_ALERT:
        return f"only {tiles} tiles in 24 h, {MIN_TILES_FOR_ALERT} are needed to scale them"
    return ""
