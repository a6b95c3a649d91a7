"""The parts of `app.backfill`: the providers that have a past, and the store that keeps it.

Owns their composition and their end. The budget of CoinGlass is shared over Redis with a running service when
`REDIS_URL` is set; without it the backfill counts its own calls, and the usage headers tell of the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from app.core.clock import Clock
from app.core.domain.stored import (
    CandleRow,
    FundingRow,
    LiquidationRow,
    MarketRow,
    OpenInterestRow,
    RatioRow,
    SeriesName,
)
from app.core.errors import StorageUnavailable
from app.core.history_ports import HistoryProvider
from app.core.store_ports import BarReader, MarketWriter, StateStore, StoreHealth
from app.services.coinglass.build import build_provider as build_coinglass
from app.services.coinglass.catalog import CALLS_PER_MINUTE, Plan
from app.services.okx.build import build_provider as build_okx
from app.services.storage.retention import Keep
from app.services.storage.store import SqlStore
from app.services.storage.tables import TABLE_OF
from app.services.transport.cache import ResourceCache
from app.services.transport.connection import Waits
from app.services.transport.records import CallRecord
from app.services.transport.redis_link import RedisLink
from app.services.transport.shared_limits import SharedQuota
from app.settings import Settings

# Lists of coins and pairs, and nothing else: pages have small caches of their own.
_CACHE_ENTRIES = 32
_OPEN_S = 30.0


@dataclass(frozen=True, slots=True)
class BackfillStore:
    """What the backfill needs of the store."""

    writer: MarketWriter
    reader: BarReader
    states: StateStore
    health: StoreHealth


_RECORDED: tuple[type[MarketRow], ...] = (CandleRow, FundingRow, LiquidationRow, OpenInterestRow, RatioRow)
OpenStore = Callable[[Settings, Clock], AbstractAsyncContextManager[BackfillStore]]


def kept_days(settings: Settings) -> Mapping[SeriesName, float]:
    """How long each series is kept: older bars would age out as soon as the service runs."""
    keep = Keep(**settings.retention_days())
    days = {
        SeriesName.CANDLES: keep.price_ohlc,
        SeriesName.OPEN_INTEREST: keep.futures_oi_ohlc,
        SeriesName.FUNDING: keep.funding_rate,
        SeriesName.LONG_SHORT: keep.long_short_ratio,
        SeriesName.TAKER_VOLUME: keep.taker_volume,
    }
    return {series: kept for series, kept in days.items() if kept is not None}


def kept_rows_days(settings: Settings) -> Mapping[type, float]:
    """The same for the rows of recorded data, by type; empty in a replay, which has a time of its own."""
    if settings.data_mode == "replay":
        return {}
    keep = Keep(**settings.retention_days())
    days = {row: getattr(keep, TABLE_OF[row].name) for row in _RECORDED}
    return {row: kept for row, kept in days.items() if kept is not None}


@asynccontextmanager
async def open_store(settings: Settings, clock: Clock) -> AsyncIterator[BackfillStore]:
    """The database of the settings; what was put is written at the end.

    Raises:
        StorageRefused: it can never be used as it is.
        StorageUnavailable: it could not be opened in time.
    """
    store = SqlStore(
        settings.store_url(),
        data_mode=settings.data_mode,
        now_ms=clock.now_ms,
        monotonic=clock.monotonic_s,
    )
    store.start()
    try:
        try:
            async with asyncio.timeout(_OPEN_S):
                await store.opened()
        except TimeoutError:
            raise StorageUnavailable(f"not open after {_OPEN_S:.0f} s: {store.status().detail}") from None
        yield BackfillStore(store.market, store.bars, store.state, store)
    finally:
        await store.close()


def _ignore(_call: CallRecord) -> None:
    """Calls are counted by the service's metrics; a command has none."""


@asynccontextmanager
async def open_providers(
    settings: Settings, clock: Clock, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> AsyncIterator[tuple[HistoryProvider, ...]]:
    """OKX and CoinGlass, started: plan, instruments and lists are known, or their failure is."""
    cache = ResourceCache(now_ms=clock.now_ms, max_entries=_CACHE_ENTRIES)
    redis = None
    quota = None
    if settings.redis_url is not None:
        redis = RedisLink(
            settings.redis_url.get_secret_value(),
            timeout_s=settings.redis_timeout_seconds,
            monotonic=clock.monotonic_s,
        )
        quota = SharedQuota(
            "coinglass",
            redis,
            calls=CALLS_PER_MINUTE[Plan.HOBBYIST],  # until the account says more
            prefix=f"signals:{settings.data_mode}:",
            monotonic=clock.monotonic_s,
        )
    key = settings.coinglass_api_key
    waits = Waits(settings.connect_timeout_seconds, settings.read_timeout_seconds)
    providers: tuple[HistoryProvider, ...] = (
        build_okx(
            base_url=settings.okx_base_url,
            cache=cache,
            observe=_ignore,
            now_ms=clock.now_ms,
            monotonic=clock.monotonic_s,
            waits=waits,
            sleep=sleep,
        ),
        build_coinglass(
            api_key=None if key is None else key.get_secret_value(),
            base_url=settings.coinglass_base_url,
            cache=cache,
            observe=_ignore,
            now_ms=clock.now_ms,
            monotonic=clock.monotonic_s,
            waits=waits,
            sleep=sleep,
            exchange_order=settings.exchanges,
            quota=quota,
        ),
    )
    try:
        await asyncio.gather(*(provider.start() for provider in providers))
        yield providers
    finally:
        await cache.aclose()
        await asyncio.gather(*(provider.close() for provider in providers))
        if quota is not None:
            await quota.settled()
        if redis is not None:
            await redis.aclose()
