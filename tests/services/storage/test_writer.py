"""The buffer in front of the database, over a backend that fails when told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import Table

from app.core.domain.stored import StoreState
from app.core.errors import StorageUnavailable
from app.services.storage.refused import BatchRefused
from app.services.storage.writer import BufferedWriter
from tests.services.storage.rows import candle, liquidations, until


class Backend:
    """Remembers what it stored; `broken` while it cannot, `poison` is what it never takes."""

    lanes = 1

    def __init__(self, *, batch_rows: int = 1_000) -> None:
        self.batch_rows = self.polite_rows = batch_rows
        self.stored: list[tuple[Any, ...]] = []
        self.batches: list[tuple[str, int]] = []
        self.broken: str | None = None
        self.poison: tuple[Any, ...] | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.is_closed = False

    async def write(self, table: Table, rows: Sequence[tuple[Any, ...]], *, lane: int) -> int:
        await self.gate.wait()
        if self.broken is not None:
            raise StorageUnavailable(self.broken)
        if self.poison is not None and self.poison in rows:
            raise BatchRefused("NOT NULL constraint failed")
        new = [row for row in rows if row not in self.stored]
        self.stored += new
        self.batches.append((table.name, len(rows)))
        return len(new)

    async def close(self) -> None:
        self.is_closed = True


@asynccontextmanager
async def running(backend: Backend, **options: int) -> AsyncIterator[BufferedWriter]:
    writer = BufferedWriter(backend, monotonic=asyncio.get_running_loop().time, **options)
    task = asyncio.create_task(writer.run())
    await asyncio.sleep(0)
    try:
        yield writer
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_rows_of_two_tables_are_written_apart_and_in_order() -> None:
    backend = Backend()
    events = liquidations(5)
    async with running(backend) as writer:
        writer.put(events[:3])
        writer.put([candle()])
        writer.put(events[3:])
        await writer.flush()
    assert backend.batches == [("liquidations", 3), ("price_ohlc", 1), ("liquidations", 2)]
    assert [row for row in backend.stored if len(row) == 13] == events
    assert writer.buffered_rows == 0
    assert writer.counts.written == 6


async def test_small_puts_become_one_batch_and_large_ones_are_cut() -> None:
    backend = Backend(batch_rows=10)
    events = liquidations(25)
    async with running(backend) as writer:
        backend.gate.clear()
        for event in events[:7]:
            writer.put([event])
        writer.put(events[7:])
        backend.gate.set()
        await writer.flush()
    assert all(size <= 10 for _, size in backend.batches)
    assert len(backend.batches) <= 4
    assert backend.stored == events


async def test_what_does_not_fit_is_turned_away_and_counted() -> None:
    backend = Backend(batch_rows=10)
    backend.broken = "database or disk is full"
    events = liquidations(30)
    async with running(backend, max_buffered_rows=20) as writer:
        assert writer.put(events[:12]) == 12
        assert writer.put(events[12:]) == 8
        assert writer.put(events[:1]) == 0
        assert writer.counts.lost == 11
        await until(lambda: writer.counts.failed_batches > 0)
        assert writer.state is StoreState.FULL
        backend.broken = None
        await until(lambda: writer.buffered_rows == 0)
    assert backend.stored == events[:20]
    assert writer.state is StoreState.OK
    counts = writer.counts
    assert counts.written + counts.lost + counts.duplicate + counts.rejected == 31


async def test_a_failed_batch_stays_in_front_and_flush_says_so() -> None:
    backend = Backend()
    backend.broken = "ConnectionRefusedError"
    events = liquidations(4)
    async with running(backend) as writer:
        writer.put(events)
        with pytest.raises(StorageUnavailable, match="ConnectionRefusedError"):
            await writer.flush()
        assert writer.state is StoreState.DOWN
        assert writer.buffered_rows == 4
        with pytest.raises(StorageUnavailable):
            await writer.flush()
        backend.broken = None
        await until(lambda: writer.buffered_rows == 0)
        await writer.flush()
    assert backend.stored == events


async def test_one_poisoned_row_costs_only_itself() -> None:
    backend = Backend()
    events = liquidations(16)
    backend.poison = tuple(events[11])
    async with running(backend) as writer:
        writer.put(events)
        await writer.flush()
    assert backend.stored == events[:11] + events[12:]
    assert writer.counts.rejected == 1
    assert writer.counts.written == 15
    assert writer.state is StoreState.OK


async def test_the_same_rows_again_count_as_duplicates() -> None:
    backend = Backend()
    events = liquidations(6)
    async with running(backend) as writer:
        writer.put(events)
        await writer.flush()
        writer.put(events)
        await writer.flush()
    assert (writer.counts.written, writer.counts.duplicate) == (6, 6)


async def test_put_all_waits_for_room_and_loses_nothing() -> None:
    backend = Backend(batch_rows=10)
    events = liquidations(95)
    async with running(backend, max_buffered_rows=20) as writer:
        seen = []

        async def watch() -> None:
            while len(backend.stored) < 95:
                seen.append(writer.buffered_rows)
                await asyncio.sleep(0)

        watching = asyncio.create_task(watch())
        await writer.put_all(events)
        await writer.flush()
        await watching
    assert backend.stored == events
    assert max(seen) <= 20
    assert writer.counts.lost == 0


async def test_flush_does_not_wait_for_rows_put_after_it() -> None:
    backend = Backend()
    events = liquidations(3)
    async with running(backend) as writer:
        writer.put(events[:1])
        backend.gate.clear()
        flushed = asyncio.create_task(writer.flush())
        await until(lambda: bool(writer._flying))  # the first row is on its way
        backend.batches.clear()
        writer.put([candle()])
        backend.gate.set()
        await flushed
        assert ("liquidations", 1) in backend.batches
        assert backend.stored[0] == events[0]


async def test_a_cancelled_write_is_written_by_drain() -> None:
    backend = Backend()
    events = liquidations(3)
    async with running(backend) as writer:
        backend.gate.clear()
        writer.put(events)
        writer._hurry()
        await until(lambda: bool(writer._flying))
    assert writer.buffered_rows == 3
    backend.gate.set()
    await writer.drain()
    await writer.close()
    assert backend.stored == events
    assert backend.is_closed
    assert writer.counts.lost == 0


async def test_close_counts_what_it_could_not_write() -> None:
    backend = Backend()
    writer = BufferedWriter(backend, monotonic=asyncio.get_running_loop().time)
    writer.put(liquidations(3))
    await writer.close()
    assert (writer.counts.lost, writer.buffered_rows) == (3, 0)


async def test_before_it_is_open_nothing_can_be_flushed_and_rows_are_kept() -> None:
    writer = BufferedWriter(Backend(), monotonic=asyncio.get_running_loop().time)
    assert writer.put(liquidations(2)) == 2
    with pytest.raises(StorageUnavailable):
        await writer.flush()
    assert writer.buffered_rows == 2
    assert writer.oldest_s() >= 0.0
