"""Keeping signals: one append and one hand-over per computed signal; reading them back by page."""

from __future__ import annotations

import asyncio
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


async def test_a_signal_is_appended_with_its_context_and_its_bars_are_handed_on() -> None:
    store, prices = FakeStore(), (1.0,)
    candles = Candles("Binance", HOUR_MS, (LAST_CLOSE_MS,), prices, prices, prices, prices)
    reading = Reading(candles, "coinglass", "e", LAST_CLOSE_MS, NOW_MS, CacheState.MISS)
    context = dataclasses.replace(price_context(), candles=reading)
    signal = evaluate(context, EngineConfig(), Mode.BALANCED)
    use_case = service(store)
    use_case.keep(signal, context, Trigger.SCHEDULE)
    await use_case.settle()
    assert store.appended == [(signal, context, Trigger.SCHEDULE)]
    assert [type(row) for row in store.put_rows] == [CandleRow]


def test_every_signal_is_appended_even_when_its_bars_are_known() -> None:
    store = FakeStore()
    use_case, context = service(store), price_context()
    for mode in Mode:
        use_case.keep(evaluate(context, EngineConfig(), mode), context, Trigger.REQUEST)
    assert [signal.mode for signal, _, _ in store.appended] == list(Mode)


async def test_of_a_coin_only_the_newest_context_waits_and_of_coins_a_bounded_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.services.record_service.MAX_WAITING", 2)
    store, prices = FakeStore(), (1.0,)
    use_case = service(store)

    def keep(coin: str, close_ms: int) -> None:
        candles = Candles("Binance", HOUR_MS, (close_ms,), prices, prices, prices, prices)
        reading = Reading(candles, "coinglass", "e", close_ms, NOW_MS, CacheState.MISS)
        context = dataclasses.replace(price_context(), symbol=Symbol(coin), candles=reading)
        use_case.keep(evaluate(context, EngineConfig(), Mode.BALANCED), context, Trigger.REQUEST)

    for coin in ("ETH", "BTC", "SOL"):
        keep(coin, LAST_CLOSE_MS - HOUR_MS)
    keep("BTC", LAST_CLOSE_MS)
    running = asyncio.create_task(use_case.run())
    async with asyncio.timeout(10):
        while len(store.put_rows) < 2:  # noqa: ASYNC110  the fake has no event
            await asyncio.sleep(0)
    running.cancel()
    assert [(row.symbol, row.close_ms) for row in store.put_rows if isinstance(row, CandleRow)] == [
        ("SOL", LAST_CLOSE_MS - HOUR_MS),
        ("BTC", LAST_CLOSE_MS),
    ]
    assert len(store.appended) == 4


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
