"""Frames cut into partitions: whose coin is whose, what goes everywhere, and nothing lost on the way."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.flow import LiquidationEvent, PriceTick, StreamFrame, StreamGap, TradeEvent
from app.core.domain.partition import MAX_PART_EVENTS, Partitioning, events_in, with_gap

SIXTEEN = Partitioning(16)
GAP = StreamGap("okx", 5, 9, "drop")


def liquidation(coin: str, usd: float = 1.0) -> LiquidationEvent:
    return LiquidationEvent(coin, "OKX", f"{coin}-USDT-SWAP", "LONG", 1.0, usd, None, 1)


def trade(coin: str, usd: float = 1.0) -> TradeEvent:
    return TradeEvent(coin, "OKX", f"{coin}-USDT-SWAP", True, 1.0, usd, 1)


def test_the_worked_number() -> None:
    assert SIXTEEN.of("BTC") == 6
    assert SIXTEEN.market == 16
    assert list(Partitioning(2).all) == [0, 1, 2]


def test_another_process_with_another_hash_seed_says_the_same() -> None:
    code = (
        "from app.core.domain.partition import Partitioning as P;"
        "print(*(P(16).of(c) for c in ('BTC', 'ETH', 'PEPE')))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == [str(SIXTEEN.of(coin)) for coin in ("BTC", "ETH", "PEPE")]


def test_the_market_gets_liquidations_and_rejects_and_no_trades() -> None:
    whole = StreamFrame("okx", 7, (liquidation("BTC"),), (trade("BTC"), trade("ETH")), (), {"bad": 2})
    parts = SIXTEEN.split(whole)
    assert [number for number, _ in parts] == [*sorted({SIXTEEN.of("BTC"), SIXTEEN.of("ETH")}), 16]
    assert parts[-1][1] == StreamFrame("okx", 7, (liquidation("BTC"),), (), (), {"bad": 2})
    assert all(part.rejects == {} for _, part in parts[:-1])


def test_trades_alone_do_not_reach_the_market() -> None:
    assert [number for number, _ in SIXTEEN.split(StreamFrame("okx", 7, (), (trade("BTC"),)))] == [6]


def test_a_gap_reaches_every_partition_and_an_empty_frame_none() -> None:
    parts = SIXTEEN.split(StreamFrame("okx", 7, (liquidation("BTC"),), gap=GAP))
    assert [number for number, _ in parts] == list(SIXTEEN.all)
    assert {part.gap for _, part in parts} == {GAP}
    assert sum(events_in(part) for _, part in parts) == 2
    assert SIXTEEN.split(StreamFrame("okx", 7)) == []


def test_gap_and_rejects_go_with_the_first_piece_of_a_large_frame() -> None:
    whole = StreamFrame(
        "okx", 7, tuple(liquidation("BTC", usd) for usd in range(1_201)), (), (), {"x": 1}, GAP
    )
    pieces = [part for number, part in SIXTEEN.split(whole) if number == 16]
    assert [events_in(piece) for piece in pieces] == [500, 500, 201]
    assert [piece.gap for piece in pieces] == [GAP, None, None]
    assert [piece.rejects for piece in pieces] == [{"x": 1}, {}, {}]


def test_two_gaps_become_one_that_holds_both() -> None:
    frame = StreamFrame("okx", 7)
    assert with_gap(frame, GAP).gap == GAP
    later = StreamGap("bus", 1, 7, "bus_overflow")
    assert with_gap(with_gap(frame, GAP), later).gap == StreamGap("okx", 1, 9, "drop")


COINS = st.sampled_from(["BTC", "ETH", "SOL", "PEPE", "1INCH"])


@given(
    st.lists(COINS, max_size=700).map(lambda coins: tuple(liquidation(c, i) for i, c in enumerate(coins))),
    st.lists(COINS, max_size=700).map(lambda coins: tuple(trade(c, i) for i, c in enumerate(coins))),
    st.lists(COINS, max_size=9).map(
        lambda coins: tuple(PriceTick(c, "OKX", 1.0, i) for i, c in enumerate(coins))
    ),
    st.sampled_from([1, 3, 16]),
)
def test_no_event_is_lost_doubled_or_out_of_order(
    liquidations: tuple[LiquidationEvent, ...],
    trades: tuple[TradeEvent, ...],
    ticks: tuple[PriceTick, ...],
    count: int,
) -> None:
    partitioning = Partitioning(count)
    parts = partitioning.split(StreamFrame("okx", 7, liquidations, trades, ticks))
    assert all(1 <= events_in(part) <= MAX_PART_EVENTS for _, part in parts)
    for number in range(count):
        mine = [part for partition, part in parts if partition == number]
        assert [e for part in mine for e in part.liquidations] == _of(partitioning, number, liquidations)
        assert [e for part in mine for e in part.trades] == _of(partitioning, number, trades)
        assert [e for part in mine for e in part.ticks] == _of(partitioning, number, ticks)
    market = [part for partition, part in parts if partition == partitioning.market]
    assert tuple(e for part in market for e in part.liquidations) == liquidations


def _of(partitioning: Partitioning, number: int, events: tuple[object, ...]) -> list[object]:
    return [e for e in events if partitioning.of(e.symbol) == number]  # type: ignore[attr-defined]
