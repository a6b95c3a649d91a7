"""Which part a time belongs to, and parts made and dropped on a real server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import inspect, text

from app.services.storage import layout, tables
from app.services.storage.engine import open_engine
from app.services.storage.layout import DAY_MS, MINUTE_MS, PARTS, PartitionBook, drop_before
from tests.services.storage.plain_rows import insert_rows, times_of

DEC_5_MS = 1_764_892_800_000  # 2025-12-05T00:00Z, day 20,427
NOW_MS = DEC_5_MS + 15 * 3_600_000
EVENTS, BARS, TILES = PARTS["liquidations"], PARTS["price_ohlc"], PARTS["liquidation_heatmap"]

a_day = st.integers(min_value=1, max_value=100_000)  # until 2243


class TestArithmetic:
    def test_worked_numbers(self) -> None:
        assert EVENTS.index(DEC_5_MS) == 20_427
        assert EVENTS.index(DEC_5_MS - 1) == 20_426
        assert EVENTS.index(-1) == -1
        assert EVENTS.bounds(20_427) == (1_764_892_800_000, 1_764_979_200_000)
        assert BARS.index(DEC_5_MS) == 680
        assert EVENTS.width == 86_400_000
        assert TILES.width == 1_440

    def test_the_name_is_the_first_day(self) -> None:
        assert EVENTS.name("liquidations", 20_427) == "liquidations_p20251205"
        assert TILES.name("liquidation_heatmap", 20_427) == "liquidation_heatmap_p20251205"
        assert BARS.name("price_ohlc", 680) == "price_ohlc_p20251108"

    def test_a_tile_and_its_events_lie_in_parts_of_the_same_day(self) -> None:
        assert TILES.index((DEC_5_MS - 1) // MINUTE_MS) == EVENTS.index(DEC_5_MS - 1)
        assert TILES.index(DEC_5_MS // MINUTE_MS) == EVENTS.index(DEC_5_MS)

    def test_every_bulk_table_has_parts_of_a_day_or_of_thirty(self) -> None:
        assert PARTS.keys() == tables.TIME_COLUMN.keys()
        assert {name for name, part in PARTS.items() if part.days == 1} == {
            "liquidations",
            "liquidation_heatmap",
            "composite_heatmap",
        }
        assert {part.days for part in PARTS.values()} == {1, 30}
        for name, part in PARTS.items():
            assert (part.unit_ms == MINUTE_MS) == (part.column == "ts_min"), name

    @given(time=st.integers(min_value=-(10**14), max_value=10**14), table=st.sampled_from(sorted(PARTS)))
    def test_a_time_lies_inside_the_bounds_of_its_part(self, time: int, table: str) -> None:
        low, high = PARTS[table].bounds(PARTS[table].index(time))
        assert low <= time < high

    @given(day=a_day, table=st.sampled_from(sorted(PARTS)))
    def test_a_name_says_which_part_it_is(self, day: int, table: str) -> None:
        part = PARTS[table]
        index = day // part.days
        assert part.index_of_name(table, part.name(table, index)) == index

    @pytest.mark.parametrize(
        "name", ["price_ohlc_rest", "price_ohlc", "price_ohlc_p2025", "price_ohlc_p20251109"]
    )
    def test_other_names_are_no_part(self, name: str) -> None:
        assert BARS.index_of_name("price_ohlc", name) is None

    def test_far_times_get_no_part_of_their_own(self) -> None:
        now = EVENTS.index(NOW_MS)
        assert EVENTS.placeable(range(now - 10_000, now + 10_000), NOW_MS) == set(range(now - 400, now + 3))
        years = BARS.placeable(range(-10_000, 10_000), NOW_MS)
        assert len(years) == 251
        assert min(years) == 680 - 250  # begins 2005-04-27


@asynccontextmanager
async def asyncpg_connection(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def parts_of(driver: Any, table: str) -> list[str]:
    rows = await driver.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits "
        "WHERE inhparent = to_regclass($1) ORDER BY 1",
        table,
    )
    return [row["name"].removeprefix(f"{table}_") for row in rows]


def book() -> PartitionBook:
    return PartitionBook(lambda: NOW_MS)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
class TestPartitionBook:
    async def test_only_the_parts_that_hold_rows_are_made(self, database_url: str) -> None:
        five_years = [DEC_5_MS - 5 * 365 * DAY_MS, DEC_5_MS - 1, DEC_5_MS, DEC_5_MS + 5]
        async with asyncpg_connection(database_url) as driver:
            await book().ensure(driver, "price_ohlc", five_years)
            assert await parts_of(driver, "price_ohlc") == ["p20201204", "p20251108", "rest"]
            await book().ensure(driver, "liquidations", five_years)
            assert await parts_of(driver, "liquidations") == ["p20251204", "p20251205", "rest"]

    async def test_a_known_part_costs_no_question(self, database_url: str) -> None:
        known = book()
        async with asyncpg_connection(database_url) as driver:
            await known.ensure(driver, "liquidations", [DEC_5_MS])
        # The connection is closed: any question would fail.
        await known.ensure(driver, "liquidations", [DEC_5_MS + 1, DEC_5_MS + 2])
        with pytest.raises(asyncpg.InterfaceError):
            await known.ensure(driver, "liquidations", [DEC_5_MS + DAY_MS])

    async def test_far_times_go_to_the_rest_without_a_part(self, database_url: str) -> None:
        engine = open_engine(database_url)
        far = [0, DEC_5_MS + 30 * DAY_MS, 285_000_000_000_000, -5]
        async with engine.begin() as connection:
            await book().ensure(connection, "liquidations", far)
            await insert_rows(connection, tables.liquidations, far)
            assert await connection.scalar(text("SELECT count(*) FROM liquidations_rest")) == 4
        await engine.dispose()

    async def test_rows_of_the_rest_move_when_their_part_is_made(self, database_url: str) -> None:
        engine = open_engine(database_url)
        times = [DEC_5_MS - 1, DEC_5_MS, DEC_5_MS + DAY_MS - 1, DEC_5_MS + DAY_MS]
        async with engine.begin() as connection:
            await insert_rows(connection, tables.liquidations, times)
        async with engine.begin() as connection:
            await book().ensure(connection, "liquidations", [DEC_5_MS])
        async with engine.connect() as connection:
            assert await times_of(connection, tables.liquidations) == times
            assert await connection.scalar(text("SELECT count(*) FROM liquidations_p20251205")) == 2
            assert await connection.scalar(text("SELECT count(*) FROM liquidations_rest")) == 2
        await engine.dispose()

    async def test_many_at_once_make_each_part_once(self, database_url: str) -> None:
        days = [DEC_5_MS - day * DAY_MS for day in range(5)]

        async def one(order: list[int]) -> None:
            async with asyncpg_connection(database_url) as driver:
                await book().ensure(driver, "liquidations", order)

        await asyncio.gather(*(one(order) for order in (days, days[::-1], days[:3], days[2:])))
        async with asyncpg_connection(database_url) as driver:
            assert len(await parts_of(driver, "liquidations")) == 5 + 1

    async def test_tasks_that_share_a_book_make_each_part_once(self, database_url: str) -> None:
        shared = book()
        async with asyncpg_connection(database_url) as one, asyncpg_connection(database_url) as other:
            await asyncio.gather(
                *(shared.ensure(driver, "taker_volume", [DEC_5_MS]) for driver in (one, other))
            )
            assert await parts_of(one, "taker_volume") == ["p20251108", "rest"]

    async def test_what_a_rollback_took_back_is_made_again(self, database_url: str) -> None:
        known = book()
        async with asyncpg_connection(database_url) as driver:
            transaction = driver.transaction()
            await transaction.start()
            await known.ensure(driver, "liquidations", [DEC_5_MS])
            await transaction.rollback()
            assert await parts_of(driver, "liquidations") == ["rest"]
            await known.ensure(driver, "liquidations", [DEC_5_MS])
            assert await parts_of(driver, "liquidations") == ["p20251205", "rest"]

    async def test_one_call_makes_a_bounded_number_of_parts_newest_first(
        self, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(layout, "MAX_NEW_PER_CALL", 2)
        known, days = book(), [DEC_5_MS - day * DAY_MS for day in range(3)]
        async with asyncpg_connection(database_url) as driver:
            await known.ensure(driver, "liquidations", days)
            assert await parts_of(driver, "liquidations") == ["p20251204", "p20251205", "rest"]
            await known.ensure(driver, "liquidations", days)
            assert len(await parts_of(driver, "liquidations")) == 4

    async def test_readers_and_writers_of_other_parts_are_not_in_the_way(self, database_url: str) -> None:
        async with asyncpg_connection(database_url) as busy, asyncpg_connection(database_url) as driver:
            await book().ensure(busy, "liquidations", [DEC_5_MS])
            async with busy.transaction():
                today = f"ts_event_ms >= {DEC_5_MS} AND ts_event_ms < {DEC_5_MS + DAY_MS}"
                await busy.fetch(f"SELECT * FROM liquidations WHERE {today}")  # noqa: S608 - numbers
                await busy.execute(f"DELETE FROM liquidations WHERE {today}")  # noqa: S608
                await book().ensure(driver, "liquidations", [DEC_5_MS - 1])
                assert await parts_of(driver, "liquidations") == ["p20251204", "p20251205", "rest"]

    async def test_behind_a_reader_of_everything_rows_wait_in_the_rest(
        self, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(layout, "LOCK_TIMEOUT", "20ms")
        now_ms = NOW_MS
        patient, engine = PartitionBook(lambda: now_ms), open_engine(database_url)
        async with asyncpg_connection(database_url) as download, engine.connect() as connection:
            async with download.transaction():
                await download.fetch("SELECT * FROM liquidations")
                await patient.ensure(connection, "liquidations", [DEC_5_MS])
                await insert_rows(connection, tables.liquidations, [DEC_5_MS])
                await connection.commit()
            now_ms += layout.RETRY_AFTER_MS - 1
            await patient.ensure(connection, "liquidations", [DEC_5_MS])
            assert await parts_of(download, "liquidations") == ["rest"]
            now_ms += 1
            await patient.ensure(connection, "liquidations", [DEC_5_MS])
            assert await parts_of(download, "liquidations") == ["p20251205", "rest"]
            assert await download.fetchval("SELECT count(*) FROM liquidations_p20251205") == 1
        await engine.dispose()

    async def test_the_callers_transaction_keeps_its_own_patience(self, database_url: str) -> None:
        async with asyncpg_connection(database_url) as driver, driver.transaction():
            await driver.execute("SET LOCAL lock_timeout = '7s'")
            await book().ensure(driver, "liquidations", [DEC_5_MS])
            assert await driver.fetchval("SELECT current_setting('lock_timeout')") == "7s"

    async def test_a_day_of_one_coin_reads_two_parts(self, database_url: str) -> None:
        async with asyncpg_connection(database_url) as driver:
            now = DEC_5_MS // MINUTE_MS + 700
            await book().ensure(driver, "liquidation_heatmap", range(now - 29 * 1440, now + 1, 1440))
            plan = await driver.fetch(
                f"EXPLAIN SELECT * FROM liquidation_heatmap WHERE symbol = 'BTC' "  # noqa: S608 - numbers
                f"AND ts_min >= {now - 1440} AND ts_min < {now} ORDER BY ts_min, bucket"
            )
            read = set(re.findall(r"liquidation_heatmap_p\d+", "\n".join(line[0] for line in plan)))
            assert read == {"liquidation_heatmap_p20251204", "liquidation_heatmap_p20251205"}
            assert len(await parts_of(driver, "liquidation_heatmap")) == 30 + 1

    async def test_a_plain_table_is_left_alone(self, database_url: str) -> None:
        async with asyncpg_connection(database_url) as driver:
            await driver.execute("DROP TABLE liquidations; CREATE TABLE liquidations (x int)")
            known = book()
            await known.ensure(driver, "liquidations", [DEC_5_MS])
            await known.ensure(driver, "signals", [DEC_5_MS])
            assert await parts_of(driver, "liquidations") == []
        await known.ensure(driver, "liquidations", [DEC_5_MS])  # closed: nothing is asked again

    async def test_parts_that_end_before_the_cutoff_are_dropped_whole(self, database_url: str) -> None:
        engine = open_engine(database_url)
        times = [5, DEC_5_MS - DAY_MS, DEC_5_MS - 1, DEC_5_MS, DEC_5_MS + 10, DEC_5_MS + DAY_MS]
        async with engine.begin() as connection:
            await book().ensure(connection, "liquidations", times)
            await insert_rows(connection, tables.liquidations, times)
        async with asyncpg_connection(database_url) as driver:
            # In the middle of the 5th: that day stays whole, the 4th and the row of 1970 go.
            assert await drop_before(driver, "liquidations", DEC_5_MS + 5) == 3
            assert await parts_of(driver, "liquidations") == ["p20251205", "p20251206", "rest"]
            assert await drop_before(driver, "liquidations", DEC_5_MS + 5) == 0
            assert await drop_before(driver, "liquidations", DEC_5_MS + DAY_MS) == 2
        async with engine.connect() as connection:
            assert await times_of(connection, tables.liquidations) == times[5:]
        await engine.dispose()

    async def test_a_late_row_of_a_dropped_part_still_has_a_place(self, database_url: str) -> None:
        engine, known = open_engine(database_url), book()
        async with engine.begin() as connection:
            await known.ensure(connection, "liquidations", [DEC_5_MS])
        async with asyncpg_connection(database_url) as driver:
            await drop_before(driver, "liquidations", DEC_5_MS + DAY_MS)
        async with engine.begin() as connection:
            await known.ensure(connection, "liquidations", [DEC_5_MS])
            await insert_rows(connection, tables.liquidations, [DEC_5_MS])
            assert await times_of(connection, tables.liquidations) == [DEC_5_MS]
        await engine.dispose()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_sqlite_has_no_parts(database_url: str) -> None:
    engine = open_engine(database_url)
    async with engine.connect() as connection:
        before = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
        await book().ensure(connection, "liquidations", [DEC_5_MS, 0])
        assert await connection.run_sync(lambda sync: inspect(sync).get_table_names()) == before
        assert "liquidations" in before
    await engine.dispose()
