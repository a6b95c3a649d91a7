"""Stored bars by page: nothing lost between pages, coverage of the whole history, what to do about none."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from app.core.domain.history import HistoryRequest
from app.core.domain.market import HOUR_MS
from app.core.domain.stored import RatioScope, SeriesName
from app.core.domain.symbol import Symbol
from app.core.errors import InvalidParameter, StorageUnavailable
from app.services.history_service import HistoryService
from tests.stored_facts import FakeStore, candle, closes, ratio

CANDLES = HistoryRequest(SeriesName.CANDLES, Symbol("BTC"), "1h")


def service(store: FakeStore) -> HistoryService:
    return HistoryService(store, resolve=Symbol)


def filled(count: int = 10) -> FakeStore:
    store = FakeStore()
    store.rows = [candle(at_ms) for at_ms in closes(count)]
    return store


@pytest.mark.parametrize("newest_first", [True, False])
async def test_pages_hold_every_bar_once_in_order(newest_first: bool) -> None:
    use_case, seen, cursor = service(filled()), [], None
    while True:
        asked = dataclasses.replace(CANDLES, limit=3, cursor=cursor, newest_first=newest_first)
        answer = await use_case.history(asked)
        seen += [row.close_ms for row in answer.rows]
        cursor = answer.cursor
        if cursor is None:
            break
    assert seen == (closes(10)[::-1] if newest_first else closes(10))


async def test_coverage_is_of_the_whole_history_not_of_the_page() -> None:
    answer = await service(filled()).history(dataclasses.replace(CANDLES, limit=2))
    assert (answer.oldest_ms, answer.newest_ms) == (closes(10)[0], closes(10)[-1])


async def test_from_is_inclusive_and_to_is_exclusive() -> None:
    times = closes(10)
    asked = dataclasses.replace(CANDLES, from_ms=times[2], to_ms=times[5])
    answer = await service(filled()).history(asked)
    assert sorted(row.close_ms for row in answer.rows) == times[2:5]


async def test_holes_between_rows_are_told() -> None:
    store = filled()
    del store.rows[4:6]
    answer = await service(store).history(CANDLES)
    assert [gap.bars for gap in answer.gaps] == [2]


async def test_scopes_are_never_mixed() -> None:
    store = FakeStore()
    store.rows = [ratio(HOUR_MS), ratio(HOUR_MS, "top_position")]
    asked = HistoryRequest(
        SeriesName.LONG_SHORT, Symbol("BTC"), "1h", scope=RatioScope.TOP_POSITION, exchange="Binance"
    )
    answer = await service(store).history(asked)
    assert [row.scope for row in answer.rows if hasattr(row, "scope")] == ["top_position"]


async def test_an_interval_that_is_not_stored_names_those_that_are() -> None:
    store = FakeStore()
    store.rows = [candle(HOUR_MS, interval="8h")]
    answer = await service(store).history(CANDLES)
    assert answer.rows == ()
    assert answer.other_intervals == ("8h",)


async def test_an_exchange_that_is_not_stored_names_those_that_are() -> None:
    store = FakeStore()
    store.rows = [candle(HOUR_MS, exchange=name) for name in ("OKX", "Binance")]
    answer = await service(store).history(dataclasses.replace(CANDLES, exchange="Kraken"))
    assert (answer.rows, answer.newest_ms, answer.other_exchanges) == ((), None, ("Binance", "OKX"))
    found = await service(store).history(dataclasses.replace(CANDLES, exchange="OKX"))
    assert (len(found.rows), found.other_exchanges) == (1, ())


async def test_bars_of_a_recordings_own_size_have_gaps_too() -> None:
    store = FakeStore()
    store.rows = [candle(at * 180_000, interval="3m") for at in (1, 2, 4)]
    answer = await service(store).history(dataclasses.replace(CANDLES, interval="3m"))
    assert [gap.bars for gap in answer.gaps] == [1]


async def test_nothing_stored_is_an_empty_page() -> None:
    answer = await service(FakeStore()).history(CANDLES)
    assert (answer.rows, answer.oldest_ms, answer.newest_ms, answer.other_intervals) == ((), None, None, ())


@pytest.mark.parametrize(
    ("change", "parameter"),
    [
        ({"scope": RatioScope.TOP_ACCOUNT}, "scope"),
        ({"series": SeriesName.LONG_SHORT}, "scope"),
        ({"from_ms": 5, "to_ms": 5}, "from"),
        ({"limit": 0}, "limit"),
        ({"limit": 1001}, "limit"),
    ],
)
async def test_a_question_that_makes_no_sense_names_its_parameter(
    change: dict[str, Any], parameter: str
) -> None:
    with pytest.raises(InvalidParameter, match=parameter):
        await service(filled()).history(dataclasses.replace(CANDLES, **change))


async def test_a_store_that_is_down_says_so() -> None:
    store = filled()
    store.is_down = True
    with pytest.raises(StorageUnavailable):
        await service(store).history(CANDLES)


def test_symbols_are_resolved_by_the_same_rules() -> None:
    assert service(FakeStore()).resolve("ETH") == Symbol("ETH")
