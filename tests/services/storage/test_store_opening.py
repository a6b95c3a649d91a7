"""Opening and closing the store: what is buffered, a database that is not ours, a file that is none."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from app.core.clock import ManualClock
from app.core.domain.stored import BarQuery, ExportName, SeriesName, SignalQuery, StoreState, Trigger
from app.core.errors import StorageRefused, StorageUnavailable
from app.services.storage.store import LATE_S, SqlStore
from tests.services.storage.rows import NOW_MS, liquidations, until
from tests.services.storage.test_signal_log import made
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


async def test_the_age_of_what_waits_is_that_of_the_oldest_signal_or_row(database_url: str) -> None:
    clock = ManualClock()
    store = SqlStore(database_url, data_mode="live", now_ms=lambda: NOW_MS, monotonic=clock.monotonic_s)
    assert store.status().oldest_buffered_s == 0.0
    for n in range(2):
        store.signals.append(*made(n), Trigger.REQUEST)
        clock.tick(5)
    store.market.put(liquidations(10))
    clock.tick(1)
    assert store.status().oldest_buffered_s == 11.0
    store.start()
    await store.opened()
    try:
        await until(lambda: store.status().buffered_rows == 0)
        assert store.status().oldest_buffered_s == 0.0
        store.signals.append(*made(2), Trigger.REQUEST)
        clock.tick(LATE_S + 1)
        assert store.status().state is StoreState.DOWN
        assert store.status().detail == "rows have waited 11 s for the database"
    finally:
        await store.close()
    assert (store.status().oldest_buffered_s, store.status().lost_rows) == (0.0, 0)


def modes_in(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


async def test_the_file_and_what_lies_beside_it_are_the_owners_alone(tmp_path: Path) -> None:
    """It holds digests of keys and the audit log; whoever starts the service may have any umask."""
    file = tmp_path / "store.db"
    before = os.umask(0o022)
    try:
        store = SqlStore(
            f"sqlite:///{file}", data_mode="live", now_ms=lambda: NOW_MS, monotonic=time.monotonic
        )
        assert not file.exists()
        store.start()
        await store.opened()
        store.market.put(liquidations(50))
        await until(lambda: store.status().buffered_rows == 0)
        modes = modes_in(tmp_path)
        await store.close()
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("store.db", "store.db-shm", "store.db-wal"), 0o600)


@pytest.mark.parametrize("what", ["signals", "liquidations"])
async def test_told_to_stop_in_the_middle_of_a_write_nothing_is_lost(tmp_path: Path, what: str) -> None:
    """The statement under way cannot be recalled: what it begins must not lock out the writes of the end."""
    file = tmp_path / "store.db"
    store = SqlStore(f"sqlite:///{file}", data_mode="live", now_ms=lambda: NOW_MS, monotonic=time.monotonic)
    store.start()
    await store.opened()
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        if what == "signals":
            for n in range(3):
                store.signals.append(*made(n), Trigger.REQUEST)
            await until(lambda: store.signals._writing.locked())
        else:
            store.market.put(liquidations(50))
            await until(lambda: bool(store.market._flying))
        await asyncio.sleep(0.2)  # until the statement waits for the lock
        ending = asyncio.create_task(store.close())
        await asyncio.sleep(0.2)  # until it was told
        other.execute("ROLLBACK")
        await ending
        assert store.status().lost_rows == 0
        counts = other.execute("SELECT (SELECT count(*) FROM signals), (SELECT count(*) FROM liquidations)")
        assert counts.fetchone() == ((3, 0) if what == "signals" else (0, 50))


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
    before = set(threading.enumerate())
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
        # The driver's thread of a connection that never was answers once more: to a loop that is still there.
        await until(lambda: set(threading.enumerate()) <= before)
