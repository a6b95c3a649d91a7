"""Scheduled evaluations on both databases: one claim per coin and hour, and what the record reads of them."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import msgspec
import pytest

from app.core.chain import GENESIS
from app.core.clock import ManualClock
from app.core.domain.context import DataMode, EnhancedSignalContext
from app.core.domain.engine_config import EngineConfig
from app.core.domain.evaluations import EvaluationRef, HourCount
from app.core.domain.outcomes import trade_of
from app.core.domain.signal import FactorName, FactorStatus, Mode, Signal
from app.core.domain.stored import Trigger
from app.core.domain.symbol import Symbol
from app.core.outcomes.rows import begin
from app.core.signal_engine import ENGINE_VERSION, evaluate
from app.services.storage.chains import end_note
from app.services.storage.signal_rows import SIGNAL_END_KEY, build_row, place
from app.services.storage.store import SqlStore
from tests.core.conftest import random_world
from tests.outcome_facts import HOUR_MS, T0_MS, alert


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(T0_MS)


def store_of(url: str, clock: ManualClock) -> SqlStore:
    store = SqlStore(url, data_mode="live", now_ms=clock.now_ms, monotonic=time.monotonic)
    store.start()
    return store


@pytest.fixture
async def store(database_url: str, clock: ManualClock) -> AsyncIterator[SqlStore]:
    store = store_of(database_url, clock)
    await store.opened()
    yield store
    await store.close()


def made(
    seed: int, as_of_ms: int, symbol: str = "BTC", mode: Mode = Mode.BALANCED
) -> tuple[Signal, EnhancedSignalContext]:
    context = random_world(seed, 300).context()
    later_ms = as_of_ms - context.as_of_ms
    signal = evaluate(context, EngineConfig(), mode)
    context = replace(context, symbol=Symbol(symbol), as_of_ms=context.as_of_ms + later_ms)
    return replace(signal, symbol=Symbol(symbol), as_of_ms=as_of_ms, data_mode=DataMode.LIVE), context


async def test_an_hour_of_a_coin_is_claimed_once_by_whoever_is_first(
    database_url: str, clock: ManualClock
) -> None:
    stores = [store_of(database_url, clock) for _ in range(3)]
    for one in stores:
        await one.opened()
    wanted = [(one, coin, hour) for coin in ("BTC", "ETH") for hour in (0, 1) for one in stores * 2]
    won = await asyncio.gather(
        *(one.evaluations.claim(coin, T0_MS + hour * HOUR_MS) for one, coin, hour in wanted)
    )
    assert sum(won) == 4
    assert {(coin, hour) for (_, coin, hour), mine in zip(wanted, won, strict=True) if mine} == {
        ("BTC", 0),
        ("BTC", 1),
        ("ETH", 0),
        ("ETH", 1),
    }
    for one in stores:
        await one.close()


async def test_hours_are_counted_from_the_first_tried_to_the_last(
    store: SqlStore, clock: ManualClock
) -> None:
    for hour, failure in ((0, None), (1, "no_price"), (5, "no_price"), (7, "stale_price"), (8, None)):
        assert await store.evaluations.claim("BTC", T0_MS + hour * HOUR_MS)
        await store.evaluations.settle("BTC", T0_MS + hour * HOUR_MS, failure)
    await store.evaluations.claim("ETH", T0_MS + HOUR_MS)  # and died
    clock.tick(24 * 3600)
    assert await store.evaluations.hour_counts(clock.now_ms()) == [
        HourCount("BTC", 9, 2, {"no_price": 2, "stale_price": 1}),
        HourCount("ETH", 1, 0, {}),
    ]
    # A replay that has not come so far.
    found = await store.evaluations.hour_counts(T0_MS + 6 * HOUR_MS)
    assert found[0] == HourCount("BTC", 6, 1, {"no_price": 2})


async def test_a_claimed_hour_whose_signal_is_stored_was_made_all_the_same(store: SqlStore) -> None:
    for hour in range(3):
        assert await store.evaluations.claim("BTC", T0_MS + hour * HOUR_MS)
    store.signals.append(*made(1, T0_MS + HOUR_MS - 1), Trigger.SCHEDULE)
    store.signals.append(*made(2, T0_MS + HOUR_MS, "ETH"), Trigger.SCHEDULE)
    store.signals.append(*made(3, T0_MS + 2 * HOUR_MS), Trigger.REQUEST)
    await store.signals.flush()
    assert await store.evaluations.hour_counts(T0_MS + 9 * HOUR_MS) == [HourCount("BTC", 3, 1, {})]


async def test_only_scheduled_balanced_evaluations_up_to_now_are_read(
    store: SqlStore, clock: ManualClock
) -> None:
    store.signals.append(*made(1, T0_MS), Trigger.SCHEDULE)
    store.signals.append(*made(2, T0_MS), Trigger.REQUEST)
    store.signals.append(*made(3, T0_MS, mode=Mode.AGGRESSIVE), Trigger.SCHEDULE)
    store.signals.append(*made(4, T0_MS + 1, "ETH"), Trigger.SCHEDULE)
    store.signals.append(*made(5, T0_MS + 2, "ETH"), Trigger.SCHEDULE)
    await store.signals.flush()
    (row,) = await store.evaluations.evaluations(0, 9)
    assert (row.symbol, row.as_of_ms, row.engine_version) == ("BTC", T0_MS, ENGINE_VERSION)
    clock.tick(1)
    rows = await store.evaluations.evaluations(0, 9)
    assert [(one.symbol, one.as_of_ms) for one in rows] == [
        ("BTC", T0_MS),
        ("ETH", T0_MS + 1),
        ("ETH", T0_MS + 2),
    ]
    first = await store.evaluations.evaluations(0, 1)
    after = first[-1].as_of_ms, first[-1].id
    assert await store.evaluations.evaluations(0, 9, after) == rows[1:]
    assert await store.evaluations.evaluations(T0_MS + 2, 9) == rows[2:]
    counts = await store.evaluations.signal_counts(T0_MS)
    assert sum(one.count for one in counts) == 5
    assert {(one.symbol, one.trigger, one.mode) for one in counts} == {
        ("BTC", "schedule", "balanced"),
        ("BTC", "request", "balanced"),
        ("BTC", "schedule", "aggressive"),
        ("ETH", "schedule", "balanced"),
    }


async def test_factors_come_out_of_the_body_and_those_that_did_not_count_are_unknown(store: SqlStore) -> None:
    signal, context = made(1, T0_MS)
    first = replace(signal.factors[0], status=FactorStatus.STALE, v=0.0)
    signal = replace(signal, factors=(first, *signal.factors[1:]))
    store.signals.append(signal, context, Trigger.SCHEDULE)
    await store.signals.flush()
    (row,) = await store.evaluations.evaluations(0, 9)
    known = {factor.name: factor for factor in signal.factors}
    assert math.isnan(row.v[list(FactorName).index(first.name)])
    for name, v in zip(FactorName, row.v, strict=True):
        is_known = known[name].status is FactorStatus.OK
        assert math.isnan(v) is not is_known
        assert not is_known or v == known[name].v
    assert (row.direction, row.score, row.level) == (
        signal.direction.value,
        signal.score,
        signal.confidence.level.value,
    )


async def test_evaluations_without_an_outcome_row_are_unfollowed(store: SqlStore) -> None:
    for seed, at_ms in ((1, T0_MS - HOUR_MS), (2, T0_MS)):
        store.signals.append(*made(seed, at_ms), Trigger.SCHEDULE)
    await store.signals.flush()
    found = await store.evaluations.unfollowed(0, 9)
    assert [one.id.rpartition("-")[2] for one in found] == ["0", "1"]
    assert await store.evaluations.unfollowed(0, 1) == found[:1]
    rows = begin(alert(trade_of(found[0].id, "LONG")), tier=1, atr_usd=1.0)
    await store.signal_outcomes.open(rows)
    assert await store.evaluations.unfollowed(0, 9) == [EvaluationRef(found[1].id, "BTC", T0_MS)]
    assert await store.evaluations.unfollowed(T0_MS + 1, 9) == []


async def test_running_trades_are_read_coin_by_coin(store: SqlStore) -> None:
    for name, symbol in (("1", "BTC"), ("2", "ETH"), ("3", "BTC")):
        await store.signal_outcomes.open(begin(alert(name, symbol=symbol), tier=1, atr_usd=1.0))
    rows = await store.signal_outcomes.running("BTC")
    assert [(row.trade_id, row.horizon) for row in rows] == [
        (name, horizon) for name in ("1", "3") for horizon in ("15m", "1h", "4h", "24h")
    ]
    assert await store.signal_outcomes.running_coins() == ["BTC", "ETH"]
    over = [row._replace(state="scored") for row in await store.signal_outcomes.running("ETH")]
    await store.signal_outcomes.resolve(over)
    assert await store.signal_outcomes.running_coins() == ["BTC"]
    assert sorted(await store.signal_outcomes.of_trades(["2", "9"])) == sorted(over)
    # Alerts are in a table of their own.
    assert await store.outcomes.running_coins() == []


async def test_a_slot_is_claimed_once_and_the_next_one_again(database_url: str, clock: ManualClock) -> None:
    stores = [store_of(database_url, clock) for _ in range(2)]
    for one in stores:
        await one.opened()
    for slot in (7, 8):
        won = await asyncio.gather(*(one.state.claim("fit", slot) for one in stores * 3))
        assert sum(won) == 1
    assert await stores[0].state.claim("other", 8)
    for one in stores:
        await one.close()


async def test_bodies_of_before_the_chance_came_are_read_and_verified_as_they_are(store: SqlStore) -> None:
    signal, context = made(1, T0_MS)
    told = msgspec.json.decode(msgspec.json.encode(signal))
    assert {"probability", "no_probability"} <= told.keys()
    del told["probability"], told["no_probability"]
    row = build_row(signal, context, Trigger.SCHEDULE, chain="old", ts_init_ms=T0_MS)
    old = place(replace(row, body=msgspec.json.encode(told).decode()), 0, GENESIS)
    await store.signals._insert([old])
    async with store._engine.begin() as connection:
        dialect = store._engine.dialect.name
        await connection.execute(end_note(dialect, f"{SIGNAL_END_KEY}old", old.seq, old.hash, T0_MS))
    store.signals.append(*made(2, T0_MS, "ETH"), Trigger.SCHEDULE)
    await store.signals.flush()
    for symbol in ("BTC", "ETH"):
        await store.evaluations.claim(symbol, T0_MS // HOUR_MS * HOUR_MS)
    assert len(await store.evaluations.evaluations(0, 9)) == 2
    assert (await store.verify()).broken == ()
