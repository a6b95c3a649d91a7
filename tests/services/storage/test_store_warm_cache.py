"""Two processes on one database and no Redis: what the worker publishes the web process reads, with age."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.core.domain.market import DAY_MS
from app.core.errors import StorageUnavailable
from app.services.storage.engine import let_go, open_engine
from app.services.storage.state import SqlState
from app.services.storage.warm import READ_EVERY_S, REST_S, WRITE_EVERY_S, StoreWarmCache
from app.services.streaming.warm_cache import MemoryWarmCache
from tests.flow_facts import NOW_MS, snapshot


class Times:
    def __init__(self) -> None:
        self.now_ms, self.now_s = NOW_MS, 100.0

    def tick(self, seconds: float) -> None:
        self.now_s += seconds
        self.now_ms += int(seconds * 1000)

    def cache(self, state: SqlState) -> StoreWarmCache:
        clock = {"now_ms": lambda: self.now_ms, "monotonic": lambda: self.now_s}
        return StoreWarmCache(state, memory=MemoryWarmCache(**clock), **clock)


class Rig:
    def __init__(self, state: SqlState, times: Times) -> None:
        self.state, self.times = state, times
        self.worker, self.web = times.cache(state), times.cache(state)


@asynccontextmanager
async def rig_on(url: str) -> AsyncIterator[Rig]:
    engine = open_engine(url)
    times = Times()
    try:
        yield Rig(SqlState(engine, now_ms=lambda: times.now_ms), times)
    finally:
        await let_go(engine)


async def test_what_one_process_publishes_the_other_reads(database_url: str) -> None:
    async with rig_on(database_url) as rig:
        told = [snapshot("BTC"), snapshot("1%_coin"), snapshot("ETH")]
        await rig.worker.publish(told)
        assert await rig.web.read("BTC") == told[0]
        assert await rig.web.read("NOPE") is None
        assert [one.symbol for one in await rig.web.read_all()] == ["1%_coin", "BTC", "ETH"]
        await rig.worker.put_text("status", "a:b:{}", keep_s=10)
        assert await rig.web.get_text("status") == "a:b:{}"
        rig.times.tick(10)
        assert await rig.web.get_text("status") is None
        await rig.state.put_many({"warm:text:status": "soon:{}"})
        rig.times.tick(READ_EVERY_S)
        assert await rig.web.get_text("status") is None


async def test_coins_are_written_every_other_second_and_none_is_left_out(database_url: str) -> None:
    async with rig_on(database_url) as rig:
        await rig.worker.publish([snapshot("BTC")])
        rig.times.tick(0.5)
        await rig.worker.publish([snapshot("ETH")])
        assert await rig.web.read("ETH") is None
        rig.times.tick(WRITE_EVERY_S)
        await rig.worker.publish([])
        assert await rig.web.read("ETH") is not None


async def test_the_newer_word_holds_and_the_database_is_read_once_a_second(database_url: str) -> None:
    async with rig_on(database_url) as rig:
        await rig.worker.publish([snapshot("BTC")])
        first = await rig.web.read("BTC")
        rig.times.tick(WRITE_EVERY_S)
        newer = dataclasses.replace(snapshot("BTC"), as_of_ms=rig.times.now_ms)
        await rig.worker.publish([newer])
        assert first is not None
        assert await rig.web.read("BTC") == newer
        rig.times.tick(READ_EVERY_S / 2)
        await rig.state.put_many({"warm:coin:BTC": "{}"})
        assert await rig.web.read("BTC") == newer
        rig.times.tick(READ_EVERY_S)
        assert await rig.web.read("BTC") is None
        assert rig.web.unreadable == 1
        assert await rig.worker.read("BTC") == newer  # of its own memory


async def test_what_is_older_than_a_day_is_not_told(database_url: str) -> None:
    async with rig_on(database_url) as rig:
        await rig.worker.publish([snapshot("BTC", as_of_ms=NOW_MS)])
        rig.times.tick(DAY_MS / 1000 + 1)
        assert await rig.web.read("BTC") is None
        assert await rig.web.read_all() == []


async def test_while_the_database_is_away_memory_answers_and_the_rest_is_written_later(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rig_on(database_url) as rig:
        visits = 0
        real = rig.state.put_many

        async def away(values: object) -> None:
            nonlocal visits
            visits += 1
            raise StorageUnavailable("away")

        monkeypatch.setattr(rig.state, "put_many", away)
        await rig.worker.publish([snapshot("BTC")])
        rig.times.tick(WRITE_EVERY_S)
        await rig.worker.publish([snapshot("ETH")])
        await rig.worker.put_text("status", "{}", keep_s=60)
        assert visits == 1  # it is left alone for a while
        assert rig.worker.faults == 1
        assert await rig.worker.read("BTC") is not None
        assert await rig.worker.get_text("status") == "{}"
        monkeypatch.setattr(rig.state, "put_many", real)
        rig.times.tick(REST_S)
        await rig.worker.publish([])
        assert [one.symbol for one in await rig.web.read_all()] == ["BTC", "ETH"]


async def test_what_nobody_has_written_for_a_day_is_swept_out_and_nothing_else(database_url: str) -> None:
    async with rig_on(database_url) as rig:
        await rig.worker.put_text("status:all-1", "a start ago", keep_s=600)
        await rig.worker.publish([snapshot("GONE")])
        await rig.state.put_state("data_mode", "live")
        rig.times.tick(DAY_MS / 1000 + 1)
        await rig.worker.publish([snapshot("BTC", as_of_ms=rig.times.now_ms)])
        assert await rig.state.get_state("warm:text:status:all-1") is None
        assert await rig.state.get_state("warm:coin:GONE") is None
        assert await rig.state.get_state("warm:coin:BTC") is not None
        assert await rig.state.get_state("data_mode") == "live"
