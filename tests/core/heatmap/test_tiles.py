"""Liquidations folded to tiles: each event once, sides apart, order irrelevant."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.stored import LiquidationRow, TileRow
from app.core.errors import InvariantViolation
from app.core.heatmap.buckets import bucket_of
from app.core.heatmap.tiles import fold_tiles

AT_MS = 1_772_000_000_000


def event(
    number: int,
    usd: float,
    side: str = "LONG",
    *,
    at_ms: int = AT_MS,
    price: float = 96_000.0,
    symbol: str = "BTC",
) -> LiquidationRow:
    return LiquidationRow(
        symbol, at_ms, number, "okx", "OKX", "BTC-USDT-SWAP", side, price, usd, None, bucket_of(price), at_ms
    )


def test_worked_numbers() -> None:
    rows = [event(1, 100.0), event(2, 50.0), event(3, 30.0, "SHORT")]
    assert fold_tiles(rows) == [TileRow("BTC", AT_MS // 60_000, bucket_of(96_000.0), 150.0, 30.0, 3)]


def test_no_liquidations_make_no_tiles() -> None:
    assert fold_tiles([]) == []


def test_the_same_event_twice_counts_once() -> None:
    assert fold_tiles([event(1, 100.0)] * 60) == fold_tiles([event(1, 100.0)])


def test_equal_events_with_ids_of_their_own_count_each() -> None:
    assert fold_tiles([event(1, 100.0), event(2, 100.0)])[0].long_usd == 200.0


def test_minutes_buckets_and_coins_are_kept_apart() -> None:
    rows = [
        event(1, 1.0),
        event(2, 2.0, at_ms=AT_MS + 60_000),
        event(3, 4.0, price=97_000.0),
        event(4, 8.0, symbol="ETH"),
    ]
    assert sorted(tile.long_usd for tile in fold_tiles(rows)) == [1.0, 2.0, 4.0, 8.0]


def test_an_unknown_side_is_never_guessed() -> None:
    with pytest.raises(InvariantViolation):
        fold_tiles([event(1, 100.0, "BUY")])


EVENTS = st.lists(
    st.builds(
        event,
        st.integers(0, 30),
        st.floats(0.01, 1e9),
        st.sampled_from(["LONG", "SHORT"]),
        at_ms=st.integers(AT_MS, AT_MS + 300_000),
        price=st.floats(1e-8, 1e7),
    ),
    max_size=40,
)


@given(EVENTS, st.randoms(use_true_random=False))
def test_order_and_repeats_change_nothing(rows: list[LiquidationRow], draw: random.Random) -> None:
    # One id is one event; drawn lists may give it two faces.
    once = list({(row.ts_event_ms, row.id): row for row in rows}.values())
    shuffled = [*once, *once[: len(once) // 2]]
    draw.shuffle(shuffled)
    assert fold_tiles(shuffled) == fold_tiles(once)


@given(EVENTS)
def test_no_dollar_is_lost_and_none_is_made(rows: list[LiquidationRow]) -> None:
    once = {(row.ts_event_ms, row.id): row for row in rows}.values()
    tiles = fold_tiles(rows)
    assert sum(tile.events for tile in tiles) == len(once)
    assert sum(tile.long_usd + tile.short_usd for tile in tiles) == pytest.approx(
        sum(row.usd for row in once)
    )
