"""Keeping signals: one append and one hand-over per computed signal; reading them back by page."""

from __future__ import annotations

import dataclasses

import pytest

from app.core.domain.engine_config import EngineConfig
from app.core.domain.market import HOUR_MS, Candles
from app.core.domain.quality import CacheState, Reading
from app.core.domain.signal import Mode
from app.core.domain.stored import CandleRow, SignalQuery, Trigger
from app.core.domain.symbol import Symbol
from app.core.errors import StorageUnavailable
from app.core.signal_engine import evaluate
from app.services.history_recorder import HistoryRecorder
from app.services.record_service import RecordService
from tests.stored_facts import LAST_CLOSE_MS, NOW_MS, FakeStore, price_context, signal_row


def service(store: FakeStore) -> RecordService:
    return RecordService(log=store, recorder=HistoryRecorder(store), resolve=Symbol)


def test_a_signal_is_appended_with_its_context_and_its_bars_are_handed_on() -> None:
    store, prices = FakeStore(), (1.0,)
    candles = Candles("Binance", HOUR_MS, (LAST_CLOSE_MS,), prices, prices, prices, prices)
    reading = Reading(candles, "coinglass", "e", LAST_CLOSE_MS, NOW_MS, CacheState.MISS)
    context = dataclasses.replace(price_context(), candles=reading)
    signal = evaluate(context, EngineConfig(), Mode.BALANCED)
    service(store).keep(signal, context, Trigger.SCHEDULE)
    assert store.appended == [(signal, context, Trigger.SCHEDULE)]
    assert [type(row) for row in store.put_rows] == [CandleRow]


def test_every_signal_is_appended_even_when_its_bars_are_known() -> None:
    store = FakeStore()
    use_case, context = service(store), price_context()
    for mode in Mode:
        use_case.keep(evaluate(context, EngineConfig(), mode), context, Trigger.REQUEST)
    assert [signal.mode for signal, _, _ in store.appended] == list(Mode)


async def test_kept_signals_are_read_back_by_page() -> None:
    store = FakeStore()
    store.kept = [signal_row(n) for n in range(5)]
    page = await service(store).page(SignalQuery("BTC", limit=2))
    assert [row.seq for row in page.rows] == [4, 3]
    assert page.cursor is not None


async def test_a_store_that_is_down_says_so() -> None:
    store = FakeStore()
    store.is_down = True
    with pytest.raises(StorageUnavailable):
        await service(store).page(SignalQuery())
