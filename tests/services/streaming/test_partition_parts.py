"""A pipeline's parts for one partition: who speaks for whom, and rows that wait for the store."""

from __future__ import annotations

import pytest

from app.core.domain.flow import Finding, LiquidationEvent, PriceTick, StreamFrame, TradeEvent
from app.core.domain.flow_config import FlowConfig
from app.core.domain.partition import Partitioning
from app.core.errors import StorageUnavailable
from app.core.flow.bursts import MARKET
from app.core.flow.engine import FlowEngine
from app.core.flow.identify import Identifier
from app.services.streaming.partition_parts import HeldRows, PartitionFlow, speaks_for
from tests.memory_store import MemoryStore

FOUR = Partitioning(4)
T0_MS = 1_780_000_000_000
COINS = ("BTC", "ETH", "SOL", "PEPE", "ADA")


def burst() -> list[StreamFrame]:
    """Two hours of small change in every coin, then ten seconds in which all of them are hit at once."""
    quiet = [
        StreamFrame(
            "okx", T0_MS + 60_000 * n, tuple(_event(coin, 500.0 + n % 7, 60_000 * n) for coin in COINS)
        )
        for n in range(320)
    ]
    at = 60_000 * 320
    wild = [
        StreamFrame(
            "okx",
            T0_MS + at + 1_000 * n,
            tuple(_event(coin, 3_000_000.0, at + 1_000 * n) for coin in COINS),
            tuple(
                TradeEvent(coin, "OKX", coin, False, 1.0, 50_000.0, T0_MS + at + 1_000 * n) for coin in COINS
            ),
            (PriceTick("BTC", "OKX", 1.0, T0_MS + at + 1_000 * n),),
        )
        for n in range(30)
    ]
    return quiet + wild


def _event(coin: str, usd: float, at_ms: int) -> LiquidationEvent:
    return LiquidationEvent(coin, "OKX", coin, "LONG", 1.0, usd, None, T0_MS + at_ms)


def found_by(engine: FlowEngine, frames: list[StreamFrame]) -> list[Finding]:
    identifier, found = Identifier(), []
    for frame in frames:
        found += engine.on_liquidations(identifier.identify(frame), frame.ts_init_ms)
        found += engine.on_trades(frame.trades, frame.ts_init_ms)
        found += engine.on_ticks(frame.ticks, frame.ts_init_ms)
        found += engine.advance(frame.ts_init_ms)
    return found


def test_the_partitions_together_say_what_one_process_says_each_thing_once() -> None:
    alone = found_by(FlowEngine(FlowConfig()), burst())
    shared: list[Finding] = []
    for partition in FOUR.all:
        parts = [part for frame in burst() for number, part in FOUR.split(frame) if number == partition]
        mine = found_by(PartitionFlow(FlowConfig(), speaks_for(FOUR, partition)), parts)
        expected = {MARKET} if partition == FOUR.market else {c for c in COINS if FOUR.of(c) == partition}
        assert {finding.symbol for finding in mine} == expected
        shared += mine
    assert {finding.symbol for finding in alone} == {MARKET, *COINS}
    assert sorted(map(repr, shared)) == sorted(map(repr, alone))


def test_aggregates_are_published_by_the_partition_of_the_coin() -> None:
    engines = {number: PartitionFlow(FlowConfig(), speaks_for(FOUR, number)) for number in FOUR.all}
    for number, engine in engines.items():
        found_by(engine, [part for frame in burst() for p, part in FOUR.split(frame) if p == number])
    assert sorted(coin for engine in engines.values() for coin in engine.symbols()) == sorted(COINS)
    whole = engines[FOUR.market].snapshot(MARKET, T0_MS + 60_000 * 321)
    assert whole is not None
    assert max(window.long_usd for window in whole.liquidations) > 30 * len(COINS) * 3_000_000.0 * 0.99


async def test_rows_are_held_until_the_store_has_them_all() -> None:
    store = MemoryStore()
    held = HeldRows(store)
    rows = Identifier().identify(burst()[0])
    assert held.put(rows) == len(COINS)
    assert store.of(type(rows[0])) == []
    await held.flush()
    await held.flush()
    assert sorted(store.of(type(rows[0]))) == sorted(rows)


async def test_rows_of_the_market_are_another_partitions_to_store() -> None:
    held = HeldRows(None)
    await held.put_all(Identifier().identify(burst()[0]))
    await held.flush()


async def test_a_store_that_is_away_is_said_and_nothing_is_dropped() -> None:
    class Away(MemoryStore):
        is_away = True

        async def flush(self) -> None:
            if self.is_away:
                raise StorageUnavailable("away")
            await super().flush()

    store = Away()
    held = HeldRows(store)
    rows = Identifier().identify(burst()[0])
    held.put(rows)
    with pytest.raises(StorageUnavailable):
        await held.flush()
    store.is_away = False
    await held.flush()
    assert sorted(store.of(type(rows[0]))) == sorted(rows)
