"""Opening and closing the store: what is buffered, a database that is not ours, a file that is none."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from app.core.domain.stored import BarQuery, ExportName, SeriesName, SignalQuery, StoreState
from app.core.errors import StorageRefused, StorageUnavailable
from app.services.storage.store import SqlStore
from tests.services.storage.rows import NOW_MS, liquidations, until
from tests.services.storage.test_store import EVER, exported


async def test_closing_writes_what_is_buffered(database_url: str) -> None:
    events = liquidations(50)
    for turn in range(2):
        store = SqlStore(database_url, data_mode="live", now_ms=lambda: NOW_MS, monotonic=time.monotonic)
        store.start()
        await store.opened()
        if turn == 0:
            store.market.put(events)
        else:
            assert len(await exported(store, ExportName.LIQUIDATIONS)) == 50
        await store.close()
        assert store.status().lost_rows == 0


async def test_a_database_of_another_data_mode_is_neither_read_nor_written(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    events = liquidations(50)
    live = SqlStore(database_url, data_mode="live", now_ms=lambda: NOW_MS, monotonic=time.monotonic)
    live.start()
    await live.opened()
    live.market.put(events[:40])
    await live.market.flush()
    demo = SqlStore(database_url, data_mode="demo", now_ms=lambda: NOW_MS, monotonic=time.monotonic)
    demo.start()
    try:
        with pytest.raises(StorageRefused, match="live data"):
            await demo.opened()
        demo.market.put(events)
        questions = (
            lambda: demo.tiles.tiles("BTC", 0, 10**9),
            lambda: demo.signals.page(SignalQuery()),
            lambda: demo.bars.bars(BarQuery(SeriesName.CANDLES, "BTC", "1h", *EVER)),
            lambda: exported(demo, ExportName.LIQUIDATIONS),
            lambda: demo.state.watchlist(),
            lambda: demo.state.put_state("k", "v"),
            demo.market.flush,
        )
        for ask in questions:
            with pytest.raises(StorageUnavailable, match="live data"):
                await ask()
        assert demo.status().state is StoreState.REFUSED
    finally:
        await demo.close()
    (end,) = [record for record in caplog.records if record.message == "rows lost at stop"]
    assert (vars(end)["rows"], demo.status().lost_rows) == (50, 50)
    assert len(await exported(live, ExportName.LIQUIDATIONS)) == 40
    await live.close()


@pytest.mark.parametrize("place", ["/proc/none/store.db", "folder", "garbage"])
async def test_a_file_that_cannot_be_one_is_a_state_and_not_a_crash(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "garbage").write_bytes(bytes(range(256)) * 40)
    store = SqlStore(
        f"sqlite:///{tmp_path / place}", data_mode="live", now_ms=lambda: NOW_MS, monotonic=time.monotonic
    )
    store.start()
    try:
        await until(lambda: store.status().state is StoreState.DOWN)
        assert store.market.put(liquidations(3)) == 3
        with pytest.raises(StorageUnavailable):
            await store.tiles.tiles("BTC", 0, 10**9)
        assert str(tmp_path) not in store.status().detail
    finally:
        await store.close()
