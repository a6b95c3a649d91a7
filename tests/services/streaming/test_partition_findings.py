"""Engines of partitions, fed the way the bus feeds them, say together what the engine of one process says."""

from __future__ import annotations

from app.core.domain.flow import Finding, LiquidationEvent, PriceTick, StreamFrame, TradeEvent
from app.core.domain.flow_config import FlowConfig
from app.core.domain.partition import Partitioning
from app.core.flow.engine import FlowEngine, Scope
from app.core.flow.identify import Identifier
from app.core.flow.market import MARKET

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


def scope_of(partition: int) -> Scope:
    return Scope.MARKET if partition == FOUR.market else Scope.COINS


def parts_of(partition: int) -> list[StreamFrame]:
    return [part for frame in burst() for number, part in FOUR.split(frame) if number == partition]


def test_the_partitions_together_say_what_one_process_says_each_thing_once() -> None:
    alone = found_by(FlowEngine(FlowConfig()), burst())
    shared: list[Finding] = []
    for partition in FOUR.all:
        mine = found_by(FlowEngine(FlowConfig(), scope=scope_of(partition)), parts_of(partition))
        expected = {MARKET} if partition == FOUR.market else {c for c in COINS if FOUR.of(c) == partition}
        assert {finding.symbol for finding in mine} == expected
        shared += mine
    assert {finding.symbol for finding in alone} == {MARKET, *COINS}
    assert sorted(map(repr, shared)) == sorted(map(repr, alone))


def test_the_markets_partition_sums_every_coin() -> None:
    engine = FlowEngine(FlowConfig(), scope=Scope.MARKET)
    found_by(engine, parts_of(FOUR.market))
    whole = engine.snapshot(MARKET, T0_MS + 60_000 * 321)
    assert whole is not None
    assert max(window.long_usd for window in whole.liquidations) > 30 * len(COINS) * 3_000_000.0
