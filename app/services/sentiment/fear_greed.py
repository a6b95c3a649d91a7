"""alternative.me as a provider: the public Fear & Greed index. Implements `core.ports.Provider`.

One value a day for the whole market; the symbol does not matter. Attribution to alternative.me is expected
where the value is shown. Built by build.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from app.core.domain.context import Capability
from app.core.domain.market import DAY_MS, HOUR_MS, MarketReading, Series, Unit
from app.core.domain.quality import CacheState
from app.core.domain.status import ProviderStatus
from app.core.domain.symbol import Symbol
from app.core.errors import ProviderError, ProviderNoData
from app.core.ports import Fetched, Probe, Source, ViewSource
from app.services.sentiment.client import ALTERNATIVE_ME
from app.services.sentiment.parse import FEAR_GREED, Scores, parse_fear_greed, require_past
from app.services.sentiment.status import status_of
from app.services.transport.cache import Freshness
from app.services.transport.resource import Resource, ResourceClient

# The factor ranks within 365 days.
_DAYS = 400
_LATE_RETRY_MS = 5 * 60_000


class AlternativeMeProvider:
    """The Fear & Greed index, 0 extreme fear to 100 extreme greed."""

    name = ALTERNATIVE_ME

    def __init__(self, resources: ResourceClient, now_ms: Callable[[], int]) -> None:
        self._resources = resources
        self._now_ms = now_ms

    def sources(self) -> tuple[Source, ...]:
        return (Source(Capability.FEAR_GREED, ALTERNATIVE_ME, FEAR_GREED, self.fetch_fear_greed),)

    def probes(self) -> tuple[Probe, ...]:
        """None: it is public."""
        return ()

    def views(self) -> tuple[ViewSource, ...]:
        """None: the index is no derivative."""
        return ()

    async def start(self) -> None:
        """Nothing to learn."""

    async def close(self) -> None:
        await self._resources.aclose()

    def known_bases(self) -> frozenset[str]:
        """It lists no coins."""
        return frozenset()

    def status(self) -> ProviderStatus:
        return status_of(self._resources.client)

    async def fetch_fear_greed(self, symbol: Symbol) -> Fetched[Series]:
        """Daily index; `close_ms` is the publication stamp, 00:00 UTC of the value's own day.

        Raises:
            ProviderNoData: an answer without a published day.
        """
        found = await self._resources.fetch(
            Resource(FEAR_GREED, "/fng/", {"limit": _DAYS}, parse_fear_greed, index_freshness)
        )
        require_past(found.value, found.fetched_ms, ALTERNATIVE_ME, FEAR_GREED)
        now_ms = self._now_ms()
        known = {ts: value for ts, value in found.value.items() if ts <= now_ms}
        if not known:
            raise ProviderNoData(ALTERNATIVE_ME, FEAR_GREED, "no published value")
        label = "alternative.me Fear & Greed index"
        series = Series(Unit.SCORE, DAY_MS, tuple(known), tuple(known.values()), label)
        return Fetched(series, FEAR_GREED, series.close_ms[-1], found.fetched_ms, CacheState(found.state))

    async def market(
        self, symbol: Symbol
    ) -> Mapping[str, Fetched[tuple[MarketReading, ...]] | ProviderError]:
        """Nothing beyond the index."""
        return {}


def index_freshness(scores: Scores, fetched_ms: int) -> Freshness:
    """Until the next UTC midnight; five minutes while the value of today is not there yet."""
    today_ms = fetched_ms // DAY_MS * DAY_MS
    fresh_ms = today_ms + DAY_MS - fetched_ms
    if today_ms not in scores:
        fresh_ms = min(fresh_ms, _LATE_RETRY_MS)
    return Freshness(fresh_ms=fresh_ms, error_ms=12 * HOUR_MS)
