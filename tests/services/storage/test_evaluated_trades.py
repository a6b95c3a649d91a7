"""Pages of single trades on both databases: which signals are in them, and the outcome that is joined."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from app.core.clock import ManualClock
from app.core.domain.context import DataMode
from app.core.domain.evaluations import EvaluationRef
from app.core.domain.outcomes import OutcomeRow
from app.core.domain.signal import Direction, Mode
from app.core.domain.stored import Trigger
from app.core.domain.trades import TradeQuery, TradeRow
from app.core.errors import InvalidParameter
from app.core.outcomes.sides import begin_side
from app.core.signal_engine import ENGINE_VERSION
from app.services.storage.store import SqlStore
from tests.outcome_facts import HOUR_MS, T0_MS
from tests.record_rig import made, store_of

ALL = TradeQuery(ENGINE_VERSION, "4h")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(T0_MS)


@pytest.fixture
async def store(database_url: str, clock: ManualClock) -> AsyncIterator[SqlStore]:
    store = store_of(database_url, clock)
    await store.opened()
    yield store
    await store.close()


async def keep(
    store: SqlStore,
    at_ms: int,
    symbol: str = "BTC",
    direction: Direction = Direction.LONG,
    *,
    trigger: Trigger = Trigger.SCHEDULE,
    mode: Mode = Mode.BALANCED,
    version: str = ENGINE_VERSION,
) -> None:
    signal, context = made(at_ms, symbol, direction=direction, mode=mode, score=71.5)
    store.signals.append(replace(signal, engine_version=version), context, trigger)
    await store.signals.flush()


def named(rows: tuple[TradeRow, ...]) -> list[tuple[str, str, int]]:
    return [(row.symbol, row.direction, (row.as_of_ms - T0_MS) // HOUR_MS) for row in rows]


async def test_only_scheduled_signals_with_a_direction_of_this_engine_up_to_now_are_listed(
    store: SqlStore, clock: ManualClock
) -> None:
    await keep(store, T0_MS)
    await keep(store, T0_MS, "ETH", Direction.SHORT)
    await keep(store, T0_MS, "SOL", Direction.NEUTRAL)
    await keep(store, T0_MS, "SOL", trigger=Trigger.REQUEST)
    await keep(store, T0_MS, "SOL", mode=Mode.AGGRESSIVE)
    await keep(store, T0_MS, "SOL", version="0.9.0")
    await keep(store, T0_MS + HOUR_MS)
    found = await store.trades.trades(ALL)
    assert sorted(named(found.rows)) == [("BTC", "LONG", 0), ("ETH", "SHORT", 0)]
    assert found.cursor is None
    assert found.rows[0].score == 71.5
    clock.tick(3_600)
    assert named((await store.trades.trades(ALL)).rows)[0] == ("BTC", "LONG", 1)
    only = await store.trades.trades(replace(ALL, symbol="ETH"))
    assert named(only.rows) == [("ETH", "SHORT", 0)]
    other = await store.trades.trades(replace(ALL, engine_version="0.9.0"))
    assert named(other.rows) == [("SOL", "LONG", 0)]


async def test_signals_of_another_data_mode_are_not_listed(store: SqlStore) -> None:
    await keep(store, T0_MS)
    signal, context = made(T0_MS, "ETH", direction=Direction.LONG)
    store.signals.append(replace(signal, data_mode=DataMode.DEMO), context, Trigger.SCHEDULE)
    await store.signals.flush()
    assert named((await store.trades.trades(ALL)).rows) == [("BTC", "LONG", 0)]


def rows_of(trade: TradeRow, side: Direction) -> list[OutcomeRow]:
    return begin_side(EvaluationRef(trade.id, trade.symbol, trade.made_ms), side, tier=1)


async def test_each_signal_has_the_outcome_of_its_own_side_at_the_horizon_asked_for(
    store: SqlStore, clock: ManualClock
) -> None:
    await keep(store, T0_MS)
    clock.tick(3_600)
    await keep(store, T0_MS + HOUR_MS, direction=Direction.SHORT)
    clock.tick(3_600)
    await keep(store, T0_MS + 2 * HOUR_MS)
    _, short, long = (await store.trades.trades(ALL)).rows
    for trade in (short, long):
        for side in (Direction.LONG, Direction.SHORT):
            await store.signal_outcomes.open(rows_of(trade, side))
    for horizon in ("15m", "1h", "4h", "24h"):
        rows = (await store.trades.trades(replace(ALL, horizon=horizon))).rows
        assert rows[0].outcome is None
        told = [(row.outcome.trade_id, row.outcome.horizon) for row in rows[1:] if row.outcome is not None]
        assert told == [(f"{short.id}:SHORT", horizon), (f"{long.id}:LONG", horizon)]
    (kept,) = [row for row in rows_of(long, Direction.LONG) if row.horizon == "4h"]
    assert (await store.trades.trades(ALL)).rows[2].outcome == kept


async def test_pages_hold_every_trade_once_also_when_newer_ones_come_in_between(
    store: SqlStore, clock: ManualClock
) -> None:
    for n in range(7):
        # Two at each moment, so that a page ends between equals.
        await keep(store, T0_MS - (n // 2) * HOUR_MS, "BTC" if n % 2 else "ETH")
    whole = (await store.trades.trades(ALL)).rows
    seen: list[TradeRow] = []
    cursor = None
    while True:
        page = await store.trades.trades(replace(ALL, limit=2, cursor=cursor))
        seen += page.rows
        cursor = page.cursor
        if cursor is None:
            break
        assert len(page.rows) == 2
        clock.tick(1)
        await keep(store, clock.now_ms(), "SOL")
    assert len(seen) == 7
    assert tuple(seen) == whole


async def test_a_page_that_is_just_full_has_no_next(store: SqlStore) -> None:
    for n in range(3):
        await keep(store, T0_MS - n * HOUR_MS)
    assert (await store.trades.trades(replace(ALL, limit=3))).cursor is None
    assert (await store.trades.trades(replace(ALL, limit=2))).cursor is not None


@pytest.mark.parametrize("cursor", ["x", "WyJhIiwiYiJd", "WzFd"])
async def test_a_foreign_cursor_is_refused(store: SqlStore, cursor: str) -> None:
    with pytest.raises(InvalidParameter):
        await store.trades.trades(replace(ALL, cursor=cursor))
