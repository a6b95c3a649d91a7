"""R16: no space left. Answers go on, what waits is bounded and counted, with space again all is written."""

from __future__ import annotations

import asyncio
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.core.domain.stored import ExportName, StoreState
from app.core.errors import StorageUnavailable
from app.services.storage.store import SqlStore
from tests.chaos.conftest import note
from tests.services.storage.rows import NOW_MS, liquidations, until
from tests.services.storage.test_store import exported
from tests.worker_rig import COINS, Truth, upstream
from tests.worker_rig import until as wait_until

MAX_ROWS = 5_000


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    store = SqlStore(
        url,
        data_mode="live",
        now_ms=lambda: NOW_MS,
        monotonic=time.monotonic,
        max_buffered_rows=MAX_ROWS,
    )
    store.start()
    await store.opened()
    yield store
    await store.close()


@pytest.fixture
def size_limit() -> Iterator[None]:
    """No file of this process may grow beyond what it has: as a full disk, but without filling one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, before)


def lift_size_limit() -> None:
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


async def fill(store: SqlStore, count: int) -> int:
    """Put events until the store says it is full; how many were offered."""
    events = liquidations(count)
    offered = 0
    async with asyncio.timeout(60):
        while store.status().state is StoreState.OK:
            store.market.put(events[offered : offered + 500])
            offered += 500
            if offered >= count:
                break
            try:
                await store.market.flush()
            except StorageUnavailable:
                break
    await until(lambda: store.status().state is not StoreState.OK)
    return offered


async def test_a_page_limit_fills_the_file_and_lifting_it_writes_everything(store: SqlStore) -> None:
    await store.market.flush()
    connection = store.market._backend._connect()  # the limit is a property of the connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 40}")
    offered = await fill(store, 20_000)
    assert store.status().state is StoreState.FULL
    assert "full" in store.status().detail
    assert store.status().failed_batches > 0
    # Reading and small writes by others go on: the record and the state have their own connections.
    await store.state.put_state("while", "full")
    assert await store.state.get_state("while") == "full"
    connection.execute("PRAGMA max_page_count = 1073741823")
    await until(lambda: store.status().buffered_rows == 0)
    assert store.status().state is StoreState.OK
    found = await exported(store, ExportName.LIQUIDATIONS)
    assert sorted(found) == sorted(map(tuple, liquidations(20_000)[:offered]))
    assert store.status().lost_rows == 0


@pytest.mark.skipif(sys.platform != "linux", reason="file size limits are Linux' here")
@pytest.mark.usefixtures("size_limit")
async def test_a_process_that_may_write_no_more_recovers_when_it_may(store: SqlStore) -> None:
    offered = await fill(store, 60_000)
    status = store.status()
    assert status.state in {StoreState.FULL, StoreState.DOWN}
    assert status.failed_batches > 0
    # It goes on taking rows up to its bound, and counts what it turns away.
    before = store.status()
    more = liquidations(MAX_ROWS + 700, seed=2)
    accepted = store.market.put(more)
    assert accepted == MAX_ROWS - before.buffered_rows
    assert store.status().lost_rows == before.lost_rows + len(more) - accepted
    lift_size_limit()
    await until(lambda: store.status().buffered_rows == 0)
    assert store.status().state is StoreState.OK
    found = await exported(store, ExportName.LIQUIDATIONS)
    assert set(found) == set(map(tuple, liquidations(60_000)[:offered])) | set(map(tuple, more[:accepted]))


@pytest.mark.skipif(sys.platform != "linux", reason="file size limits are Linux' here")
async def test_a_service_that_may_write_no_more_answers_says_so_and_recovers(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'signals.db'}"
    async with upstream(tmp_path, url, WORKER="embedded") as around:
        service = await around.start(module="app.main")

        async def store_state() -> str:
            ready = await service.get("/health/ready")
            assert ready.status_code == 200
            (state,) = [one["state"] for one in ready.json()["dependencies"] if one["name"] == "store"]
            return str(state)

        async def is_in_trouble() -> bool:
            around.cascade(COINS[0], usd=500, events=50)
            return await store_state() != "ok"

        async def is_well() -> bool:
            return await store_state() == "ok"

        async def is_all_stored() -> bool:
            return await Truth(url).liquidations() == Counter(
                (row["base"], row["ts_ms"]) for row in around.liquidated
            )

        await wait_until(is_well, why=service.log)
        hard = resource.prlimit(service.pid, resource.RLIMIT_FSIZE)[1]
        # Neither database nor journal may grow; the log is shorter than that and goes on.
        resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (64 * 1024, hard))
        await wait_until(is_in_trouble, why=service.log)
        assert (await service.get("/signals/BTC")).status_code == 200
        assert (await service.get("/health/live")).status_code == 200
        resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (hard, hard))
        took_s = await wait_until(is_well, why=service.log)
        await wait_until(is_all_stored, why=service.log)
        assert (await service.stop())[0] == 0
        assert "Traceback" not in service.log()
        note(f"R16 {len(around.liquidated)} events, all stored {took_s:.1f} s after there was space again")
