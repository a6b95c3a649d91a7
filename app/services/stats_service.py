"""The use case behind `/api/stats`: how much there is, counted where it is kept. Never estimates a count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Protocol

from app.core.clock import Clock
from app.core.domain.alerts import DropReason
from app.core.domain.market import HOUR_MS
from app.core.domain.service_stats import ServiceStats
from app.core.domain.signal import Direction
from app.core.domain.track_record import SignalStats
from app.core.errors import StorageUnavailable
from app.core.store_ports import StoreHealth
from app.services.watchlist import Watchlist

HOURS = 24


class SignalCounts(Protocol):
    """How many signals were stored (`track_record_service`)."""

    async def stats(self, hours: int) -> SignalStats:
        """Raises: StorageUnavailable."""
        ...


class AlertCounts(Protocol):
    """How many alerts were stored."""

    async def counts(self, since_ms: int) -> Mapping[DropReason | None, int]:
        """By why nobody was told, None: kept. Raises: StorageUnavailable."""
        ...


class StatsService:
    """Answers with counts of the last `HOURS`."""

    def __init__(
        self,
        *,
        watchlist: Watchlist,
        signals: SignalCounts,
        alerts: AlertCounts,
        store: StoreHealth,
        clock: Clock,
        live_clients: Callable[[], int] = lambda: 0,
    ) -> None:
        """live_clients: connections to the live feed of this process."""
        self._watchlist = watchlist
        self._signals = signals
        self._alerts = alerts
        self._store = store
        self._clock = clock
        self._live_clients = live_clients

    async def stats(self) -> ServiceStats:
        """Never raises: what the store does not tell now is None."""
        now_ms = self._clock.now_ms()
        since_ms = now_ms - HOURS * HOUR_MS
        signals: SignalStats | None
        alerts: Mapping[DropReason | None, int] | None
        try:
            signals, alerts = await self._signals.stats(HOURS), await self._alerts.counts(since_ms)
            why_none = None
        except StorageUnavailable as error:
            signals, alerts, why_none = None, None, str(error)
        coins = self._watchlist.all()
        return ServiceStats(
            as_of_ms=now_ms,
            since_ms=since_ms,
            coins_listed=len(coins),
            coins_on=sum(coin.is_on for coin in coins),
            signals=None if signals is None else _by_direction(signals),
            alerts=alerts,
            why_none=why_none,
            live_clients=self._live_clients(),
            store=self._store.status(),
        )


def _by_direction(found: SignalStats) -> Mapping[Direction, int]:
    counted = Counter(dict.fromkeys(Direction, 0))
    for one in found.counts:
        counted[Direction(one.direction)] += one.count
    return counted
