"""One suite for every database: what goes into the store comes out again, once, and adds up."""

from __future__ import annotations

import math
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence

import pytest
from sqlalchemy import text

from app.core.domain.stored import (
    AlertRow,
    BarQuery,
    BaselineRow,
    CompositeRow,
    ExportName,
    ExportQuery,
    FundingRow,
    LiquidationRow,
    RatioRow,
    RatioScope,
    SeriesName,
    StoreState,
    TakerRow,
    TileRow,
)
from app.core.domain.watchlist import StoredCoin
from app.core.errors import InvalidParameter
from app.services.storage.store import SqlStore
from tests.services.storage.rows import NOW_MS, T0_MS, candle, liquidation, liquidations, open_interest

HOUR_MS = 3_600_000
EVER = (0, 10**15)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[SqlStore]:
    store = SqlStore(database_url, data_mode="live", now_ms=lambda: NOW_MS, monotonic=time.monotonic)
    store.start()
    await store.opened()
    yield store
    await store.close()


def recount(events: Sequence[LiquidationRow]) -> list[TileRow]:
    """Tiles by the plainest possible count."""
    sums: dict[tuple[str, int, int], list[list[float]]] = defaultdict(lambda: [[], []])
    for event in set(events):
        bucket = math.floor(math.log(event.price) / math.log(1.0025))
        tile = sums[event.symbol, event.ts_event_ms // 60_000, bucket]
        tile[0 if event.liquidated_side == "LONG" else 1].append(event.usd)
    return sorted(
        TileRow(*key, math.fsum(longs), math.fsum(shorts), len(longs) + len(shorts))
        for key, (longs, shorts) in sums.items()
    )


async def stored_tiles(store: SqlStore, symbols: Sequence[str]) -> list[TileRow]:
    return [tile for symbol in sorted(symbols) for tile in await store.tiles.tiles(symbol, 0, 10**9)]


def assert_same_tiles(found: Sequence[TileRow], counted: Sequence[TileRow]) -> None:
    assert [(*tile[:3], tile.events) for tile in found] == [(*tile[:3], tile.events) for tile in counted]
    assert [value for tile in found for value in tile[3:5]] == pytest.approx(
        [value for tile in counted for value in tile[3:5]], rel=1e-9
    )


async def exported(store: SqlStore, name: ExportName, symbol: str | None = None) -> list[tuple[object, ...]]:
    _, chunks = store.exports.export(ExportQuery(name, symbol, *EVER))
    return [tuple(row) async for chunk in chunks for row in chunk]


class TestLiquidations:
    async def test_loading_twice_changes_nothing(self, store: SqlStore) -> None:
        events = liquidations(1_200)
        for _ in range(2):
            store.market.put(events)
            await store.market.flush()
        assert sorted(await exported(store, ExportName.LIQUIDATIONS)) == sorted(map(tuple, events))
        assert_same_tiles(await stored_tiles(store, ["BTC", "ETH", "PEPE"]), recount(events))
        status = store.status()
        assert (status.written_rows, status.duplicate_rows) == (1_200, 1_200)

    async def test_repeats_within_a_batch_and_overlapping_batches_in_any_order_count_once(
        self, store: SqlStore
    ) -> None:
        events = liquidations(900, seed=5)
        draw = random.Random(3)
        for _ in range(6):
            part = draw.choices(events, k=500)
            store.market.put(part)
            if draw.random() < 0.5:
                await store.market.flush()
        store.market.put(events)
        await store.market.flush()
        assert_same_tiles(await stored_tiles(store, ["BTC", "ETH", "PEPE"]), recount(events))

    async def test_two_equal_fills_in_one_millisecond_are_two(self, store: SqlStore) -> None:
        store.market.put([liquidation(nth=0), liquidation(nth=1), liquidation(nth=1)])
        await store.market.flush()
        (tile,) = await store.tiles.tiles("BTC", 0, 10**9)
        assert (tile.events, tile.long_usd, tile.short_usd) == (2, 2_000.0, 0.0)

    async def test_mirrored_sides_mirror_the_tiles(self, store: SqlStore) -> None:
        swap = {"LONG": "SHORT", "SHORT": "LONG"}
        events = [event._replace(symbol="BTC") for event in liquidations(300, symbols=("BTC",))]
        mirrored = [e._replace(symbol="XBT", liquidated_side=swap[e.liquidated_side]) for e in events]
        store.market.put(events)
        store.market.put(mirrored)
        await store.market.flush()
        plain, mirror = await store.tiles.tiles("BTC", 0, 10**9), await store.tiles.tiles("XBT", 0, 10**9)
        assert [(t.ts_min, t.bucket, t.long_usd, t.short_usd) for t in plain] == [
            (t.ts_min, t.bucket, t.short_usd, t.long_usd) for t in mirror
        ]

    async def test_rebuilt_tiles_equal_the_incremental_ones(self, store: SqlStore) -> None:
        events = liquidations(1_000, seed=9)
        for start in range(0, 1_000, 130):
            store.market.put(events[start : start + 200])
            await store.market.flush()
        before = await stored_tiles(store, ["BTC", "ETH", "PEPE"])
        assert await store.tiles.rebuild(0, 10**9) == len(before)
        assert_same_tiles(await stored_tiles(store, ["BTC", "ETH", "PEPE"]), before)

    async def test_tiles_that_were_lost_or_doubled_are_set_right_within_the_rebuilt_minutes_only(
        self, store: SqlStore
    ) -> None:
        events = liquidations(400, symbols=("BTC",), spread_ms=2_000)
        store.market.put(events)
        await store.market.flush()
        async with store._engine.begin() as connection:
            await connection.execute(text("UPDATE liquidation_heatmap SET long_usd = long_usd * 60 + 1"))
        first = T0_MS // 60_000
        await store.tiles.rebuild(first, first + 3)
        counted = recount(events)
        found = await store.tiles.tiles("BTC", 0, 10**9)
        assert_same_tiles(
            [t for t in found if t.ts_min < first + 3], [t for t in counted if t.ts_min < first + 3]
        )
        assert all(t.long_usd > 0 for t in found if t.ts_min >= first + 3)
        assert [t.long_usd for t in found] != [t.long_usd for t in counted]

    async def test_a_number_that_is_none_is_refused_alone(self, store: SqlStore) -> None:
        good = liquidations(20)
        bad = liquidation(nth=77)._replace(usd=None)
        store.market.put([*good[:10], bad, *good[10:]])
        await store.market.flush()
        assert sorted(await exported(store, ExportName.LIQUIDATIONS)) == sorted(map(tuple, good))
        assert store.status().rejected_rows == 1
        assert store.status().state is StoreState.OK

    async def test_extras_and_unknown_coin_amounts_come_back_as_they_were(self, store: SqlStore) -> None:
        row = liquidation(extras='{"tier": "é \\u0000"}')._replace(base=None)
        store.market.put([row])
        await store.market.flush()
        assert await exported(store, ExportName.LIQUIDATIONS, "BTC") == [tuple(row)]

    async def test_the_newest_minute_is_known_per_coin(self, store: SqlStore) -> None:
        store.market.put([liquidation(ts_event_ms=T0_MS), liquidation(ts_event_ms=T0_MS + 90_000)])
        await store.market.flush()
        first = T0_MS // 60_000
        assert await store.tiles.newest_minute("BTC", 10**9) == first + 1
        assert await store.tiles.newest_minute("BTC", first + 1) == first
        assert await store.tiles.newest_minute("BTC", first) is None
        assert await store.tiles.newest_minute("ETH", 10**9) is None


class TestBars:
    async def read(self, store: SqlStore, series: SeriesName, **more: object) -> list[object]:
        query = BarQuery(series, "BTC", "1h", *EVER, **{"newest_first": False} | more)
        return list((await store.bars.bars(query)).rows)

    async def test_every_series_comes_back_as_it_went_in(self, store: SqlStore) -> None:
        rows = {
            SeriesName.CANDLES: candle(volume_base=None, is_outlier=True),
            SeriesName.OPEN_INTEREST: open_interest(open_usd=1.0, high_usd=3.0, low_usd=0.5, close_usd=2.0),
            SeriesName.FUNDING: FundingRow(
                "ALL", "BTC", "1h", T0_MS, None, 0.0001, -0.00025, "coinglass", T0_MS
            ),
            SeriesName.LONG_SHORT: RatioRow(
                "top_account", "Binance", "BTC", "1h", T0_MS, 0.7388, "coinglass", T0_MS
            ),
            SeriesName.TAKER_VOLUME: TakerRow("OKX", "BTC", "1h", T0_MS, 12.5, 7.25, "okx", T0_MS),
        }
        for series, row in rows.items():
            store.market.put([row])
            await store.market.flush()
            scope = RatioScope.TOP_ACCOUNT if series is SeriesName.LONG_SHORT else None
            found = await self.read(store, series, scope=scope)
            assert found == [row]
            assert type(found[0]) is type(row)
        assert await self.read(store, SeriesName.LONG_SHORT, scope=RatioScope.GLOBAL_ACCOUNT) == []

    async def test_exchanges_do_not_overwrite_each_other(self, store: SqlStore) -> None:
        rows = [candle(exchange="Binance", close=100.0), candle(exchange="OKX", close=101.0)]
        store.market.put(rows)
        await store.market.flush()
        assert await self.read(store, SeriesName.CANDLES) == rows
        assert await self.read(store, SeriesName.CANDLES, exchange="OKX") == rows[1:]

    async def test_a_correction_wins_and_an_older_word_does_not(self, store: SqlStore) -> None:
        first, corrected = candle(close=100.0), candle(close=102.0, ts_init_ms=T0_MS + 9_000)
        for row in (first, corrected, first):
            store.market.put([row])
            await store.market.flush()
        assert await self.read(store, SeriesName.CANDLES) == [corrected]

    async def test_the_same_bar_twice_in_one_batch_ends_as_the_later_word(self, store: SqlStore) -> None:
        first, corrected = candle(close=100.0), candle(close=102.0, ts_init_ms=T0_MS + 9_000)
        store.market.put([first, corrected, candle(T0_MS + HOUR_MS)])
        await store.market.flush()
        assert (await self.read(store, SeriesName.CANDLES))[0] == corrected

    async def test_the_same_facts_again_leave_the_bar_as_it_was_learned(self, store: SqlStore) -> None:
        rows = [candle(T0_MS + hour * HOUR_MS) for hour in range(5)]
        store.market.put(rows)
        await store.market.flush()
        again = [row._replace(ts_init_ms=T0_MS + 10**9, source="other") for row in rows]
        again[3] = again[3]._replace(volume_base=None)  # knows less
        again[4] = again[4]._replace(close=105.0)
        store.market.put(again)
        await store.market.flush()
        assert await self.read(store, SeriesName.CANDLES) == [*rows[:4], again[4]]
        assert (store.status().written_rows, store.status().duplicate_rows) == (6, 4)

    async def test_a_source_that_knows_less_erases_nothing(self, store: SqlStore) -> None:
        store.market.put([open_interest(close_usd=8e10)])
        await store.market.flush()
        store.market.put([open_interest(close_base=640_000.0, ts_init_ms=T0_MS + 5_000)])
        await store.market.flush()
        (row,) = await self.read(store, SeriesName.OPEN_INTEREST)
        assert (row.close_usd, row.close_base) == (8e10, 640_000.0)

    async def test_a_flagged_bar_stays_flagged(self, store: SqlStore) -> None:
        store.market.put([candle(is_outlier=True)])
        await store.market.flush()
        store.market.put([candle(ts_init_ms=T0_MS + 5_000)])
        await store.market.flush()
        (row,) = await self.read(store, SeriesName.CANDLES)
        assert row.is_outlier is True

    @pytest.mark.parametrize("newest_first", [True, False])
    async def test_pages_are_complete_without_repeats_while_rows_are_added(
        self, store: SqlStore, newest_first: bool
    ) -> None:
        rows = [candle(T0_MS + i * HOUR_MS, exchange=e) for i in range(50) for e in ("Binance", "OKX")]
        store.market.put(rows)
        await store.market.flush()
        seen: list[object] = []
        cursor = None
        for turn in range(100):
            query = BarQuery(
                SeriesName.CANDLES, "BTC", "1h", *EVER, limit=7, cursor=cursor, newest_first=newest_first
            )
            page = await store.bars.bars(query)
            seen += page.rows
            cursor = page.cursor
            if cursor is None:
                break
            behind = T0_MS + (100 + turn) * HOUR_MS if newest_first else T0_MS - (1 + turn) * HOUR_MS
            store.market.put([candle(behind)])
            await store.market.flush()
        assert seen == (rows[::-1] if newest_first else rows)

    async def test_bounds_are_from_inclusive_to_exclusive(self, store: SqlStore) -> None:
        store.market.put([candle(T0_MS + i * HOUR_MS) for i in range(5)])
        await store.market.flush()
        query = BarQuery(
            SeriesName.CANDLES, "BTC", "1h", T0_MS + HOUR_MS, T0_MS + 3 * HOUR_MS, newest_first=False
        )
        closes = [row.close_ms for row in (await store.bars.bars(query)).rows]
        assert closes == [T0_MS + HOUR_MS, T0_MS + 2 * HOUR_MS]

    @pytest.mark.parametrize("cursor", ["", "x", "W10", "WzEsMl0", "é", "A" * 500, "bnVsbA", "WyJhIiwxXQ"])
    async def test_a_bad_cursor_is_the_callers_mistake(self, store: SqlStore, cursor: str) -> None:
        with pytest.raises(InvalidParameter):
            await store.bars.bars(BarQuery(SeriesName.CANDLES, "BTC", "1h", *EVER, cursor=cursor))


class TestOtherTables:
    async def test_alerts_baselines_and_composites_are_replaced_by_their_newer_selves(
        self, store: SqlStore
    ) -> None:
        alert = AlertRow(
            "a1", T0_MS, "BTC", "STOP_HUNT", "LONG", "urgent", 81.5, 2e6, True, None, T0_MS, "{}"
        )
        grown = alert._replace(usd=4e6, ts_init_ms=T0_MS + 5)
        base = BaselineRow("BTC", T0_MS, 1.0, 2.0, 3)
        tile = CompositeRow("BTC", T0_MS // 60_000, 4610, 0.8, 0.9, None, 0.4)
        less = tile._replace(score=0.5, swing_part=None)
        for row in (alert, grown, base, base._replace(events=4), tile, less):
            store.market.put([row])
            await store.market.flush()
        assert await exported(store, ExportName.ALERTS) == [tuple(grown)]
        assert await exported(store, ExportName.BASELINES) == [tuple(base._replace(events=4))]
        assert await store.tiles.composite_tiles("BTC", 0, 10**9) == [less]

    async def test_exports_come_coin_by_coin_in_order_of_time_over_many_chunks(
        self, store: SqlStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.services.storage.exports.CHUNK_ROWS", 16)
        events = liquidations(200, symbols=("AAA", "B", "ZZZ"))
        store.market.put(events)
        await store.market.flush()
        ordered = sorted(events, key=lambda e: (e.symbol, e.ts_event_ms, e.id))
        assert await exported(store, ExportName.LIQUIDATIONS) == list(map(tuple, ordered))
        only = [tuple(e) for e in ordered if e.symbol == "B"]
        assert await exported(store, ExportName.LIQUIDATIONS, "B") == only
        names, chunks = store.exports.export(
            ExportQuery(ExportName.LIQUIDATIONS, None, T0_MS + 1_000, T0_MS + 9_000)
        )
        assert names == LiquidationRow._fields
        found = [row async for chunk in chunks for row in chunk]
        assert found == [tuple(e) for e in ordered if T0_MS + 1_000 <= e.ts_event_ms < T0_MS + 9_000]


class TestState:
    async def test_values_are_kept_and_replaced(self, store: SqlStore) -> None:
        assert await store.state.get_state("k") is None
        await store.state.put_state("k", "1")
        await store.state.put_state("k", "2")
        assert await store.state.get_state("k") == "2"

    async def test_the_watchlist_keeps_its_order_through_switching(self, store: SqlStore) -> None:
        for n, symbol in enumerate(("SOL", "BTC", "ETH")):
            await store.state.watch(symbol, is_on=True, added_ms=n)
        await store.state.watch("SOL", is_on=False, added_ms=9)
        await store.state.watch("ETH", is_on=False, is_removed=True, added_ms=9)
        assert await store.state.watchlist() == (
            StoredCoin("SOL", False, False, 0),
            StoredCoin("BTC", True, False, 1),
            StoredCoin("ETH", False, True, 2),
        )
        await store.state.unwatch("BTC")
        await store.state.unwatch("BTC")
        await store.state.watch("BTC", is_on=True, added_ms=9)
        assert [row.symbol for row in await store.state.watchlist()] == ["SOL", "ETH", "BTC"]
        assert (await store.state.watchlist())[-1].added_ms == 9

    async def test_settings_of_a_chat_survive_a_new_store(self, store: SqlStore, database_url: str) -> None:
        await store.state.put_chat_settings("-100", '{"mute": true}')
        again = SqlStore(database_url, data_mode="live", now_ms=lambda: NOW_MS, monotonic=time.monotonic)
        again.start()
        await again.opened()
        try:
            assert await again.state.chat_settings("-100") == '{"mute": true}'
            assert await again.state.chat_settings("-200") is None
        finally:
            await again.close()
