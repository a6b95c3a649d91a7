"""The recorder: closed bars only, each about once, scopes never mixed, nothing lost to a full buffer."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.context import DataMode, EnhancedSignalContext
from app.core.domain.market import HOUR_MS, Candles, Series, Unit
from app.core.domain.quality import CacheState, Missing, MissingReason, Reading
from app.core.domain.stored import (
    CandleRow,
    FundingRow,
    OpenInterestRow,
    RatioRow,
)
from app.core.domain.symbol import Symbol
from app.services.history_recorder import HistoryRecorder
from tests.derivatives_facts import interest_history
from tests.stored_facts import FakeStore

START_H = 490_000
NONE = Missing(MissingReason.NO_DATA, "")


def reading(value: Any, provider: str) -> Reading[Any]:
    return Reading(value, provider, "e", value.close_ms[-1], value.close_ms[-1] + 5_000, CacheState.MISS)


def context(
    last_h: int,
    *,
    bars: int = 4,
    as_of_ms: int | None = None,
    coin: str = "BTC",
    provider: str = "coinglass",
    base_provider: str | None = None,
) -> EnhancedSignalContext:
    """`bars` hourly bars that end at `last_h`; every value says its hour."""
    hours = range(last_h - bars + 1, last_h + 1)
    closes = tuple(hour * HOUR_MS for hour in hours)
    values = tuple(float(hour) for hour in hours)

    def series(unit: Unit, label: str, name: str = provider) -> Reading[Any]:
        return reading(Series(unit, HOUR_MS, closes, values, label), name)

    shares = Series(Unit.FRAC, HOUR_MS, closes, tuple(0.5 for _ in hours), "accounts, Binance BTCUSDT")
    return EnhancedSignalContext(
        symbol=Symbol(coin),
        as_of_ms=closes[-1] + 60_000 if as_of_ms is None else as_of_ms,
        data_mode=DataMode.DEMO,
        price=NONE,
        candles=reading(Candles("Binance", HOUR_MS, closes, *[values] * 4), provider),
        liquidations=NONE,
        open_interest_usd=series(Unit.USD, "open interest, all exchanges"),
        open_interest_base=series(Unit.BASE, "open interest, all exchanges", base_provider or provider),
        funding=series(Unit.FRAC_PER_8H, "funding, OI-weighted, all exchanges"),
        account_ratio=reading(shares, provider),
        top_position_ratio=reading(shares, provider),
        social=NONE,
        fear_greed=NONE,
    )


def keys(rows: list[Any]) -> list[tuple[Any, ...]]:
    return [
        (type(row), getattr(row, "scope", ""), row.symbol, row.exchange, row.interval, row.close_ms)
        for row in rows
    ]


def test_every_history_of_a_context_is_handed_on_in_its_own_unit() -> None:
    store = FakeStore()
    HistoryRecorder(store).record(context(START_H))
    assert Counter(type(row) for row in store.put_rows) == {
        CandleRow: 4,
        OpenInterestRow: 4,
        FundingRow: 4,
        RatioRow: 8,
    }
    last = {type(row): row for row in store.put_rows}
    interest = last[OpenInterestRow]
    assert (interest.exchange, interest.close_usd, interest.close_base) == ("ALL", START_H, START_H)
    assert last[FundingRow].oi_weighted_8h_frac == START_H
    assert last[FundingRow].rate_8h_frac is None
    assert {row.scope for row in store.put_rows if isinstance(row, RatioRow)} == {
        "global_account",
        "top_position",
    }
    assert {row.source for row in store.put_rows} == {"coinglass"}


def test_the_same_context_again_hands_on_nothing() -> None:
    store = FakeStore()
    recorder = HistoryRecorder(store)
    recorder.record(context(START_H))
    store.put_rows.clear()
    recorder.record(context(START_H))
    assert store.put_rows == []


def test_a_new_bar_comes_with_the_one_before_it_which_may_have_been_corrected() -> None:
    store = FakeStore()
    recorder = HistoryRecorder(store)
    recorder.record(context(START_H))
    store.put_rows.clear()
    recorder.record(context(START_H + 1))
    candles = [row.close_ms // HOUR_MS for row in store.put_rows if isinstance(row, CandleRow)]
    assert candles == [START_H, START_H + 1]


def test_totals_and_the_coins_of_one_exchange_never_share_a_row() -> None:
    store = FakeStore()
    HistoryRecorder(store).record(context(START_H, base_provider="okx"))
    rows = [row for row in store.put_rows if isinstance(row, OpenInterestRow)]
    assert {(row.exchange, row.close_usd is None, row.close_base is None) for row in rows} == {
        ("ALL", False, True),
        ("OKX", True, False),
    }


def test_a_fallback_to_one_exchange_is_a_history_of_its_own() -> None:
    store = FakeStore()
    recorder = HistoryRecorder(store)
    recorder.record(context(START_H))
    store.put_rows.clear()
    recorder.record(context(START_H, provider="okx"))
    funding = [row for row in store.put_rows if isinstance(row, FundingRow)]
    assert len(funding) == 4
    assert {(row.exchange, row.source, row.oi_weighted_8h_frac) for row in funding} == {("OKX", "okx", None)}


def test_what_a_full_buffer_turned_away_is_handed_on_again() -> None:
    store = FakeStore()
    recorder = HistoryRecorder(store)
    store.capacity = 1
    recorder.record(context(START_H))
    store.capacity = None
    store.put_rows.clear()
    recorder.record(context(START_H))
    assert len(store.put_rows) == 20


def test_missing_inputs_and_unknown_sizes_are_passed_over() -> None:
    store = FakeStore()
    whole = context(START_H)
    odd = dataclasses.replace(
        whole,
        candles=NONE,
        account_ratio=NONE,
        top_position_ratio=NONE,
        open_interest_base=NONE,
        open_interest_usd=NONE,
        funding=reading(
            Series(Unit.FRAC_PER_8H, 2 * HOUR_MS, (START_H * HOUR_MS,), (0.1,), "OKX settled"), "okx"
        ),
    )
    HistoryRecorder(store).record(odd)
    assert store.put_rows == []


def test_memory_is_bounded_and_forgetting_only_repeats_rows() -> None:
    store = FakeStore()
    recorder = HistoryRecorder(store, max_keys=6)  # one coin has six histories
    recorder.record(context(START_H))
    recorder.record(context(START_H, coin="ETH"))
    store.put_rows.clear()
    recorder.record(context(START_H))
    assert len(store.put_rows) == 20


def test_open_interest_with_its_highs_completes_what_a_context_gave() -> None:
    store = FakeStore()
    recorder = HistoryRecorder(store)
    history = dataclasses.replace(interest_history(), label="open interest, all exchanges")
    on_grid = tuple(at_ms // HOUR_MS * HOUR_MS for at_ms in history.close_ms)
    history = dataclasses.replace(history, close_ms=on_grid)
    recorder.record_interest("BTC", reading(history, "coinglass"), on_grid[-1])
    assert len(store.put_rows) == len(on_grid)
    assert store.put_rows[-1].high_usd == history.close[-1] + 1
    assert {row.ts_init_ms for row in store.put_rows} == {on_grid[-1] + 5_000}
    recorder.record_interest("BTC", reading(history, "coinglass"), on_grid[-1])
    assert len(store.put_rows) == len(on_grid)


@given(
    steps=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6), st.integers(-2, 2)), max_size=12),
)
def test_bars_are_closed_and_none_but_the_last_is_handed_on_again(steps: list[tuple[int, int, int]]) -> None:
    """Whatever contexts come: later ones, the same again, with more or fewer bars, with unclosed ones."""
    store = FakeStore()
    recorder = HistoryRecorder(store)
    last_h, closed_h, seen = START_H, set(), set()
    for forward, bars, as_of_h in steps:
        last_h += forward
        as_of_ms = (last_h + as_of_h) * HOUR_MS + 1_000
        newest_ms = max((close_ms for *_, close_ms in seen), default=0)
        store.put_rows.clear()
        recorder.record(context(last_h, bars=bars, as_of_ms=as_of_ms))
        handed_on = keys(store.put_rows)
        assert len(handed_on) == len(set(handed_on))
        assert all(row.close_ms <= min(as_of_ms, row.ts_init_ms) for row in store.put_rows)
        assert all(close_ms == newest_ms for *_, close_ms in seen & set(handed_on))
        seen |= set(handed_on)
        closed_h |= {hour for hour in range(last_h - bars + 1, last_h + 1) if hour <= last_h + as_of_h}
    candles = {close_ms // HOUR_MS for kind, *_, close_ms in seen if kind is CandleRow}
    assert candles <= closed_h
    assert max(candles, default=None) == max(closed_h, default=None)
