"""The record of signals on every database: nothing lost, nothing twice, nothing changed unseen."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from app.core.chain import GENESIS
from app.core.domain.context import Capability, EnhancedSignalContext
from app.core.domain.engine_config import EngineConfig
from app.core.domain.market import HOUR_MS
from app.core.domain.quality import Attempt
from app.core.domain.signal import Mode, Signal
from app.core.domain.stored import ExportName, ExportQuery, SignalQuery, StoredSignal, Trigger
from app.core.errors import InvalidParameter
from app.core.signal_engine import evaluate
from app.services.storage import signal_log
from app.services.storage.signal_rows import build_row, context_digest, hash_of, place
from app.services.storage.store import SqlStore
from tests.core.conftest import random_world


def made(seed: int, *, later_ms: int = 0) -> tuple[Signal, EnhancedSignalContext]:
    context = random_world(seed, 300).context()
    context = replace(context, as_of_ms=context.as_of_ms + later_ms)
    return evaluate(context, EngineConfig(), Mode.BALANCED), context


def open_store(url: str) -> SqlStore:
    store = SqlStore(url, data_mode="live", now_ms=lambda: 1_760_000_000_000, monotonic=time.monotonic)
    store.start()
    return store


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[SqlStore]:
    store = open_store(database_url)
    await store.opened()
    yield store
    await store.close()


async def everything(store: SqlStore) -> list[StoredSignal]:
    return list((await store.signals.page(SignalQuery(limit=1_000))).rows)


async def test_a_signal_comes_back_whole(store: SqlStore) -> None:
    signal, context = made(1)
    store.signals.append(signal, context, Trigger.REQUEST)
    (row,) = await everything(store)
    assert (row.symbol, row.as_of_ms, row.direction) == ("BTC", context.as_of_ms, signal.direction)
    assert (row.score, row.confidence, row.coverage) == (
        signal.score,
        signal.confidence.score,
        signal.coverage,
    )
    assert (row.trigger, row.data_mode, row.mode) == (Trigger.REQUEST, "demo", "balanced")
    assert row.price_usd == signal.price.value.price_usd
    assert msgspec.json.decode(row.body)["factors"][0]["name"] == "liquidations"
    assert row.context_digest == context_digest(context)
    assert row.id == f"{row.chain}-0"


async def test_each_signal_is_stored_once_and_chained_in_order(store: SqlStore) -> None:
    for i in range(20):
        store.signals.append(*made(i, later_ms=i), Trigger.REQUEST)
        if i % 7 == 0:
            await store.signals.flush()
    rows = (await everything(store))[::-1]
    assert [row.seq for row in rows] == list(range(20))
    assert [row.prev_hash for row in rows] == [GENESIS, *(row.hash for row in rows[:-1])]
    report = await store.verify()
    assert (report.chains, report.signals, report.broken) == (1, 20, ())


async def test_a_second_process_has_its_own_chain_tied_to_the_first(
    store: SqlStore, database_url: str
) -> None:
    store.signals.append(*made(1), Trigger.REQUEST)
    (first,) = await everything(store)
    second = open_store(database_url)
    await second.opened()
    signal, context = made(2, later_ms=5)
    await second.evaluations.claim("BTC", signal.as_of_ms // HOUR_MS * HOUR_MS)
    try:
        second.signals.append(signal, context, Trigger.SCHEDULE)
        store.signals.append(*made(3, later_ms=9), Trigger.REQUEST)
        await store.signals.flush()
        rows = await everything(second)
    finally:
        await second.close()
    assert [row.trigger for row in rows] == [Trigger.REQUEST, Trigger.SCHEDULE, Trigger.REQUEST]
    assert rows[1].prev_hash == first.hash == rows[0].prev_hash
    report = await store.verify()
    assert (report.chains, report.signals, report.broken) == (2, 3, ())


TAMPERED = {
    "a better score": ("UPDATE signals SET score = score + 1 WHERE seq = 2", "does not fit"),
    "another direction": ("UPDATE signals SET direction = 'LONG!' WHERE seq = 2", "does not fit"),
    "a word in the body": ("UPDATE signals SET body = body || ' ' WHERE seq = 2", "does not fit"),
    "another moment": ("UPDATE signals SET as_of_ms = as_of_ms - 1 WHERE seq = 2", "does not fit"),
    "another trigger": ("UPDATE signals SET trigger = 'schedule' WHERE seq = 2", "does not fit"),
    "a row taken out": ("DELETE FROM signals WHERE seq = 2", "rows 2 to 2 are gone"),
    "the end cut off": ("DELETE FROM signals WHERE seq > 3", "rows 4 to 5, its end, are gone"),
    "the last row taken out": ("DELETE FROM signals WHERE seq = 5", "rows 5 to 5, its end, are gone"),
    "everything taken out": ("DELETE FROM signals", "all of its rows, 0 to 5, are gone"),
    "the beginning cut off": ("DELETE FROM signals WHERE seq < 3", "beginning of the chain is gone"),
}


@pytest.mark.parametrize("what", TAMPERED)
async def test_tampering_is_found(store: SqlStore, what: str) -> None:
    statement, finding = TAMPERED[what]
    for i in range(6):
        store.signals.append(*made(i, later_ms=i), Trigger.REQUEST)
    await store.signals.flush()
    assert (await store.verify()).broken == ()
    async with store._engine.begin() as connection:
        await connection.execute(text(statement))
    broken = (await store.verify()).broken
    assert len(broken) >= 1
    assert finding in broken[0][2]


async def test_a_forged_row_with_a_fitting_hash_breaks_the_next_link(store: SqlStore) -> None:
    for i in range(4):
        store.signals.append(*made(i, later_ms=i), Trigger.REQUEST)
    rows = (await everything(store))[::-1]
    forged = place(replace(rows[1], score=99.0), 1, rows[1].prev_hash)
    async with store._engine.begin() as connection:
        await connection.execute(
            text("UPDATE signals SET score = 99.0, hash = :hash WHERE seq = 1"), {"hash": forged.hash}
        )
    broken = (await store.verify()).broken
    assert [(seq, why) for _, seq, why in broken] == [(2, "it does not follow from the row before")]


async def test_a_forged_last_row_with_a_fitting_hash_is_not_the_noted_end(store: SqlStore) -> None:
    for i in range(4):
        store.signals.append(*made(i, later_ms=i), Trigger.REQUEST)
    newest = (await everything(store))[0]
    forged = place(replace(newest, score=99.0), 3, newest.prev_hash)
    async with store._engine.begin() as connection:
        await connection.execute(
            text("UPDATE signals SET score = 99.0, hash = :hash WHERE seq = 3"), {"hash": forged.hash}
        )
    broken = (await store.verify()).broken
    assert [(seq, why) for _, seq, why in broken] == [
        (3, "it is not the row that was written as the end of the chain")
    ]


async def test_removing_a_whole_earlier_chain_is_found(store: SqlStore, database_url: str) -> None:
    store.signals.append(*made(1), Trigger.REQUEST)
    (first,) = await everything(store)
    second = open_store(database_url)
    await second.opened()
    second.signals.append(*made(2, later_ms=5), Trigger.REQUEST)
    await second.close()
    async with store._engine.begin() as connection:
        await connection.execute(text("DELETE FROM signals WHERE chain = :chain"), {"chain": first.chain})
    assert [why for *_, why in (await store.verify()).broken] == [
        "all of its rows, 0 to 0, are gone",
        "the row it was tied to is gone",
    ]


async def test_pages_filter_and_go_on_without_repeats_while_signals_are_added(store: SqlStore) -> None:
    for i in range(30):
        signal, context = made(i % 3, later_ms=i)
        trigger = Trigger.SCHEDULE if i % 2 else Trigger.REQUEST
        store.signals.append(signal, context, trigger)
    wanted = [row.id for row in await everything(store) if row.trigger is Trigger.SCHEDULE]
    seen: list[str] = []
    cursor = None
    while True:
        query = SignalQuery(symbol="BTC", trigger=Trigger.SCHEDULE, limit=4, cursor=cursor)
        page = await store.signals.page(query)
        seen += [row.id for row in page.rows]
        cursor = page.cursor
        if cursor is None:
            break
        store.signals.append(*made(9, later_ms=1_000 + len(seen)), Trigger.SCHEDULE)
    assert seen == wanted
    assert (await store.signals.page(SignalQuery(symbol="ETH"))).rows == ()
    with pytest.raises(InvalidParameter):
        await store.signals.page(SignalQuery(cursor="WzFd"))


async def test_a_signal_whose_writing_was_cut_short_is_written_later(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(*args: Any, **more: Any) -> StoredSignal:
        begun.set()
        assert go_on.wait(20)
        return build_row(*args, **more)

    monkeypatch.setattr(signal_log, "build_row", slow)
    store.signals.append(*made(1), Trigger.REQUEST)
    writing = asyncio.create_task(store.signals.flush())
    assert await asyncio.to_thread(begun.wait, 20)
    writing.cancel()
    await asyncio.wait({writing})
    assert writing.cancelled()
    go_on.set()
    assert [row.seq for row in await everything(store)] == [0]
    assert (await store.verify()).broken == ()


async def test_a_page_does_not_wait_for_a_database_that_takes_no_rows(database_url: str) -> None:
    store = open_store(database_url)
    await store.opened()
    try:
        store.signals.append(*made(1), Trigger.REQUEST)
        await store.signals.flush()
        async with store.signals._writing:  # a write that hangs
            store.signals.append(*made(2, later_ms=1), Trigger.REQUEST)
            pages = [await store.signals.page(SignalQuery()) for _ in range(2)]
            assert [len(page.rows) for page in pages] == [1, 1]
        assert len(await everything(store)) == 2
    finally:
        await store.close()


async def test_signals_can_be_exported(store: SqlStore) -> None:
    for i in range(3):
        store.signals.append(*made(i, later_ms=i), Trigger.REQUEST)
    await store.signals.flush()
    names, chunks = store.exports.export(ExportQuery(ExportName.SIGNALS, "BTC", 0, 10**15))
    rows = [dict(zip(names, row, strict=True)) async for chunk in chunks for row in chunk]
    assert [row["seq"] for row in rows] == [0, 1, 2]


async def test_when_the_buffer_is_full_signals_are_counted_and_the_chain_stays_whole(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.storage.signal_log.MAX_BUFFERED_SIGNALS", 3)
    for i in range(5):
        store.signals.append(*made(i, later_ms=i), Trigger.REQUEST)
    assert store.status().lost_rows == 2
    assert len(await everything(store)) == 3
    assert (await store.verify()).broken == ()


def test_equal_inputs_have_equal_digests_however_long_they_took() -> None:
    context = random_world(4, 200).context()
    slower = replace(
        context, price=replace(context.price, attempts=(Attempt("okx", "ticker", "ok", 1_234.0),))
    )
    assert context_digest(context) == context_digest(slower)


def test_every_input_counts_in_the_digest() -> None:
    world = random_world(4, 200)
    digests = {context_digest(world.without(capability).context()) for capability in Capability}
    assert len(digests | {context_digest(world.context())}) == len(Capability) + 1


def test_whole_numbers_keep_their_hash_through_a_database() -> None:
    signal, context = made(1)
    row = build_row(replace(signal, score=50), context, Trigger.REQUEST, chain="c", ts_init_ms=1)
    placed = place(row, 0, GENESIS)
    assert hash_of(replace(placed, score=50.0)) == placed.hash
