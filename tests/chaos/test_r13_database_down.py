"""R13: the database stops, restarts or freezes mid-batch: nothing within the stated bound is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from typing import Any

import pytest

from app.core.domain.stored import ExportName, SignalQuery, StoreState, Trigger
from app.core.errors import StorageRefused, StorageUnavailable
from app.services.storage import gate, postgres_bulk
from app.services.storage import store as store_module
from app.services.storage.retention import Keep, apply_retention
from app.services.storage.store import SqlStore
from tests.live_rig import live_rig
from tests.postgres_server import PostgresServer
from tests.services.storage.conftest import migrate
from tests.services.storage.rows import NOW_MS, liquidations, until
from tests.services.storage.test_signal_log import made
from tests.services.storage.test_store import assert_same_tiles, exported, recount, stored_tiles

MAX_ROWS = 8_000
COINS = ("BTC", "ETH", "PEPE")


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server of this module's own, for it is stopped."""
    with PostgresServer() as running:
        yield running


@pytest.fixture
def url(server: PostgresServer) -> str:
    url = server.create("outage")
    migrate(url)
    return url


@pytest.fixture
async def store(url: str) -> AsyncIterator[SqlStore]:
    store = SqlStore(
        url, data_mode="live", now_ms=lambda: NOW_MS, monotonic=time.monotonic, max_buffered_rows=MAX_ROWS
    )
    store.start()
    await store.opened()
    yield store
    await store.close()


async def is_back(store: SqlStore) -> None:
    """It answers, and nothing waits any more."""
    await until(lambda: store.status().state is StoreState.OK and store.status().buffered_rows == 0)


async def test_a_restart_loses_and_doubles_nothing(server: PostgresServer, store: SqlStore) -> None:
    events = liquidations(12_000)
    for turn in range(4):
        part = events[turn * 3_000 : turn * 3_000 + 3_000]
        for start in range(0, 3_000, 250):
            store.market.put(part[start : start + 250])
            await asyncio.sleep(0)
        store.signals.append(*made(turn, later_ms=turn), Trigger.REQUEST)
        await asyncio.to_thread(server.stop)  # as a crash: whatever was under way is cut off
        await until(lambda: store.status().state is StoreState.DOWN or store.status().buffered_rows == 0)
        store.market.put(part[-100:])  # while it is away
        await asyncio.to_thread(server.start)
        await is_back(store)
    assert store.status().lost_rows == 0
    found = await exported(store, ExportName.LIQUIDATIONS)
    assert sorted(found) == sorted(map(tuple, events))
    assert_same_tiles(await stored_tiles(store, COINS), recount(events))
    assert len((await store.signals.page(SignalQuery())).rows) == 4
    assert (await store.verify()).broken == ()


async def test_beyond_the_bound_rows_are_turned_away_and_counted(
    server: PostgresServer, store: SqlStore
) -> None:
    await asyncio.to_thread(server.stop)
    events = liquidations(MAX_ROWS + 1_500)
    accepted = store.market.put(events)
    try:
        await until(lambda: store.status().state is StoreState.DOWN)
        assert accepted == MAX_ROWS
        assert store.status().lost_rows == 1_500
        with pytest.raises(StorageUnavailable):
            await store.tiles.tiles("BTC", 0, 10**9)
        with pytest.raises(StorageUnavailable):
            await store.signals.page(SignalQuery())
    finally:
        await asyncio.to_thread(server.start)
    await is_back(store)
    assert sorted(await exported(store, ExportName.LIQUIDATIONS)) == sorted(map(tuple, events[:accepted]))


