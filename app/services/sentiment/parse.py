"""LunarCrush and alternative.me bytes to plain values. Pure: no clock, no I/O; raises only `ProviderError`.

Keeps every row the wire gave, the forming hour included: the providers cut on read.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from app.core.domain.market import MAX_AHEAD_MS
from app.core.errors import ProviderBadPayload
from app.services.sentiment import wire
from app.services.sentiment.client import ALTERNATIVE_ME, LUNARCRUSH, decode

TIME_SERIES = "coins_time_series"
COINS_LIST = "coins_list"
FEAR_GREED = "fng"

# Values 0-100 by the time they are stamped with, epoch ms, oldest first.
Scores = Mapping[int, float]

# A month of hours, some hundred days and a thousand coins are asked for. An answer far beyond is refused
# before anything is built from it; all days and all coins that exist are still fine.
_MAX_HOURS = 2_000
_MAX_LISTED = 20_000

# 2001-09 to 2096 in seconds: milliseconds fall outside.
_MIN_TS_S = 1_000_000_000
_MAX_TS_S = 4_000_000_000

_TIME_SERIES = msgspec.json.Decoder(wire.TimeSeries)
_COIN_LIST = msgspec.json.Decoder(wire.CoinList)
_FEAR_GREED = msgspec.json.Decoder(wire.FearGreed, strict=False)


@dataclass(frozen=True, slots=True)
class SocialFacts:
    """Social figures of one coin; None where LunarCrush sent null.

    sentiment: 0-100 percent positive. dominance_frac: share of all social volume. alt_rank: 1 is best.
    """

    sentiment: float | None
    dominance_frac: float | None
    galaxy_score: float | None
    alt_rank: float | None
    interactions_24h: float | None


@dataclass(frozen=True, slots=True)
class SocialList:
    """All coins by symbol. generated_ms: when LunarCrush made the list, None when not said."""

    coins: Mapping[str, SocialFacts]
    generated_ms: int | None


def parse_galaxy_scores(body: bytes) -> Scores:
    """Galaxy score by hour start; buckets without a score are left out."""
    rows = decode(_TIME_SERIES, body, LUNARCRUSH, TIME_SERIES).data
    _require_at_most(len(rows), _MAX_HOURS, LUNARCRUSH, TIME_SERIES)
    pairs = ((row.time, row.galaxy_score) for row in rows if row.galaxy_score is not None)
    return _scores(pairs, LUNARCRUSH, TIME_SERIES)


def parse_fear_greed(body: bytes) -> Scores:
    """The daily index by its publication stamp."""
    rows = decode(_FEAR_GREED, body, ALTERNATIVE_ME, FEAR_GREED).data
    _require_at_most(len(rows), _MAX_LISTED, ALTERNATIVE_ME, FEAR_GREED)
    return _scores(((row.timestamp, row.value) for row in rows), ALTERNATIVE_ME, FEAR_GREED)


def parse_coin_list(body: bytes) -> SocialList:
    """Social figures of every coin.

    Symbols repeat in the long tail: the best market cap rank wins. A row with an impossible figure is left
    out, because one of thousands must not cost the list.
    """
    answer = decode(_COIN_LIST, body, LUNARCRUSH, COINS_LIST)
    _require_at_most(len(answer.data), _MAX_LISTED, LUNARCRUSH, COINS_LIST)
    best: dict[str, wire.ListedCoin] = {}
    for row in answer.data:
        symbol = row.symbol.upper()
        if _is_plausible(row) and (symbol not in best or _rank(row) < _rank(best[symbol])):
            best[symbol] = row
    generated_s = answer.config.generated
    return SocialList(
        coins={symbol: _facts(row) for symbol, row in best.items()},
        generated_ms=None if generated_s is None else _stamp_ms(generated_s, LUNARCRUSH, COINS_LIST),
    )


def _facts(row: wire.ListedCoin) -> SocialFacts:
    return SocialFacts(
        sentiment=row.sentiment,
        dominance_frac=None if row.social_dominance is None else row.social_dominance / 100,
        galaxy_score=row.galaxy_score,
        alt_rank=row.alt_rank,
        interactions_24h=row.interactions_24h,
    )


def _rank(row: wire.ListedCoin) -> float:
    return math.inf if row.market_cap_rank is None else row.market_cap_rank


def _is_plausible(row: wire.ListedCoin) -> bool:
    shares = (row.sentiment, row.social_dominance, row.galaxy_score)
    counts = (row.alt_rank, row.interactions_24h)
    return all(x is None or 0 <= x <= 100 for x in shares) and all(x is None or x >= 0 for x in counts)


def _scores(pairs: Iterable[tuple[int, float]], provider: str, endpoint: str) -> Scores:
    """Oldest first; of two rows with one stamp the first on the wire stays."""
    found: dict[int, float] = {}
    for ts_s, score in pairs:
        if not 0 <= score <= 100:  # also true for NaN
            raise ProviderBadPayload(provider, endpoint, "a value is not between 0 and 100")
        found.setdefault(_stamp_ms(ts_s, provider, endpoint), score)
    return dict(sorted(found.items()))


def _require_at_most(count: int, at_most: int, provider: str, endpoint: str) -> None:
    if count > at_most:
        raise ProviderBadPayload(provider, endpoint, f"{count} rows, at most {at_most} make sense")


def require_past(scores: Scores, fetched_ms: int, provider: str, endpoint: str) -> None:
    """`ProviderBadPayload` for a stamp that was in the future when the answer came (minutes are forgiven)."""
    if max(scores, default=0) > fetched_ms + MAX_AHEAD_MS:
        raise ProviderBadPayload(provider, endpoint, "a time is in the future")


def _stamp_ms(ts_s: int, provider: str, endpoint: str) -> int:
    if not _MIN_TS_S <= ts_s <= _MAX_TS_S:
        raise ProviderBadPayload(provider, endpoint, "a time is not epoch seconds")
    return ts_s * 1000
