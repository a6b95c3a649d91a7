"""LunarCrush as a provider: galaxy score history and social figures. Implements `core.ports.Provider`.

The small plan has ten calls a minute, so: one history call per coin and hour, one list call for all coins
per ten minutes, and coins it does not know are remembered. Without a key it offers nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cachetools import TTLCache

from app.core.domain.context import Capability
from app.core.domain.market import HOUR_MS, MarketReading, Series, Unit
from app.core.domain.quality import CacheState
from app.core.domain.status import ProviderStatus
from app.core.domain.symbol import Symbol
from app.core.errors import ProviderError, ProviderNoData, ProviderNotConfigured
from app.core.ports import Fetched, Probe, Source, ViewSource
from app.services.sentiment.client import LUNARCRUSH
from app.services.sentiment.parse import (
    COINS_LIST,
    TIME_SERIES,
    Scores,
    SocialFacts,
    SocialList,
    parse_coin_list,
    parse_galaxy_scores,
    require_past,
)
from app.services.sentiment.status import not_configured, status_of
from app.services.transport.cache import Cached, Freshness
from app.services.transport.resource import Resource, ResourceClient

_MINUTE_MS = 60_000
# A late hour: asking more often would spend the plan on waiting.
_LATE_RETRY_MS = 5 * _MINUTE_MS
_LIST_FRESHNESS = Freshness(fresh_ms=10 * _MINUTE_MS, revalidate_ms=HOUR_MS, error_ms=HOUR_MS)
_UNKNOWN_FOR_MS = 6 * HOUR_MS
_MAX_UNKNOWN = 1024


class LunarCrushProvider:
    """Social sentiment. Scores are 0-100, higher is better; alt rank 1 is best."""

    name = LUNARCRUSH

    def __init__(self, resources: ResourceClient | None, now_ms: Callable[[], int]) -> None:
        """resources: None when no key is set."""
        self._resources = resources
        self._now_ms = now_ms
        self._unknown: TTLCache[str, None] = TTLCache(_MAX_UNKNOWN, _UNKNOWN_FOR_MS, timer=now_ms)

    def sources(self) -> tuple[Source, ...]:
        if self._resources is None:
            return ()
        return (Source(Capability.SOCIAL, LUNARCRUSH, TIME_SERIES, self.fetch_social),)

    def probes(self) -> tuple[Probe, ...]:
        """Both resources a key opens."""
        if self._resources is None:
            return ()
        return (
            Probe("galaxyScore", LUNARCRUSH, TIME_SERIES, self._probe_score),
            Probe("socialList", LUNARCRUSH, COINS_LIST, self._social_group),
        )

    def views(self) -> tuple[ViewSource, ...]:
        """None: social data is no derivative."""
        return ()

    async def start(self) -> None:
        """Nothing to learn: the plan is told by its refusals."""

    async def close(self) -> None:
        if self._resources is not None:
            await self._resources.aclose()

    def known_bases(self) -> frozenset[str]:
        """Unknown: it lists thousands of coins that have no perpetual."""
        return frozenset()

    def status(self) -> ProviderStatus:
        return not_configured(LUNARCRUSH) if self._resources is None else status_of(self._resources.client)

    async def fetch_social(self, symbol: Symbol) -> Fetched[Series]:
        """Galaxy score per closed hour, about a month of it (less for young coins).

        Raises:
            ProviderNoData: LunarCrush does not know the coin, or has no closed hour with a score.
        """
        if symbol.base in self._unknown:
            raise ProviderNoData(LUNARCRUSH, TIME_SERIES, "coin not found")
        try:
            found = await self._client().fetch(_time_series(symbol))
        except ProviderNoData:
            self._unknown[symbol.base] = None
            raise
        return _social_series(found, self._now_ms())

    async def market(
        self, symbol: Symbol
    ) -> Mapping[str, Fetched[tuple[MarketReading, ...]] | ProviderError]:
        """Group `social`: sentiment, dominance, galaxy score, alt rank; its error when it failed."""
        if self._resources is None:
            return {}
        try:
            return {"social": await self._social_group(symbol)}
        except ProviderError as error:
            return {"social": error}

    async def _social_group(self, symbol: Symbol) -> Fetched[tuple[MarketReading, ...]]:
        found = await self._client().fetch(_coin_list())
        facts = found.value.coins.get(symbol.base)
        if facts is None:
            raise ProviderNoData(LUNARCRUSH, COINS_LIST, "coin not in the list")
        ts_ms = found.value.generated_ms or found.fetched_ms
        return Fetched(_social_figures(facts), COINS_LIST, ts_ms, found.fetched_ms, CacheState(found.state))

    async def _probe_score(self, symbol: Symbol) -> Fetched[tuple[MarketReading, ...]]:
        found = await self.fetch_social(symbol)
        reading = MarketReading("galaxyScore", found.value.values[-1], Unit.SCORE)
        return Fetched((reading,), TIME_SERIES, found.ts_event_ms, found.ts_init_ms, found.cache)

    def _client(self) -> ResourceClient:
        if self._resources is None:
            raise ProviderNotConfigured(LUNARCRUSH, TIME_SERIES, "no key set")
        return self._resources


def _time_series(symbol: Symbol) -> Resource[Scores]:
    return Resource(
        endpoint=TIME_SERIES,
        path=f"/api4/public/coins/{symbol.base}/time-series/v2",
        params={"bucket": "hour", "interval": "1m"},
        parse=parse_galaxy_scores,
        freshness=social_freshness,
    )


def _coin_list() -> Resource[SocialList]:
    # The docs say at most 1000 rows; by rank these are the coins anyone trades as a perpetual.
    return Resource(
        endpoint=COINS_LIST,
        path="/api4/public/coins/list/v1",
        params={"sort": "market_cap_rank", "limit": 1000},
        parse=parse_coin_list,
        freshness=lambda _list, _fetched_ms: _LIST_FRESHNESS,
    )


def social_freshness(scores: Scores, fetched_ms: int) -> Freshness:
    """Until the next hour closes; five minutes while the newest closed hour is not there yet."""
    newest_open_ms = fetched_ms // HOUR_MS * HOUR_MS - HOUR_MS
    fresh_ms = HOUR_MS - fetched_ms % HOUR_MS
    if newest_open_ms not in scores:
        fresh_ms = min(fresh_ms, _LATE_RETRY_MS)
    return Freshness(fresh_ms=fresh_ms, error_ms=2 * HOUR_MS)


def _social_series(found: Cached[Scores], now_ms: int) -> Fetched[Series]:
    require_past(found.value, found.fetched_ms, LUNARCRUSH, TIME_SERIES)
    # A bucket that was still filling when the bytes came does not become closed by waiting.
    until_ms = min(now_ms, found.fetched_ms)
    closed = {ts + HOUR_MS: score for ts, score in found.value.items() if ts + HOUR_MS <= until_ms}
    if not closed:
        raise ProviderNoData(LUNARCRUSH, TIME_SERIES, "no closed hour with a galaxy score")
    label = "LunarCrush galaxy score"
    series = Series(Unit.SCORE, HOUR_MS, tuple(closed), tuple(closed.values()), label)
    return Fetched(series, TIME_SERIES, series.close_ms[-1], found.fetched_ms, CacheState(found.state))


def _social_figures(facts: SocialFacts) -> tuple[MarketReading, ...]:
    figures = (
        ("sentiment", facts.sentiment, Unit.SCORE),
        ("socialDominanceFrac", facts.dominance_frac, Unit.FRAC),
        ("galaxyScore", facts.galaxy_score, Unit.SCORE),
        ("altRank", facts.alt_rank, "rank"),
        ("interactions24h", facts.interactions_24h, "count"),
    )
    return tuple(MarketReading(name, value, unit) for name, value, unit in figures if value is not None)