async def test_a_frozen_server_holds_nobody_for_ever(
    server: PostgresServer, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = liquidations(2_000)
    store.market.put(events[:1_000])
    await store.market.flush()
    monkeypatch.setattr(postgres_bulk, "STATEMENT_TIMEOUT_S", 0.5)
    monkeypatch.setattr(postgres_bulk, "CONNECT_TIMEOUT_S", 0.5)
    await store.market._backend.close()  # connect anew, with the short patience
    server.freeze()
    try:
        store.market.put(events[1_000:])
        await until(lambda: store.status().failed_batches > 0)
        assert store.status().state is StoreState.DOWN
        assert store.status().buffered_rows == 1_000
    finally:
        server.thaw()
    await is_back(store)
    found = await exported(store, ExportName.LIQUIDATIONS)
    assert sorted(found) == sorted(map(tuple, events))
    assert_same_tiles(await stored_tiles(store, COINS), recount(events))


async def test_a_frozen_server_makes_one_reader_wait_and_tells_the_others_at_once(
    server: PostgresServer, store: SqlStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(gate, "_LOOK_S", 0.5)
    monkeypatch.setattr(store._gate, "_answer_s", 0.5)
    caplog.set_level("INFO", logger=gate.__name__)

    def outages() -> list[str]:
        return [record.message for record in caplog.records if record.name == gate.__name__]

    store.signals.append(*made(1), Trigger.REQUEST)
    await store.signals.flush()
    server.freeze()
    try:
        for n in range(2):
            store.signals.append(*made(2 + n, later_ms=n), Trigger.REQUEST)
        with pytest.raises(StorageUnavailable, match="no answer in time"):
            await store.signals.page(SignalQuery())
        await until(lambda: store.status().state is StoreState.DOWN and store._gate.silent is not None)
        # In the words of the watch: they did not go and see for themselves.
        await asyncio.gather(
            *(expect_unavailable(store.tiles.tiles("BTC", 0, 10**9)) for _ in range(40)),
            *(expect_unavailable(store.state.get_state("x")) for _ in range(40)),
        )
        assert store.status().buffered_rows == 2
        assert "no answer in time" in store.status().detail
        assert outages() == ["the database does not answer"]
    finally:
        server.thaw()
    await is_back(store)
    assert outages() == [
        "the database does not answer",
        "the database answers again",
    ]
    assert len((await store.signals.page(SignalQuery())).rows) == 3


async def test_a_frozen_server_does_not_keep_the_service_from_ending(
    server: PostgresServer, url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    is_aged = asyncio.Event()

    async def age_out(*args: Any) -> Mapping[str, int]:
        try:
            return await apply_retention(*args)
        finally:
            is_aged.set()

    monkeypatch.setattr(store_module, "apply_retention", age_out)
    monkeypatch.setattr(store_module, "_STOP_S", 1.0)
    store = SqlStore(url, data_mode="live", now_ms=lambda: NOW_MS, monotonic=time.monotonic, keep=Keep())
    store.start()
    await store.opened()
    store.market.put(liquidations(100))
    await store.market.flush()
    await store.tiles.tiles("BTC", 0, 10**9)  # a connection in every pool that must be let go
    await is_aged.wait()
    server.freeze()
    try:
        store.market.put(liquidations(300)[100:])
        async with asyncio.timeout(40):
            await store.close()
    finally:
        server.thaw()
    assert store.status().lost_rows == 200
    assert [vars(record)["rows"] for record in caplog.records if "lost at stop" in record.message] == [200]


async def expect_unavailable(reading: Awaitable[object]) -> None:
    with pytest.raises(StorageUnavailable, match=r"^the database does not answer"):
        await reading


async def test_a_server_that_is_away_at_start_is_waited_for(server: PostgresServer, url: str) -> None:
    await asyncio.to_thread(server.stop)
    store = SqlStore(url, data_mode="live", now_ms=lambda: NOW_MS, monotonic=time.monotonic)
    store.start()
    try:
        events = liquidations(100)
        store.market.put(events)
        await until(lambda: "refuses the connection" in store.status().detail)
        assert store.status().state is StoreState.DOWN
        with pytest.raises(StorageUnavailable):
            await store.market.flush()
        await asyncio.to_thread(server.start)
        await store.opened()
        await is_back(store)
        assert len(await exported(store, ExportName.LIQUIDATIONS)) == 100
    finally:
        await store.close()


async def test_a_database_that_is_migrated_after_the_start_is_used_without_a_restart(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_REFUSED_PAUSE_S", 0.05)
    url = server.create("late")
    store = SqlStore(url, data_mode="live", now_ms=lambda: NOW_MS, monotonic=time.monotonic)
    store.start()
    try:
        with pytest.raises(StorageRefused, match="make migrate"):
            await store.opened()
        events = liquidations(100)
        store.market.put(events)
        await asyncio.to_thread(migrate, url)
        await is_back(store)
        assert sorted(await exported(store, ExportName.LIQUIDATIONS)) == sorted(map(tuple, events))
    finally:
        await store.close()


async def test_answers_go_on_without_the_database_and_nothing_answered_is_lost(
    server: PostgresServer, url: str
) -> None:
    async with live_rig({"DATABASE_URL": url}) as rig:

        async def stored() -> list[str]:
            answer = await rig.app.get("/signals/BTC/history")
            assert answer.status_code == 200, answer.text
            return [item["asOf"] for item in answer.json()["items"]]

        async def ready() -> tuple[int, str, str]:
            answer = await rig.app.get("/health/ready")
            (found,) = [item for item in answer.json()["dependencies"] if item["name"] == "store"]
            return answer.status_code, found["state"], found["detail"]

        async def until_it_is(state: str) -> None:
            async with asyncio.timeout(30):
                while (await ready())[1] != state:  # noqa: ASYNC110  seen by asking only
                    await asyncio.sleep(0.05)

        await until_it_is("ok")
        first = (await rig.signal())["asOf"]
        assert await stored() == [first]
        await asyncio.to_thread(server.stop)
        try:
            rig.advance(3_600)
            second = (await rig.signal())["asOf"]
            history = await rig.app.get("/signals/BTC/history")
            assert history.status_code == 503
            assert history.json()["code"] == "storage_unavailable"
            assert int(history.headers["Retry-After"]) > 0
            replay = await rig.app.get("/replay/oi/BTC")
            assert replay.status_code == 200
            assert replay.json()["storeFault"]
            await until_it_is("down")
            status, _, detail = await ready()
            assert status == 200
            assert "rows wait" in detail
            assert server.url() not in detail
            assert (await rig.app.get("/health/live")).status_code == 200
            metrics = (await rig.app.get("/metrics")).text
            assert 'store_up{backend="postgresql",state="down"} 0.0' in metrics
        finally:
            await asyncio.to_thread(server.start)
        await until_it_is("ok")
        assert await stored() == [second, first]
