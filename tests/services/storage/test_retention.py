"""What ages out, on both databases, with rows on both sides of the cut."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import fields, replace
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.errors import StorageUnavailable
from app.services.storage import layout, tables
from app.services.storage.engine import open_engine
from app.services.storage.layout import DAY_MS, PARTS, PartitionBook
from app.services.storage.retention import Keep, apply_retention
from tests.services.storage.plain_rows import every_row, insert_rows, times_of

NOW_MS = 1_764_892_800_000 + 15 * 3_600_000  # 2025-12-05T15:00Z
FOR_EVER = Keep(**{field.name: None for field in fields(Keep)})


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    opened = open_engine(database_url)
    yield opened
    await opened.dispose()


async def put(engine: AsyncEngine, name: str, times: Iterable[int], symbol: str = "BTC") -> None:
    times = list(times)
    async with engine.begin() as connection:
        await PartitionBook(lambda: NOW_MS).ensure(connection, name, times)
        await insert_rows(connection, tables.metadata.tables[name], times, symbol, is_old=False)


async def left(engine: AsyncEngine, name: str) -> list[int]:
    async with engine.connect() as connection:
        return await times_of(connection, tables.metadata.tables[name])


def units(name: str, ms: float) -> int:
    return int(ms // (PARTS[name].unit_ms if name in PARTS else 1))


@pytest.mark.parametrize("name", [field.name for field in fields(Keep)])
async def test_every_table_loses_what_is_too_old_and_nothing_else(engine: AsyncEngine, name: str) -> None:
    days: float = getattr(Keep(), name)
    part_days = PARTS[name].days if name in PARTS else 0
    # Where parts are dropped, a row goes when its whole part is too old.
    old = [units(name, NOW_MS - (days + part_days + more) * DAY_MS) for more in (0.1, 1, 45)]
    young = [units(name, NOW_MS - (days - less) * DAY_MS) for less in (0, 0.1, 1)]
    await put(engine, name, old + young)
    coins = 1
    if "symbol" in tables.metadata.tables[name].primary_key.columns:
        await put(engine, name, old + young, "ETH")
        coins = 2

    removed = await apply_retention(engine, Keep(), NOW_MS)

    assert removed == {field.name: 0 for field in fields(Keep)} | {name: 3 * coins}
    assert await left(engine, name) == sorted(young * coins)
    assert set((await apply_retention(engine, Keep(), NOW_MS)).values()) == {0}


async def test_rows_that_lie_in_no_part_age_out_too(engine: AsyncEngine) -> None:
    cut = NOW_MS - 90 * DAY_MS
    async with engine.begin() as connection:  # without making parts
        await insert_rows(connection, tables.liquidations, [0, cut - 1, cut, NOW_MS])
    assert (await apply_retention(engine, Keep(), NOW_MS))["liquidations"] == 2
    assert await left(engine, "liquidations") == [cut, NOW_MS]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_minute_of_events_goes_as_a_whole(engine: AsyncEngine) -> None:
    cut = NOW_MS - 90 * DAY_MS
    await put(engine, "liquidations", [cut - 1, cut, cut + 29_000, cut + 31_000])
    assert (await apply_retention(engine, Keep(), NOW_MS + 30_000))["liquidations"] == 1
    assert await left(engine, "liquidations") == [cut, cut + 29_000, cut + 31_000]


async def test_signals_and_their_outcomes_are_never_removed(engine: AsyncEngine) -> None:
    assert not {"signals", "signal_outcomes"} & {field.name for field in fields(Keep)}
    for name in ("signals", "signal_outcomes"):
        await put(engine, name, [1, 2, 3])
    async with engine.connect() as connection:
        before = await every_row(connection)
    await apply_retention(engine, Keep(**{field.name: 0 for field in fields(Keep)}), NOW_MS)
    async with engine.connect() as connection:
        assert await every_row(connection) == before
    assert await left(engine, "signal_outcomes") == [1, 2, 3]


async def test_a_table_without_a_limit_is_left_alone(engine: AsyncEngine) -> None:
    await put(engine, "liquidations", [NOW_MS - 3_650 * DAY_MS])
    assert await apply_retention(engine, FOR_EVER, NOW_MS) == {}
    assert len(await left(engine, "liquidations")) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_each_transaction_deletes_a_bounded_number_of_rows(engine: AsyncEngine) -> None:
    young = range(NOW_MS - 25, NOW_MS)
    for coin in ("BTC", "ETH", "PEPE"):
        await put(engine, "liquidations", [*range(100, 125), *young], coin)
    transactions: list[int] = [0]

    def count(_connection: Any, cursor: Any, statement: str, *_: object) -> None:
        if statement.startswith("DELETE"):
            transactions[-1] += cursor.rowcount

    event.listen(engine.sync_engine, "after_cursor_execute", count)
    event.listen(engine.sync_engine, "commit", lambda _connection: transactions.append(0))
    keep = replace(FOR_EVER, liquidations=90)

    assert await apply_retention(engine, keep, NOW_MS, chunk_rows=10) == {"liquidations": 75}

    assert [gone for gone in transactions if gone] == [10, 10, 5] * 3
    assert await left(engine, "liquidations") == sorted([*young] * 3)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_parts_are_dropped_and_not_emptied(engine: AsyncEngine) -> None:
    await put(engine, "liquidations", [NOW_MS - 95 * DAY_MS, NOW_MS])
    await apply_retention(engine, Keep(), NOW_MS)
    async with engine.connect() as connection:
        names = await connection.scalars(
            text("SELECT relname FROM pg_class WHERE relname LIKE 'liquidations_p2%' AND relkind = 'r'")
        )
        assert list(names) == ["liquidations_p20251205"]


async def test_a_table_that_cannot_be_asked_is_named_and_the_others_are_done(engine: AsyncEngine) -> None:
    await put(engine, "alert_history", [5])
    async with engine.begin() as connection:
        await connection.execute(text("DROP TABLE price_ohlc"))
        await connection.execute(text("DROP TABLE baselines"))
    with pytest.raises(StorageUnavailable, match=r"retention of price_ohlc: .*; retention of baselines: "):
        await apply_retention(engine, Keep(), NOW_MS)
    assert await left(engine, "alert_history") == []


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_part_that_is_being_read_stays_until_the_next_time(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "LOCK_TIMEOUT", "20ms")
    await put(engine, "liquidations", [NOW_MS - 95 * DAY_MS, NOW_MS])
    async with engine.begin() as reader:
        assert len(await times_of(reader, tables.liquidations)) == 2
        with pytest.raises(StorageUnavailable, match="retention of liquidations: LockNotAvailable"):
            await apply_retention(engine, Keep(), NOW_MS)
    assert (await apply_retention(engine, Keep(), NOW_MS))["liquidations"] == 1
