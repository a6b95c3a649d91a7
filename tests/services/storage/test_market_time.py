"""A store that knows more than has happened yet, as one of recordings does in a replay, tells none of it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest

from app.core.clock import ManualClock
from app.core.domain.history import END_OF_TIME_MS, HistoryRequest
from app.core.domain.stored import (
    AlertRow,
    BarQuery,
    BaselineRow,
    ExportName,
    ExportQuery,
    SeriesName,
    SignalQuery,
    Trigger,
)
from app.core.domain.symbol import Symbol
from app.services.history_service import HistoryService
from app.services.storage.cursors import write_cursor
from app.services.storage.store import SqlStore
from tests.services.storage.rows import T0_MS, candle, liquidation
from tests.services.storage.test_signal_log import made

HOUR_MS = 3_600_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(T0_MS + 5 * HOUR_MS)


@pytest.fixture
async def store(database_url: str, clock: ManualClock) -> AsyncIterator[SqlStore]:
    store = SqlStore(database_url, data_mode="replay", now_ms=clock.now_ms, monotonic=time.monotonic)
    store.start()
    await store.opened()
    store.market.put([candle(T0_MS + n * HOUR_MS) for n in range(10)])
    await store.market.flush()
    yield store
    await store.close()


def bars(to_ms: int, cursor: str | None = None) -> BarQuery:
    return BarQuery(SeriesName.CANDLES, "BTC", "1h", 0, to_ms, cursor=cursor)


@pytest.mark.parametrize(("later_ms", "shown"), [(-1, 5), (0, 6), (HOUR_MS - 1, 6), (HOUR_MS, 7)])
@pytest.mark.parametrize("to_ms", [END_OF_TIME_MS, T0_MS + 9 * HOUR_MS])
async def test_a_bar_is_there_from_its_close_on_whatever_end_is_asked_for(
    store: SqlStore, clock: ManualClock, to_ms: int, later_ms: int, shown: int
) -> None:
    clock.set(T0_MS + 5 * HOUR_MS + later_ms)
    found = (await store.bars.bars(bars(to_ms))).rows
    assert sorted(row.close_ms for row in found) == [T0_MS + n * HOUR_MS for n in range(shown)]
    answer = await HistoryService(store.bars, resolve=Symbol).history(
        HistoryRequest(SeriesName.CANDLES, Symbol("BTC"), "1h", to_ms=to_ms)
    )
    assert answer.newest_ms == T0_MS + (shown - 1) * HOUR_MS


async def test_a_cursor_made_up_in_the_future_shows_nothing_of_it(store: SqlStore) -> None:
    forged = write_cursor((T0_MS + 9 * HOUR_MS, "Binance"))
    found = (await store.bars.bars(bars(END_OF_TIME_MS, forged))).rows
    assert max(row.close_ms for row in found) == T0_MS + 5 * HOUR_MS


async def test_signals_of_a_run_that_came_further_wait_for_their_time(
    store: SqlStore, clock: ManualClock
) -> None:
    as_of_ms = made(1)[1].as_of_ms
    for n in range(4):
        store.signals.append(*made(n, later_ms=n * 1_000), Trigger.REQUEST)
    await store.signals.flush()
    for later_ms, count in ((999, 1), (1_000, 2), (9_000, 4)):
        clock.set(as_of_ms + later_ms)
        forged = write_cursor((as_of_ms + 8_000, "x"))
        for query in (SignalQuery(), SignalQuery(symbol="BTC"), SignalQuery(cursor=forged)):
            assert len((await store.signals.page(query)).rows) == count
        assert await exported(store, ExportName.SIGNALS) == count


async def exported(store: SqlStore, name: ExportName) -> int:
    _, chunks = store.exports.export(ExportQuery(name, None, 0, END_OF_TIME_MS))
    return sum([len(chunk) async for chunk in chunks])


async def test_no_download_holds_what_is_still_to_come(store: SqlStore, clock: ManualClock) -> None:
    times = [T0_MS + n * HOUR_MS for n in range(10)]
    alert = AlertRow("", 0, "BTC", "STOP_HUNT", "LONG", "urgent", 81.5, 2e6, True, None, T0_MS, "{}")
    store.market.put([liquidation(ts_event_ms=at_ms) for at_ms in times])
    store.market.put([BaselineRow("BTC", at_ms, 1.0, 2.0, 3) for at_ms in times])
    store.market.put([alert._replace(id=str(at_ms), ts_event_ms=at_ms) for at_ms in times])
    await store.market.flush()
    names = (ExportName.LIQUIDATIONS, ExportName.BASELINES, ExportName.ALERTS)
    assert [await exported(store, name) for name in names] == [6, 6, 6]
    clock.set(T0_MS + 6 * HOUR_MS - 1)
    assert [await exported(store, name) for name in names] == [6, 6, 6]
    clock.set(T0_MS + 6 * HOUR_MS)
    assert [await exported(store, name) for name in names] == [7, 7, 7]
