"""LunarCrush v4 and alternative.me wire shapes; both stamp in SECONDS.

LunarCrush sends numbers and nulls, alternative.me sends numbers as strings.
Source: https://lunarcrush.com/api4 (Individual plan and up), https://api.alternative.me/fng/ (public);
checked 2026-11.
"""

from __future__ import annotations

import msgspec


class LunarCrushFailure(msgspec.Struct):
    error: str | None = None


class FearGreedMetadata(msgspec.Struct):
    error: str | None = None


class FearGreedFailure(msgspec.Struct):
    metadata: FearGreedMetadata


class TimePoint(msgspec.Struct):
    """One hour bucket, stamped at its start. galaxy_score is null where LunarCrush has none."""

    time: int
    galaxy_score: float | None = None


class TimeSeries(msgspec.Struct):
    data: list[TimePoint]


class ListedCoin(msgspec.Struct):
    """social_dominance is PERCENT of all social volume; alt_rank 1 is best; sentiment is 0-100."""

    symbol: str
    market_cap_rank: float | None = None
    sentiment: float | None = None
    social_dominance: float | None = None
    galaxy_score: float | None = None
    alt_rank: float | None = None
    interactions_24h: float | None = None


class ListConfig(msgspec.Struct, frozen=True):
    generated: int | None = None


class CoinList(msgspec.Struct):
    data: list[ListedCoin]
    config: ListConfig = ListConfig()


class FearGreedDay(msgspec.Struct):
    """value 0-100; timestamp is 00:00 UTC of its day, the moment of publication."""

    value: float
    timestamp: int


class FearGreed(msgspec.Struct):
    data: list[FearGreedDay]
