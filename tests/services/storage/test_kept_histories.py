"""The history use cases on a real database: what a signal saw is read back, and upstream is asked once."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from app.core.clock import ManualClock
from app.core.domain.context import EnhancedSignalContext
from app.core.domain.derivatives import OpenInterestHistory
from app.core.domain.engine_config import EngineConfig
from app.core.domain.history import HistoryRequest
from app.core.domain.market import HOUR_MS, Candles, Series, Unit
from app.core.domain.quality import CacheState, Reading
from app.core.domain.signal import Mode
from app.core.domain.stored import OpenInterestRow, SeriesName, SignalQuery, Trigger
from app.core.domain.symbol import Symbol
from app.core.domain.views import Part, Parts, View, ViewQuery
from app.core.signal_engine import evaluate
from app.services.history_recorder import HistoryRecorder
from app.services.history_service import HistoryService
from app.services.open_interest_replay import OpenInterestReplay
from app.services.record_service import RecordService
from app.services.storage.store import SqlStore
from tests.stored_facts import LAST_CLOSE_MS, NOW_MS, closes, price_context

TIMES = tuple(closes(60))
LABEL = "open interest, all exchanges"


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[SqlStore]:
    store = SqlStore(database_url, data_mode="demo", now_ms=lambda: NOW_MS, monotonic=time.monotonic)
    store.start()
    await store.opened()
    yield store
    await store.close()


def read(value: Any, at_ms: int = NOW_MS) -> Reading[Any]:
    return Reading(value, "coinglass", "e", LAST_CLOSE_MS, at_ms, CacheState.MISS)


def context() -> EnhancedSignalContext:
    column = tuple(100.0 + n for n in range(len(TIMES)))
    base = tuple(value / 10 for value in column)
    return dataclasses.replace(
        price_context(),
        candles=read(Candles("Binance", HOUR_MS, TIMES, column, column, column, column)),
        open_interest_usd=read(Series(Unit.USD, HOUR_MS, TIMES, column, LABEL), NOW_MS - 9_000),
        open_interest_base=read(Series(Unit.BASE, HOUR_MS, TIMES, base, LABEL)),
    )


class Upstream:
    """Open interest with open, high and low, fetched before the coins of the same bars were."""

    def __init__(self) -> None:
        self.calls = 0

    async def parts(self, views: Sequence[View], query: ViewQuery) -> Parts:
        self.calls += 1
        column = tuple(100.0 + n for n in range(len(TIMES)))
        history = OpenInterestHistory(Unit.USD, HOUR_MS, TIMES, column, column, column, column, LABEL)
        return {views[0]: Part(views[0], read(history, NOW_MS - 9_000), None)}


async def test_what_a_signal_saw_is_read_back_page_by_page(store: SqlStore) -> None:
    recorder = HistoryRecorder(store.market)
    record = RecordService(log=store.signals, recorder=recorder, resolve=Symbol)
    seen = context()
    record.keep(evaluate(seen, EngineConfig(), Mode.BALANCED), seen, Trigger.REQUEST)
    await record.settle()
    await store.market.flush()
    await store.signals.flush()
    use_case = HistoryService(store.bars, resolve=Symbol)
    asked = HistoryRequest(SeriesName.OPEN_INTEREST, Symbol("BTC"), "1h", limit=25)
    found: list[OpenInterestRow] = []
    while True:
        page = await use_case.history(asked)
        found += [row for row in page.rows if isinstance(row, OpenInterestRow)]
        assert (page.oldest_ms, page.newest_ms, page.gaps) == (TIMES[0], TIMES[-1], ())
        if page.cursor is None:
            break
        asked = dataclasses.replace(asked, cursor=page.cursor)
    assert [row.close_ms for row in found] == list(reversed(TIMES))
    assert all(row.close_usd == 10 * (row.close_base or 0) for row in found)
    kept = await record.page(SignalQuery("BTC"))
    assert [(row.symbol, row.trigger) for row in kept.rows] == [("BTC", Trigger.REQUEST)]


async def test_open_interest_is_asked_upstream_once_and_then_comes_out_of_the_store(store: SqlStore) -> None:
    recorder, upstream = HistoryRecorder(store.market), Upstream()
    await recorder.record(context())
    await store.market.flush()
    use_case = OpenInterestReplay(
        bars=store.bars, upstream=upstream, recorder=recorder, clock=ManualClock(NOW_MS)
    )
    first = await use_case.replay(Symbol("BTC"), "1h", limit=20, before_ms=None)
    await store.market.flush()
    second = await use_case.replay(Symbol("BTC"), "1h", limit=20, before_ms=None)
    assert upstream.calls == 1
    assert [row.close_ms for row in first.bars] == [row.close_ms for row in second.bars] == list(TIMES[-20:])
    assert (first.stored_bars, second.stored_bars) == (0, 20)
    assert all(row.close_base is not None and row.high_usd == row.close_usd for row in second.bars)
