"""Sums by the hour, the newest liquidations and open interest by the minute, out of both databases."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest

from app.core.domain.heatmap import AbsentPart
from app.core.domain.market import HOUR_MS
from app.core.domain.stored import HourSum, OpenInterestRow
from app.core.domain.symbol import Symbol
from app.core.errors import StorageUnavailable
from app.services.storage.store import SqlStore
from app.services.streaming.minute_interest import MinuteInterest
from tests.services.storage.rows import T0_MS, liquidation

NOW_MS = T0_MS + 5 * HOUR_MS


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[SqlStore]:
    store = SqlStore(database_url, data_mode="live", now_ms=lambda: NOW_MS, monotonic=time.monotonic)
    store.start()
    await store.opened()
    yield store
    await store.close()


async def test_hours_are_summed_by_side_and_stream_and_stamped_by_their_close(store: SqlStore) -> None:
    rows = [
        liquidation(ts_event_ms=T0_MS, usd=100.0),
        liquidation(ts_event_ms=T0_MS + HOUR_MS - 1, usd=10.0, side="SHORT"),
        liquidation(ts_event_ms=T0_MS + HOUR_MS, usd=7.0),
        liquidation(ts_event_ms=T0_MS + 5, usd=3.0)._replace(source="okx", id=9),
        liquidation(ts_event_ms=T0_MS + 6, usd=9e9, symbol="ETH"),
    ]
    await store.market.put_all(rows)
    await store.market.flush()
    assert await store.liquidations.hours("BTC", T0_MS, T0_MS + 5 * HOUR_MS) == [
        HourSum(T0_MS + HOUR_MS, "okx", 3.0, 0.0, 1),
        HourSum(T0_MS + HOUR_MS, "test", 100.0, 10.0, 2),
        HourSum(T0_MS + 2 * HOUR_MS, "test", 7.0, 0.0, 1),
    ]
    assert await store.liquidations.hours("BTC", T0_MS + HOUR_MS, T0_MS + 2 * HOUR_MS) == [
        HourSum(T0_MS + 2 * HOUR_MS, "test", 7.0, 0.0, 1)
    ]
    assert await store.liquidations.hours("DOGE", T0_MS, T0_MS + HOUR_MS) == []


async def test_what_has_not_happened_yet_is_not_read(store: SqlStore) -> None:
    await store.market.put_all([liquidation(ts_event_ms=NOW_MS + n) for n in (0, 1)])
    await store.market.flush()
    (found,) = await store.liquidations.hours("BTC", T0_MS, NOW_MS + HOUR_MS)
    assert found.events == 1
    assert [row.ts_event_ms for row in await store.liquidations.newest("BTC", 5)] == [NOW_MS]


async def test_the_newest_come_first_and_no_more_than_asked_for(store: SqlStore) -> None:
    await store.market.put_all([liquidation(ts_event_ms=T0_MS + n, nth=n) for n in range(6)])
    await store.market.flush()
    found = await store.liquidations.newest("BTC", 4)
    assert [row.ts_event_ms - T0_MS for row in found] == [5, 4, 3, 2]
    assert found[0] == liquidation(ts_event_ms=T0_MS + 5, nth=5)


async def test_open_interest_by_the_minute_is_read_back_as_it_was_kept(store: SqlStore) -> None:
    last_min = NOW_MS // 60_000 - 1
    none = (None, None, None)
    rows = [
        OpenInterestRow(
            *("ALL", "BTC", "1m", (last_min + 1 - n) * 60_000),
            *(*none, 5_000.0 + n, *none, 100.0 + n, "coinglass", NOW_MS),
        )
        for n in range(30)
    ]
    store.market.put(rows)
    await store.market.flush()
    minutes = await MinuteInterest(store.bars)(Symbol("BTC"), last_min)
    assert not isinstance(minutes, AbsentPart)
    assert (len(minutes), minutes[-1].ts_min) == (29, last_min)
    assert minutes[-1].change_usd == pytest.approx(-50.0)


@pytest.mark.parametrize(
    ("kept", "behind", "why"),
    [(0, 0, "has not kept"), (10, 0, "9 minutes of open interest, 20 are needed"), (30, 2, "last 2 min")],
)
async def test_too_little_of_it_is_a_missing_part_with_its_reason(
    store: SqlStore, kept: int, behind: int, why: str
) -> None:
    last_min = NOW_MS // 60_000 - 1
    none = (None, None, None)
    rows = [
        OpenInterestRow(
            *("ALL", "BTC", "1m", (last_min + 1 - behind - n) * 60_000),
            *(*none, 5_000.0, *none, 100.0, "coinglass", NOW_MS),
        )
        for n in range(kept)
    ]
    store.market.put(rows)
    await store.market.flush()
    found = await MinuteInterest(store.bars)(Symbol("BTC"), last_min)
    assert isinstance(found, AbsentPart)
    assert why in found.detail


async def test_a_store_that_is_shut_says_so(database_url: str) -> None:
    shut = SqlStore(database_url, data_mode="live", now_ms=lambda: NOW_MS, monotonic=time.monotonic)
    with pytest.raises(StorageUnavailable):
        await shut.liquidations.hours("BTC", T0_MS, NOW_MS)
    with pytest.raises(StorageUnavailable):
        await shut.liquidations.newest("BTC", 5)
    await shut.close()
