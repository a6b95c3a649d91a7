"""R15: killed at any moment, the store loses at most rows it had not written yet, and corrupts nothing."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from sqlalchemy import text

from app.core.domain.stored import ExportName
from app.services.storage.store import SqlStore
from tests.chaos.conftest import note
from tests.ingest_child import BATCH, BUFFER_ROWS, events, ingest
from tests.services.storage.conftest import database_url, postgres, postgres_template
from tests.services.storage.rows import NOW_MS
from tests.services.storage.test_store import assert_same_tiles, exported, recount, stored_tiles

__all__ = ["database_url", "postgres", "postgres_template"]

START_LIMIT_S = 5.0
KILLS = {"sqlite": 100, "postgresql": 30}


@pytest.fixture(scope="module")
def forks() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.ingest_child"])
    return context


class Killed(Exception):
    """The child is gone."""


def one_life(
    forks: multiprocessing.context.ForkServerContext, url: str, first: int, life_s: float
) -> Iterator[tuple[str, int, int]]:
    """Start a child, yield what it says, kill it `life_s` after it opened the store."""
    ours, theirs = forks.Pipe(duplex=False)
    child = forks.Process(target=ingest, args=(url, first, theirs), daemon=True)
    child.start()
    theirs.close()
    try:
        assert ours.poll(START_LIMIT_S), "the store did not open in time"
        yield ours.recv()
        ends_at = time.monotonic() + life_s
        while (rest_s := ends_at - time.monotonic()) > 0:
            if ours.poll(rest_s):
                yield ours.recv()
        child.kill()
        with suppress(EOFError):
            while True:
                yield ours.recv()
    finally:
        child.kill()
        child.join()
        ours.close()


def open_store(url: str) -> SqlStore:
    store = SqlStore(url, data_mode="live", now_ms=lambda: NOW_MS, monotonic=time.monotonic)
    store.start()
    return store


async def test_a_hundred_kills_lose_at_most_the_unflushed_rows_and_corrupt_nothing(
    forks: multiprocessing.context.ForkServerContext, database_url: str
) -> None:
    draw = random.Random(15)
    kills = KILLS[database_url.partition(":")[0]]
    acknowledged = furthest = signals = 0
    interrupted = 0
    for _ in range(kills):
        put = flushed = acknowledged
        said = 0
        # From the last acknowledged event on: what was stored beyond it is sent again, and counts once.
        for kind, events_n, signals_n in one_life(forks, database_url, acknowledged, draw.uniform(0.0, 0.12)):
            if kind == "put":
                put = events_n
            elif kind == "flushed":
                flushed, said = events_n, signals_n
        found, chained = await count(database_url)
        furthest = max(furthest, put + BATCH)  # one put may be under way without its message
        assert flushed <= found <= furthest
        assert put - found <= BUFFER_ROWS
        assert signals + said <= chained <= signals + said + 1
        interrupted += put > found or found > flushed
        acknowledged, signals = flushed, chained
    assert interrupted > kills / 4  # or the kills fell on nothing
    await nothing_is_corrupt(database_url, furthest)
    note(f"R15 {kills} kills of a writer ({database_url.partition(':')[0]}), {interrupted} amid a write")


async def count(url: str) -> tuple[int, int]:
    store = open_store(url)
    await store.opened()
    try:
        async with store._engine.connect() as connection:
            found = await connection.scalar(text("SELECT COUNT(*) FROM liquidations"))
            chained = await connection.scalar(text("SELECT COUNT(*) FROM signals"))
        return int(found), int(chained)
    finally:
        await store.close()


async def nothing_is_corrupt(url: str, furthest: int) -> None:
    store = open_store(url)
    await store.opened()
    try:
        expected = events(0, furthest)
        await store.market.put_all(expected)
        await store.market.flush()
        assert sorted(await exported(store, ExportName.LIQUIDATIONS)) == sorted(map(tuple, expected))
        assert_same_tiles(await stored_tiles(store, ["BTC", "ETH", "PEPE"]), recount(expected))
        report = await store.verify()
        assert report.broken == ()
        assert report.signals > 0
        if url.startswith("sqlite"):
            async with store._engine.connect() as connection:
                assert await connection.scalar(text("PRAGMA integrity_check")) == "ok"
    finally:
        await store.close()
