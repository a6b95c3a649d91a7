"""The heatmap over a real store: what was stored is what the cells sum to, on both databases."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.core.clock import ManualClock
from app.core.domain.context import DataMode
from app.core.domain.heatmap import MINUTE_MS, HeatmapQuery, HeatmapState
from app.core.domain.quality import Missing, MissingReason
from app.core.domain.symbol import Symbol
from app.core.errors import StorageUnavailable
from app.core.heatmap.tiles import fold_tiles
from app.services.heatmap_service import HeatmapService
from app.services.storage.store import SqlStore
from tests.heatmap_facts import FakePainter, no_swings
from tests.services.storage.rows import T0_MS, liquidations

NOW_MS = T0_MS + 60 * MINUTE_MS
BTC, HOUR = Symbol("BTC"), HeatmapQuery(minutes=60)


async def no_price(_symbol: Symbol) -> Missing:
    return Missing(MissingReason.NO_DATA, "not asked here")


def heatmap_of(store: SqlStore, now_ms: int = NOW_MS) -> HeatmapService:
    return HeatmapService(
        store=store.tiles,
        resolve=Symbol,
        price=no_price,
        swings=no_swings,
        painter=FakePainter(),
        clock=ManualClock(now_ms),
        data_mode=DataMode.LIVE,
    )


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[SqlStore]:
    store = SqlStore(database_url, data_mode="live", now_ms=lambda: NOW_MS, monotonic=time.monotonic)
    store.start()
    await store.opened()
    yield store
    await store.close()


async def test_the_cells_sum_to_a_recount_of_the_stored_liquidations(store: SqlStore) -> None:
    events = liquidations(1_500)
    for _ in range(2):  # a stream that was read twice
        await store.market.put_all(events)
    await store.market.flush()
    grid = (await heatmap_of(store).heatmap(BTC, HOUR)).grid
    counted = [tile for tile in fold_tiles(events) if tile.symbol == "BTC"]
    assert grid is not None
    assert grid.events == sum(tile.events for tile in counted)
    for side in ("long_usd", "short_usd"):
        assert sum(getattr(cell, side) for cell in grid.cells) == pytest.approx(
            sum(getattr(tile, side) for tile in counted), rel=1e-9
        )


async def test_never_stored_then_stored_then_too_old(store: SqlStore) -> None:
    assert (await heatmap_of(store).heatmap(BTC, HOUR)).state is HeatmapState.NOTHING_STORED
    await store.market.put_all(liquidations(50, symbols=("BTC",)))
    await store.market.flush()
    assert (await heatmap_of(store).heatmap(BTC, HOUR)).state is HeatmapState.FILLED
    later = heatmap_of(store, NOW_MS + 120 * MINUTE_MS)
    assert (await later.heatmap(BTC, HOUR)).state is HeatmapState.EMPTY_WINDOW


async def test_a_database_that_is_not_there_is_an_error_and_not_an_empty_heatmap(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'no folder' / 'store.db'}"
    absent = SqlStore(url, data_mode="live", now_ms=lambda: NOW_MS, monotonic=time.monotonic)
    with pytest.raises(StorageUnavailable):
        await heatmap_of(absent).heatmap(BTC, HOUR)
    await absent.close()
